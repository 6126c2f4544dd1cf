"""A file system that goes read-only or full, a process out of descriptors, and a clock that jumps a day: the job goes back and
serves, or goes on, and says what it lacks."""

import errno
import shutil

from crashworld import LIBRARY, STATE, BusError, CrashWorld, check, equal, roots, run, say, wait_until
from scenario import SCENARIOS, begin
from sweep import count_points, expected

CLOCK = "/run/crashclock"
CLOCK_LIBRARY = "/usr/lib/crashclock.so"


class ClockWorld(CrashWorld):
    """One lane, whose worker, daemon and keeper may see a wrong time of day."""

    def __init__(self, name, **more):
        super().__init__(name, lanes=1, **more)

    def boot(self, wait=True):
        if self.boots == 0:
            shutil.copy(roots.build_directory() / "tests/crash/libcrashclock.so", self.root / CLOCK_LIBRARY.lstrip("/"))
            # Read after the drop-in of the points, whose library it keeps.
            for unit, libraries in (("timesten-job@", f"{LIBRARY}:{CLOCK_LIBRARY}"), ("timesten-upgraded", CLOCK_LIBRARY),
                                    ("timesten-server@", CLOCK_LIBRARY)):
                self.write(f"/etc/systemd/system/{unit}.service.d/late-clock.conf",
                           f"[Service]\nEnvironment=LD_PRELOAD={libraries} CRASH_CLOCK={CLOCK}\n")
        return super().boot(wait)


def under_load(world):
    lane = world.lanes[0]
    lane.start_clients()
    lane.settle()
    return lane


def judge(lane, result):
    """As an undisturbed job with this result leaves it; then from the beginning again."""
    world = lane.world
    scenario, reference = expected(world, SCENARIOS["upgrade"], lane, result)
    lane.judge(scenario, result, world.before)
    check(not (wrong := world.compare([lane.server], {lane.server: reference})), f"what lies about: {wrong}")
    world.restore()


def worker_says(world, words):
    return any(words in line["MESSAGE"] for line in world.journal("_COMM=upgrade-job"))


def served_by(world, release):
    """Told by a client; for the bus the server is still being changed."""
    answer = world.ttclient()
    check(release in answer.out + answer.err, f"a new client was not served by {release}: {answer}")


def read_only(world):
    """From the end of the export on nothing can be written: 6.0 serves, also when the worker dies, and the job ends when the
    disk is mended."""
    world.lanes[0].arm(match="record end export", action="fail", errno=errno.EROFS, times=10000)
    lane = under_load(world)
    number = lane.number = world.upgrade()
    wait_until(lambda: worker_says(world, "goes back meanwhile"), 60, "the worker to tell that it cannot write")
    lane.settle()
    served_by(world, "6.0.8")
    equal(world.job(number)["Result"], "", "the result while it cannot be written")
    world.systemctl("kill", "-s", "KILL", f"timesten-job@{number}.service")
    lane.settle()
    # The next worker finds the record as it was at the export; it must not go forward from there.
    wait_until(lambda: len(list(filter(lambda line: "goes back: what" in line["MESSAGE"], world.journal("_COMM=upgrade-job")))) > 1,
               60, "the next worker to go back, too")
    lane.settle()
    served_by(world, "6.0.8")
    lane.disarm()
    equal(lane.wait_record(120), "failed", "the result once it can be written")
    message = world.job(number)["Error"][1]
    say(f"  {message}")
    check("Read-only file system" in message and f"{STATE}/jobs/{number}/record" in message, f"the error: {message}")
    judge(lane, "failed")


