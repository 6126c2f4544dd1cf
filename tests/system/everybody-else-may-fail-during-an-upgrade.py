"""Keeper, daemon, bus, journal and PID 1 die, stop or begin anew in the middle of a job: it is undone or done as ever."""

import contextlib

from bus import BusError
from harness import Failed, equal, run, say, wait_until
from undo import must_be_as_before
from world import Gate

KEEPER, DAEMON = "timesten-server@main.service", "timesten-upgraded.service"
JOURNALD = ["systemd-journald.socket", "systemd-journald-dev-log.socket", "systemd-journald.service"]
PATIENT = {"hold-limit-usec": ("t", 600_000_000)}


def kill(unit):
    def act(world):
        before = world.unit(unit, "MainPID")
        if before == "0":  # the daemon had gone for lack of work
            world.bus.manager("ListJobs")
            before = world.unit(unit, "MainPID")
        world.run("kill", "-9", before)
        wait_until(lambda: world.unit(unit, "MainPID") not in ("0", before), 60, f"a new process of {unit}")
    return act


def systemctl(*words):
    return lambda world: world.systemctl(*words, timeout=120)


def reload_many_times(world):
    for _ in range(5):
        world.systemctl("daemon-reload", timeout=120)


def freeze_journald(world):
    world.run("kill", "-STOP", world.unit("systemd-journald.service", "MainPID"))
    yield
    world.run("kill", "-CONT", world.unit("systemd-journald.service", "MainPID"))


def stop_journald(world):
    world.systemctl("stop", *JOURNALD, timeout=120)
    equal(world.unit("systemd-journald.service"), "inactive", "the journal")
    yield
    world.systemctl("start", *JOURNALD, timeout=120)


# What happens at each gate, one after the other.
EVENTS = {
    "what runs the utilities is killed": systemctl("kill", "--signal=KILL", r"timesten-util-*-utility\x2drunner*"),
    "the keeper is killed": kill(KEEPER),
    "the daemon is killed": kill(DAEMON),
    "the bus is restarted": systemctl("restart", "dbus.service"),
    "systemd reloads its configuration": reload_many_times,
    "PID 1 executes itself anew": systemctl("daemon-reexec"),
}


def job_now(world, number):
    """The job as the bus tells it, which may take a moment to be there again."""
    job = None

    def answered():
        nonlocal job
        with contextlib.suppress(BusError, Failed):
            job = world.job(number)
        return job
    return wait_until(answered, 60, "an answer on the bus", 0.2)


def at_gate(world, number, gate, where, state):
    """All EVENTS while the job is at work at GATE."""
    gate.wait()
    for what, act in EVENTS.items():
        act(world)
        wait_until(lambda: world.keeper("state") in ("hold", "drain"), 60, f"the keeper to hold after: {what}")
        equal(job_now(world, number)["State"], state, f"the state of the job after: {what}")
        say(f"  {what}: in {where}")
    gate.open()


def without_journal(world, act, what, before, after):
    """ACT's two halves, the second when the job has gone on from BEFORE to AFTER, two gates."""
    before.wait()
    halves = act(world)
    next(halves)
    before.open()
    after.wait()
    next(halves, None)
    say(f"  {what}: from one utility to another")


def test(world):
    before = world.content("tt60", "orders")
    # What the killed and the restarted say themselves, and those who talked with them.
    world.expect(r"timesten-(server@main|upgraded)\.service: (Main process exited|Failed with result)",
                 # A short utility whose question was lost with PID 1 is ended and run again.
                 r"systemd: timesten-util-.*: (Main process exited|Failed with result)",
                 r"systemd: Failed to start", r"dbus", r"systemd-logind|polkitd", r"systemd-journald",
                 r"timesten-upgraded: (The connection to the bus was lost|Cannot tell the bus|Job \d+ )",
                 r"upgrade-job: (Step import failed|Job \d+ finished: failed)",
                 r"upgrade-job: Cannot ask systemd to run .*: (Connection reset by peer|Transport endpoint is not connected)")
    # The port is held for as long as all of this takes.
    world.start_clients(6, patience=400)
    world.settle()

    # The undo starts the old server again while the port is still held.
    world.faults("tt60", "ttDaemonAdmin -stopserver until=/run/stop", "ttDaemonAdmin -startserver until=/run/undo")
    imported = world.gate("tt70", "ttMigrate -r at=50 exit=1")
    undo = Gate(world, "tt60", "/run/undo")
    number = world.upgrade(values=PATIENT)
    at_gate(world, number, Gate(world, "tt60", "/run/stop"), "stop-old-server", "running")
    without_journal(world, freeze_journald, "the journal's daemon hangs", imported, undo)
    at_gate(world, number, undo, "the undo of stop-old-server", "undoing")
    world.must_end(number, "failed")
    must_be_as_before(world, "failed")

    export = world.gate("tt60", "ttMigrate -c at=50")
    imported = world.gate("tt70", "ttMigrate -r at=50")
    number = world.upgrade(values=PATIENT)
    without_journal(world, stop_journald, "the journal is stopped", export, imported)
    at_gate(world, number, imported, "import", "running")
    world.must_end(number, "done")
    world.settle()
    world.end_clients("tt70")
    equal(world.content("tt70", "orders"), before, "count and checksum of the rows written before")
    world.must_serve("tt70")


run(test, kind="fault")
