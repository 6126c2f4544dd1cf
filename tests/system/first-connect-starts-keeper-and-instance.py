"""After a boot nothing but the socket is there; the first connect starts the keeper and the instance and is served."""

from harness import equal, run, say


def test(world):
    world.reboot()
    equal(world.unit("timesten-server@main.socket"), "active", "the socket after the boot")
    for unit in ("timesten-server@main.service", "timesten@tt60.service", "timesten@tt70.service"):
        equal(world.unit(unit), "inactive", f"{unit} before the first connect")
    clients = world.start_clients(6)
    world.settle()
    report = world.end_clients("tt60")
    equal(world.unit("timesten-server@main.service"), "active", "the keeper after the first connect")
    equal(world.unit("timesten@tt60.service"), "active", "the instance after the first connect")
    say(f"  the first connect waited {report.longest_ms} ms for keeper and instance")
    world.must_serve("tt60")


run(test)
