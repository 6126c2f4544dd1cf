"""Going back is refused with what would be lost, by table; then 6.0 serves with the rows of the switch, none refused."""

import re

from harness import check, equal, options, refused, run, say


def rollback(world, values=None):
    return world.bus.server("main", "Rollback", "a{sv}", *options(values), timeout=60)[0]


def written(world, instance):
    """The rows of the clients' table."""
    return set(world.sql(instance, "orders", "select ID, SEQ from written;"))


def test(world):
    world.expect(r"upgrade-job: Check (data-loss|irreversible|old-daemon-reachable)", r"upgrade-job: Step check failed: (data-loss|target-database-absent)",
                 r"upgrade-job: Job \d+ finished: failed", r"systemd: Failed to start timesten-job@",
                 r"systemd: timesten-job@\d+.service: Failed with result")
    before = world.content("tt60", "orders")
    refused(lambda: rollback(world), "NotPossible", "no instance before tt60")
    world.start_clients(4)
    world.settle()
    world.must_end(world.upgrade(), "done")
    world.settle()
    first = world.stop_clients()
    equal(first.troubles(), 0, "connects or statements that failed during the upgrade")
    at_switch = written(world, "tt60")

    world.start_clients(6)
    world.settle()
    least = written(world, "tt70")
    message = refused(lambda: rollback(world), "ChecksFailed", "data-loss", "allow-data-loss", "ITEMS has 5000 rows now and 5000")
    told = re.search(r"WRITTEN has (\d+) rows now and (\d+) after", message)
    check(told, f"the rows of the clients' table are not told: {message}")
    equal(int(told[2]), len(at_switch), "rows after the rollback, as told")
    check(len(at_switch) < len(least) <= int(told[1]) <= len(written(world, "tt70")), f"rows now, as told: {message}")
    say(f"  refused: {message}")
    world.must_serve("tt70")

    shown = world.run("ttctl", "rollback", "main", "--dry-run", "--json=short", check=False)
    equal(shown.status, 15, f"ttctl rollback --dry-run: {shown}")
    check('"data-loss"' in shown.out, f"ttctl rollback --dry-run does not tell: {shown}")
    done = world.run("ttctl", "rollback", "main", "--allow-data-loss", check=False, timeout=120)
    equal(done.status, 0, f"ttctl rollback: {done}")
    check("tt60 serves main again" in done.out, f"what ttctl said: {done.out}")
    say("  " + done.out.strip().replace("\n", "\n  "))
    world.settle()
    report = world.stop_clients()
    say(f"  {report}")
    equal(report.troubles(), 0, "connects or statements that failed during the rollback")
    world.must_serve("tt60")
    equal(world.content("tt60", "orders"), before, "count and checksum of the rows written before")
    now = written(world, "tt60")
    check(at_switch <= now, f"{len(at_switch - now)} rows of the time of the switch are lost")
    check(len(now) > len(at_switch), "nothing was written after the rollback")
    equal(world.bus.properties("Server", "main")["PreviousInstance"], "tt70", "the instance before")
    check("ttcserver" not in str(world.listeners().get(27002, "")), "7.0's server still listens")

    # What was left there is in the way of another upgrade until it is cleaned away.
    refused(world.upgrade, "ChecksFailed", "target-database-absent", "ttctl clean main --databases=orders")
    world.must_serve("tt60")
    world.run("ttctl", "clean", "main", "--databases=orders", timeout=120)
    world.must_end(world.upgrade(), "done")
    world.must_serve("tt70")
    equal(written(world, "tt70"), now, "the rows after the second upgrade")

    # A release that died is a reason to go back.
    world.systemctl("stop", "timesten@tt70.service")
    world.must_end(rollback(world, {"allow-data-loss": ("b", "true")}), "done")
    world.must_serve("tt60")
    equal(world.content("tt60", "orders"), before, "count and checksum after the second rollback")


run(test, server_lines=["DrainSec=2"])
