"""A keeper killed in the middle of a hold comes back holding: nobody is refused, nobody is let through too early."""

import time

from bus import options
from harness import check, equal, run, wait_until


def server(world):
    return world.bus.properties("Server", "main")


def test(world):
    world.expect("timesten-server@main.service: (Main process exited|Failed with result)", "Failed to start timesten-server@main")
    world.must_serve("tt60")
    world.bus.server("main", "Hold", "ta{sv}", 120_000_000, *options())
    deadline = server(world)["HoldDeadline"]
    # A keeper that began a new hold would move the deadline by more than this.
    begun = time.monotonic()
    world.start_clients(6, patience=100)
    wait_until(lambda: server(world)["Held"] == 6, 30, "six connects to wait")
    wait_until(lambda: time.monotonic() - begun > 3, 10, "three seconds of the hold to pass")
    for _ in range(3):
        keeper = world.unit("timesten-server@main.service", "MainPID")
        world.run("kill", "-9", keeper)
        wait_until(lambda: world.unit("timesten-server@main.service", "MainPID") not in ("0", keeper), 10, "a new keeper")
        wait_until(lambda: server(world)["State"] == "held", 10, "the new keeper to hold")
        # Kept on the clock that no one can set: as wall-clock time it comes back a little different.
        moved = abs(server(world)["HoldDeadline"] - deadline)
        check(moved < 1_500_000, f"a crash moved the deadline by {moved} µs")
        equal(server(world)["Held"], 6, "waiting connects")
    time.sleep(1)
    equal(server(world)["Sessions"], 0, "sessions let through while held")
    world.bus.server("main", "Resume", "a{sv}", *options())
    world.settle()
    world.end_clients("tt60")


run(test, kind="fault")
