"""A 7.0 main daemon that cannot start, or whose port is taken, costs nobody a connect."""

from harness import DAEMON_PORTS, BusError, check, equal, run, say


def test(world):
    world.expect("systemd: (Failed to start )?timesten@tt70.service", "upgrade-job: (Step start-new-daemon|Job \\d+ finished: failed|Check )",
                 "timesten-upgraded: Job .* failed")
    world.start_clients(4)
    world.settle()
    world.faults("tt70", "timestend exit=1")
    attempt(world)
    world.faults("tt70")
    taken = world.taken_port(DAEMON_PORTS["tt70"])
    attempt(world)
    taken.kill()
    world.settle()
    report = world.stop_clients()
    equal(world.lost("tt60", report), [], "lost rows")
    equal(report.troubles(), 0, "connects or statements that failed")
    equal(report.cut, 0, "sessions that were cut, though nothing had to be changed for them")


def attempt(world):
    """Refused at once by a check or undone by the job; either way the reason is told and 6.0 serves on."""
    try:
        job = world.must_end(world.upgrade(), "failed")
        name, message = job["Error"]
    except BusError as error:
        name, message = error.name, error.message
    say(f"  {name}: {message}")
    check(name.rsplit(".", 1)[-1] in ("UtilityFailed", "ChecksFailed", "NotPossible", "DeadlinePassed"), f"{name}: {message}")
    check("tt70" in message or "17000" in message, f"the message names neither instance nor port: {message}")
    check("JobRemoved" not in message and len(message) > 40, f"the message tells no remedy: {message}")
    world.must_serve("tt60")


run(test)
