"""An import that ends 1, ends 2 or hangs past its limit leaves 6.0 serving on the same port, and says why."""

from harness import HOMES, check, equal, run, store

CASES = [
    # what ttMigrate -r does · options of Upgrade · error · words that its message must hold
    ("ttMigrate -r exit=1 at=50", {}, "UtilityFailed", ["ttMigrate", "orders"]),
    ("ttMigrate -r exit=2", {}, "UtilityFailed", ["ttMigrate", "orders"]),
    ("ttMigrate -r hang at=30", {"outage-limit-usec": ("t", 8_000_000)}, "DeadlinePassed", ["orders"]),
]


def test(world):
    before = world.content("tt60", "orders")
    world.expect("error|fail|Failed|tim(ed|eout)|undo")
    world.start_clients(12)
    world.settle()
    for fault, values, error, words in CASES:
        world.faults("tt70", fault)
        job = world.must_end(world.upgrade(values=values), "failed")
        name, message = job["Error"]
        equal(name.rsplit(".", 1)[-1], error, f"the error of a job whose import does {fault!r}")
        for word in words:
            check(word in message, f"the message does not name {word}: {message}")
        check(len(message) > 60, f"the message tells no remedy: {message}")
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
