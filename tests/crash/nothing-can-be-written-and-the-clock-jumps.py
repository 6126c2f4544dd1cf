"""A file system that goes read-only or full, a process out of descriptors, and a clock that jumps a day: the job goes back and
serves, or goes on, and says what it lacks."""

import errno

from badworld import CLOCK, CRASH, STATE, BadWorld, BusError, check, equal, run, say, wait_until


def under_load(world):
    clients = world.start_clients(3)
    world.settle(clients)
    return clients


def worker_says(world, words):
    return any(words in line["MESSAGE"] for line in world.journal("_COMM=upgrade-job"))


def served_by(world, release):
    """Told by a client; for the bus the server is still being changed."""
    answer = world.ttclient()
    check(release in answer.out + answer.err, f"a new client was not served by {release}: {answer}")


def read_only(world):
    """From the end of the export on nothing can be written: 6.0 serves, also when the worker dies, and the job ends when the
    disk is mended."""
    world.arm(errno.EROFS, times=10000, match="record end export")
    clients = under_load(world)
    number = world.upgrade()
    wait_until(lambda: worker_says(world, "goes back meanwhile"), 60, "the worker to tell that it cannot write")
    world.settle(clients)
    served_by(world, "6.0.8")
    equal(world.job(number)["Result"], "", "the result while it cannot be written")
    world.systemctl("kill", "-s", "KILL", f"timesten-job@{number}.service")
    world.settle(clients)
    # The next worker finds the record as it was at the export; it must not go forward from there.
    wait_until(lambda: len(list(filter(lambda line: "goes back: what" in line["MESSAGE"], world.journal("_COMM=upgrade-job")))) > 1,
               60, "the next worker to go back, too")
    world.settle(clients)
    served_by(world, "6.0.8")
    world.disarm()
    equal(world.wait_record(number, 120), "failed", "the result once it can be written")
    message = world.job(number)["Error"][1]
    say(f"  {message}")
    check("Read-only file system" in message and f"{STATE}/jobs/{number}/record" in message, f"the error: {message}")
    world.judge(number, "failed", clients)
    world.reset()


def read_only_behind_the_commit(world):
    """Nothing can be written once the commit stands: the new release serves, and the job is done when it can."""
    world.arm(errno.EROFS, times=10000, match="record begin resume")
    clients = under_load(world)
    number = world.upgrade()
    wait_until(lambda: worker_says(world, "goes on meanwhile"), 60, "the worker to tell that it cannot write")
    wait_until(lambda: worker_says(world, f"Job {number} finished: done"), 60, "the worker to come to its end")
    world.settle(clients)
    world.disarm()
    equal(world.wait_record(number, 60), "done", "the result once it can be written")
    world.judge(number, "done", clients)
    world.reset()


def full(world):
    """A real file system without room for one more page, from the import on; before an upgrade it is told at once."""
    world.systemctl("stop", "timesten-upgraded.service")
    world.shell(f"cp -a {STATE} /root/state && mount -t tmpfs -o size=512k,mode=755 tmpfs {STATE} && cp -a /root/state/. {STATE}/")
    clients = under_load(world)
    world.tune("tt70", {"migrate-rows-per-second": 150})
    number = world.upgrade()
    world.wait_step(number, "import")
    fill = f"dd if=/dev/zero of={STATE}/filler bs=4k 2>/dev/null; true"
    world.shell(fill)
    equal(world.wait_record(number, 120), "failed", "the result on a full disk")
    message = world.job(number)["Error"][1]
    say(f"  {message}")
    check("No space left" in message and STATE in message, f"the error: {message}")
    world.settle(clients)
    world.must_serve("tt60")
    world.tune("tt70", {})
    world.shell(fill)
    try:
        world.upgrade()
        check(False, "an upgrade was begun on a full disk")
    except BusError as error:
        say(f"  {error}")
        check("No space left" in str(error) and STATE in str(error), f"the refusal: {error}")
    report = world.stop_clients(clients)
    equal((world.lost("tt60", report), report.troubles()), ([], 0), f"lost rows and troubles ({report})")
    world.systemctl("stop", "timesten-upgraded.service")
    world.run("umount", STATE)
    world.reset()


def without_descriptors(world):
    """A worker that may open next to nothing ends before it touches anything."""
    limit = "/etc/systemd/system/timesten-job@.service.d/limit.conf"
    clients = under_load(world)
    world.write(limit, "[Service]\nLimitNOFILE=6\n")
    world.systemctl("daemon-reload")
    try:
        number = world.upgrade()
        check(False, f"job {number} was begun without descriptors")
    except BusError as error:
        say(f"  {error}")
        check("Too many open files" in str(error), f"the refusal: {error}")
    world.stop_and_check(clients, "failed")
    world.run("rm", limit)
    world.systemctl("daemon-reload")
    world.must_serve("tt60")
    world.reset()


def clock_jumps(world, seconds):
    """Neither limit is measured by a clock that somebody may set."""
    world.arm()
    clients = under_load(world)
    world.tune("tt70", {"migrate-rows-per-second": 150})
    number = world.upgrade(values={"hold-limit-usec": ("t", 120_000_000), "outage-limit-usec": ("t", 100_000_000)})
    world.wait_step(number, "import")
    world.set_clock(seconds)
    equal(world.wait_record(number, 120), "done", f"the result where the clock jumps by {seconds} s")
    times = [when for when, *_ in world.record(number)]
    check(max(times) - min(times) > 80000, "the worker did not see the clock jump")
    held = world.job(number)["HeldUSec"] / 1e6
    check(0 < held < 120, f"connects were made to wait for {held} s, as the job tells")
    world.run("rm", f"{CRASH}/clock", f"{CLOCK}/clock")
    world.tune("tt70", {})
    world.judge(number, "done", clients)
    world.reset()


def test(world):
    world.expect("upgrade-job: (Cannot|Whether the commit)", "upgrade-job: .*(Read-only|No space left|Too many open)",
                 "timesten-upgraded: ", r"systemd: timesten-job@\d+", "port-keeper: ", "systemd-journald: ")
    world.remember()
    world.count_points("done")
    world.reset()
    clock_jumps(world, 86400)
    clock_jumps(world, -86400)
    read_only(world)
    read_only_behind_the_commit(world)
    full(world)
    without_descriptors(world)


run(test, machine=BadWorld, rows=400)
