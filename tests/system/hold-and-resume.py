"""An administrator holds the port without any upgrade: connects wait, then are served; past the limit they are refused."""

import time

from bus import options
from harness import check, equal, run, say, wait_until


def server(world):
    return world.bus.properties("Server", "main")


def test(world):
    world.must_serve("tt60")
    world.bus.server("main", "Hold", "ta{sv}", 120_000_000, *options())
    told = server(world)
    equal(told["State"], "held", "the state while held")
    check(0 < told["HoldDeadline"] / 1e6 - time.time() <= 121, f"the deadline: {told['HoldDeadline']}")
    world.start_clients(8, think_ms=5, patience=100)
    wait_until(lambda: server(world)["Held"] == 8, 60, "eight connects to wait in the queue")
    time.sleep(2)
    world.run("ttctl", "resume", "main")
    equal(server(world)["State"], "serving", "the state after Resume")
    world.settle()
    report = world.end_clients("tt60")
    check(report.longest_ms >= 1900, f"nobody waited for the hold: {report.longest_ms} ms")

    world.expect("port-keeper: The deadline of the hold has passed")
    world.run("ttctl", "hold", "main", "2s")
    client = world.start_clients(1)
    wait_until(lambda: server(world)["State"] == "refusing", 60, "the limit of the hold to pass")
    wait_until(lambda: world.keeper("refused") > 0, 60, "the client to be refused")
    wait_until(lambda: not world.connects(), 10, "a connect past the limit to be reset")
    say("  past its limit the port refuses")
    world.bus.server("main", "Resume", "a{sv}", *options())
    wait_until(world.connects, 10, "a connect after Resume")
    world.settle()
    report = world.stop_clients(client)
    check(report.reset + report.refused > 0, "the client past the limit was never refused")
    equal(world.lost("tt60", report), [], "lost rows")


run(test)
