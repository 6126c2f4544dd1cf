"""An import that ends 1, ends 2 or hangs past its limit leaves 6.0 serving on the same port, and says why."""

import re

from harness import check, equal, run, say, store

CASES = [
    # what ttMigrate -r does · options of Upgrade · error · words that its message must hold
    ("ttMigrate -r exit=1 at=50", {}, "UtilityFailed", ["ttMigrate", "orders"]),
    ("ttMigrate -r exit=2", {}, "UtilityFailed", ["ttMigrate", "orders"]),
    ("ttMigrate -r hang at=30", {"outage-limit-usec": ("t", 15_000_000)}, "DeadlinePassed", ["orders"]),
]


def test(world):
    before = world.content("tt60", "orders")
    world.expect("upgrade-job: (Step import failed|Check outage-limit|Job \\d+ finished: failed)", "timesten-upgraded: Job .* failed",
                 r"systemd: timesten-util-3-import-orders.service: (State 'stop-sigterm'|Killing|Main process|Failed with)")
    # A limit that has to pass for sure only in the import is longer than some clients would wait.
    world.start_clients(12, patience=60)
    world.settle()
    for fault, values, error, words in CASES:
        world.faults("tt70", fault)
        job = world.must_end(world.upgrade(values=values), "failed")
        name, message = job["Error"]
        equal(name.rsplit(".", 1)[-1], error, f"the error of a job whose import does {fault!r}")
        for word in words:
            check(word in message, f"the message does not name {word}: {message}")
        say(f"  {fault}: {message}")
        check(re.search(r"[.:;,] (See|Raise|Look|Correct|Free|Repair|Start|Try)\b", message), f"no remedy: {message}")
        check("printed" in message or "Restoring" in message, f"the message does not tell what was printed: {message}")
        if "hang" in fault:
            # What hangs takes its time to die: clients are served before that.
            order = [step for _, event, step, _ in world.record(job["Id"]) if event == "undone"]
            check(order.index("hold") < order.index("import"), f"the port opened only after the import was gone: {order}")
        world.must_serve("tt60")
        world.settle()
        left = world.shell(f"ls {store('tt70', 'orders')}.ds0 2>/dev/null", check=False).out
        equal(left, "", "a half restored database of the new release")
        check(world.unit("timesten@tt70.service") in ("inactive", "failed"), "the new daemon still runs")
    report = world.stop_clients()
    equal(world.lost("tt60", report), [], "lost rows")
    equal(report.troubles(), 0, "connects or statements that failed")
    equal(world.content("tt60", "orders"), before, "the database of 6.0")
    world.faults("tt70")
    world.must_end(world.upgrade(), "done")
    equal(world.content("tt70", "orders"), before, "the rows after a later, good upgrade")


run(test)
