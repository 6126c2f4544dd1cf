"""A TimesTen Server that dies while its main daemon lives is started again for the clients that wait; a stopped instance is not."""

from harness import check, equal, run, say, wait_until

REVIVE = "timesten-revive@main.service"


def test(world):
    world.start_clients(4)
    world.settle()
    # The first is the one that listens, the others are its clients' own.
    world.run("pkill", "-9", "-o", "-x", "ttcserver")
    world.settle()
    report = world.end_clients("tt60")
    check(report.cut > 0, "no session ended: was the server killed?")
    check(report.longest_ms < 20000, f"a client waited {report.longest_ms} ms")
    world.must_serve("tt60")

    before = world.unit(REVIVE, "ConditionTimestampMonotonic")
    world.systemctl("stop", "timesten@tt60.service")
    world.start_clients(1)
    wait_until(lambda: world.unit(REVIVE, "ConditionTimestampMonotonic") != before and world.unit(REVIVE) == "inactive", 30,
               "the keeper's call to be heard")
    equal(world.unit(REVIVE, "Result"), "exec-condition", "what came of the call")
    equal(world.unit("timesten@tt60.service"), "inactive", "an instance that was stopped by hand")
    check("ttcserver" not in world.run("ps", "-eo", "comm").out, "a server of a stopped instance runs")
    world.systemctl("start", "timesten@tt60.service")
    world.settle()
    report = world.stop_clients()
    say(f"  {report}")
    equal(report.troubles(), 0, "connects that failed while the instance was stopped")


run(test)
