"""After real work daemon and keeper end when they are told to, with 0. Under the leak sanitizer that means: nothing leaked.

`./check sanitize-system` runs it with the package that has the sanitizers in it.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

from harness import check, equal, options, refused, run, wait_until  # noqa: E402

UNITS = ["timesten-server@main.service", "timesten-upgraded.service"]


def test(world):
    world.expect("upgrade-job: (Check|Step|Job)", "timesten-upgraded: Job", "systemd: (Failed to start )?timesten-job@")
    world.start_clients(6, reconnect_every=5)
    world.settle()
    for _ in range(3):
        world.bus.server("main", "Hold", "ta{sv}", 30_000_000, 0)
        wait_until(lambda: world.bus.properties("Server", "main")["Held"] > 0, 30, "a client to wait")
        world.bus.server("main", "Resume", "a{sv}", 0)
        world.settle()
    refused(lambda: world.bus.server("main", "Rollback", "a{sv}", 0), "NotPossible")
    refused(lambda: world.upgrade(values={"sideways": ("b", "true")}), "InvalidOption")
    world.bus.server("main", "Check", "sa{sv}", "tt70", 0)
    world.bus.server("main", "Plan", "sa{sv}", "tt70", 0)
    number = world.upgrade()
    world.wait_step(number, "export")
    world.bus.job(number, "Cancel", "a{sv}", 0)
    world.must_end(number, "cancelled")
    world.must_end(world.upgrade(), "done")
    world.settle()
    refused(lambda: world.bus.server("main", "Rollback", "a{sv}", 0, timeout=60), "ChecksFailed")
    values = options({"allow-data-loss": ("b", "true")})
    world.must_end(world.bus.server("main", "Rollback", "a{sv}", *values, timeout=60)[0], "done")
    world.bus.manager("Reload")
    for words in (["status"], ["jobs"], ["status", "--json=short"], ["job", number]):
        world.run("ttctl", *words)
    # In the middle of their sessions.
    for unit in reversed(UNITS):
        check(world.unit(unit, "MainPID") != "0", f"{unit} does not run")
        world.systemctl("stop", unit)
        equal((world.unit(unit, "Result"), world.unit(unit, "ExecMainStatus")), ("success", "0"), f"how {unit} ended")
    world.settle()
    report = world.stop_clients()
    equal((report.refused, report.stuck), (0, 0), "connects that were refused, or never answered")


run(test, server_lines=["DrainSec=1"])
