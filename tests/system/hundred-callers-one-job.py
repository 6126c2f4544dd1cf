"""A hundred callers at once begin one job and hear its number, and another server is upgraded while that job stands still."""

import re
import sys

from harness import SOURCE, check, define_instance, equal, run, say, wait_until

sys.path.insert(0, str(SOURCE / "tests"))
import rawbus

# A pair of instances and a server more, with nothing in common.
for one, release, port in (("tt61", "6.0.8", 18000), ("tt71", "7.0.6", 19000)):
    define_instance(one, release, port)
SECOND = 16102
CALLERS = 100
BUS, SERVER = "org.timesten.Upgrade1", "/org/timesten/Upgrade1/server/"
BUSY = f"{BUS}.Error.Busy"


def jobs(world):
    """The jobs on disk, whatever the bus says of them."""
    return sorted(world.shell("cd /var/lib/timesten-upgrade/jobs && ls -d [0-9]*", check=False).out.split(), key=int)


def must_name_one(answers, job):
    """ANSWERS are (number, None) of an accepted call, (None, message) of a refused one; all must name JOB, some accepting it."""
    accepted = [number for number, _ in answers if number is not None]
    named = [re.match(r"Job (\d+) works on server ", message or "") for number, message in answers if number is None]
    say(f"  {len(answers)} callers: {len(accepted)} told that it is theirs, {len(named)} refused")
    check(accepted and set(accepted) == {job}, f"more than one job was begun: {accepted}")
    check(all(one and int(one[1]) == job for one in named), f"a refusal does not name job {job}: {answers}")
    return len(accepted)


def call_at_once(world, server, target, wishes):
    """One Upgrade for each of WISHES (drain-usec, None: no option), each by a connection of its own, written in one go."""
    path = f"/proc/{world.pid}/root/run/dbus/system_bus_socket"
    connections = [rawbus.Connection(path, timeout=120) for _ in wishes]
    calls = [one.prepare(BUS, SERVER + server, f"{BUS}.Server", "Upgrade", "sa{sv}", target,
                         [] if wish is None else [("drain-usec", ("t", wish))]) for one, wish in zip(connections, wishes)]
    for one, (_, data) in zip(connections, calls):
        one.send(data)
    answers = [one.wait(serial) for one, (serial, _) in zip(connections, calls)]
    for one in connections:
        one.close()
    for one in answers:
        check(one.kind == rawbus.RETURN or one.error == BUSY, f"a caller got {one.error}: {one.text()}")
    return [(one.values()[0], None) if one.kind == rawbus.RETURN else (None, one.text()) for one in answers]


def run_at_once(world, server, target, wishes):
    """The same by as many processes of busctl."""
    processes = [world.popen("busctl", "--timeout=120", "call", BUS, SERVER + server, f"{BUS}.Server", "Upgrade", "sa{sv}",
                               target, *([0] if wish is None else [1, "drain-usec", "t", wish])) for wish in wishes]
    answers = []
    for process in processes:
        out, err = process.communicate(timeout=180)
        told = re.match(r'to (\d+) "', out)
        refused = re.match(r"Call failed: (.*)", err)
        check(told or refused, f"busctl said {out!r} {err!r}")
        answers.append((int(told[1]), None) if told else (None, refused[1]))
    return answers


def test(world):
    world.expect(r"upgrade-job: (Step import failed|Job 1 finished): (cancelled: )?The job was cancelled",
                   r"systemd: timesten-util-1-import-orders.service: Failed")
    world.systemctl("start", "timesten@tt61.service")
    world.sql("tt61", "orders", "create table items (id integer not null primary key, name varchar(64), amount integer);",
                create=True)
    world.declare_server("second", SECOND, ["orders"], "tt61", enable=False)
    world.run("ttctl", "reload")
    world.systemctl("start", "timesten-server@second.socket")
    mine = world.start_clients(3, patience=300)
    theirs = world.start_clients(3, port=SECOND, patience=300)
    wait_until(lambda: world.connects(SECOND), 30, "the second server")
    world.settle(mine)

    # Each wants something else: one is first, all others are told of it.
    world.tune("tt70", {"migrate-rows-per-second": 10})
    answers = call_at_once(world, "main", "tt70", [5_000_000 + n for n in range(CALLERS)])
    equal(must_name_one(answers, 1), 1, "callers whose wish became the job")
    equal(jobs(world), ["1"], "jobs on disk")
    world.wait_step(1, "import")

    # Half of them want the same: whoever is first, one job comes of it, while the first server's stands still.
    begun = must_name_one(run_at_once(world, "second", "tt71", [None if n % 2 else 5_000_000 + n for n in range(CALLERS)]), 2)
    check(begun in (1, CALLERS // 2), f"{begun} callers were told that the job is theirs")
    equal(jobs(world), ["1", "2"], "jobs on disk")
    world.must_end(2, "done")
    equal(world.bus.properties("Server", "second")["Instance"], "tt71", "the instance of the second server")
    stands = world.job(1)
    check(stands["State"] == "running" and stands["Step"] == "import", f"the first server's job should stand in its import: {stands}")

    world.bus.job(1, "Cancel", "a{sv}", 0)
    world.must_end(1, "cancelled")
    world.settle(mine)
    world.end_clients("tt60", mine)
    world.end_clients("tt71", theirs)
    world.must_serve("tt60")
    equal(world.bus.manager("ListJobs")[0][-1][0], 2, "the number of the newest job")


run(test, instances=("tt60", "tt70", "tt61", "tt71"), server_lines=["HoldLimitSec=600"])