def read_only_behind_the_commit(world):
    """Nothing can be written once the commit stands: the new release serves, and the job is done when it can."""
    world.lanes[0].arm(match="record begin resume", action="fail", errno=errno.EROFS, times=10000)
    lane = under_load(world)
    number = lane.number = world.upgrade()
    wait_until(lambda: worker_says(world, "goes on meanwhile"), 60, "the worker to tell that it cannot write")
    wait_until(lambda: worker_says(world, f"Job {number} finished: done"), 60, "the worker to come to its end")
    lane.settle()
    lane.disarm()
    equal(lane.wait_record(60), "done", "the result once it can be written")
    judge(lane, "done")


def full(world):
    """A real file system without room for one more page, from the import on; before an upgrade it is told at once."""
    world.systemctl("stop", "timesten-upgraded.service")
    world.shell(f"cp -a {STATE} /root/state && mount -t tmpfs -o size=512k,mode=755 tmpfs {STATE} && cp -a /root/state/. {STATE}/")
    lane = under_load(world)
    world.tune("tt70", {"migrate-rows-per-second": 150})
    number = lane.number = world.upgrade()
    world.wait_step(number, "import")
    fill = f"dd if=/dev/zero of={STATE}/filler bs=4k 2>/dev/null; true"
    world.shell(fill)
    equal(lane.wait_record(120), "failed", "the result on a full disk")
    message = world.job(number)["Error"][1]
    say(f"  {message}")
    check("No space left" in message and STATE in message, f"the error: {message}")
    lane.settle()
    world.must_serve("tt60")
    world.tune("tt70", {})
    world.shell(fill)
    try:
        world.upgrade()
        check(False, "an upgrade was begun on a full disk")
    except BusError as error:
        say(f"  {error}")
        check("No space left" in str(error) and STATE in str(error), f"the refusal: {error}")
    lane.check_clients("tt60")
    world.systemctl("stop", "timesten-upgraded.service")
    world.run("umount", STATE)
    world.restore()


def without_descriptors(world):
    """A worker that may open next to nothing ends before it touches anything."""
    limit = "/etc/systemd/system/timesten-job@.service.d/limit.conf"
    lane = under_load(world)
    world.write(limit, "[Service]\nLimitNOFILE=6\n")
    world.systemctl("daemon-reload")
    try:
        number = world.upgrade()
        check(False, f"job {number} was begun without descriptors")
    except BusError as error:
        say(f"  {error}")
        check("Too many open files" in str(error), f"the refusal: {error}")
    lane.check_clients("tt60")
    world.run("rm", limit)
    world.systemctl("daemon-reload")
    world.must_serve("tt60")
    world.restore()


def clock_jumps(world, seconds):
    """Neither limit is measured by a clock that somebody may set."""
    lane = under_load(world)
    world.tune("tt70", {"migrate-rows-per-second": 150})
    number = lane.number = world.upgrade(values={"hold-limit-usec": ("t", 120_000_000), "outage-limit-usec": ("t", 100_000_000)})
    world.wait_step(number, "import")
    world.write(CLOCK, f"{seconds}\n")
    equal(lane.wait_record(120), "done", f"the result where the clock jumps by {seconds} s")
    times = [when for when, *_ in world.record(number)]
    check(max(times) - min(times) > 80000, "the worker did not see the clock jump")
    held = world.job(number)["HeldUSec"] / 1e6
    check(0 < held < 120, f"connects were made to wait for {held} s, as the job tells")
    world.run("rm", CLOCK)
    world.tune("tt70", {})
    judge(lane, "done")


def test(world):
    world.expect("upgrade-job: (Cannot|Whether the commit)", "upgrade-job: .*(Read-only|No space left|Too many open)",
                 "timesten-upgraded: ", r"systemd: timesten-job@\d+", "port-keeper: ", "systemd-journald: ")
    begin(world, "begin")
    count_points(world, SCENARIOS["upgrade"])
    world.restore()
    clock_jumps(world, 86400)
    clock_jumps(world, -86400)
    read_only(world)
    read_only_behind_the_commit(world)
    full(world)
    without_descriptors(world)


run(test, kind="fault", machine=ClockWorld, rows=400)
