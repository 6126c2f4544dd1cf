"""An export or import that fails, is cut short, damaged, killed, hangs or loses rows is found out, and 6.0 serves on."""

from harness import HOMES, check, equal, run
from undo import must_undo

LIMIT = {"outage-limit-usec": ("t", 15_000_000)}
CASES = [
    # name · instance · what its ttMigrate does · options of Upgrade · error · words that its message must hold
    ("export partial", "tt60", "ttMigrate -c partial", {}, "UtilityFailed", ["ttMigrate -c", "tt60", "orders", "status 1", "export-orders.out"]),
    ("export killed", "tt60", "ttMigrate -c crash at=50", {}, "UtilityFailed", ["ttMigrate -c", "tt60", "orders"]),
    ("export file damaged", "tt60", "ttMigrate -c corrupt", {}, "UtilityFailed", ["ttMigrate -r", "tt70", "orders", "import-orders.out"]),
    ("export file cut short", "tt60", "ttMigrate -c truncate", {}, "UtilityFailed", ["ttMigrate -r", "tt70", "orders"]),
    ("import partial", "tt70", "ttMigrate -r partial", {}, "UtilityFailed", ["ttMigrate -r", "tt70", "orders", "status 1", "import-orders.out"]),
    ("import fails in its middle", "tt70", "ttMigrate -r exit=1 at=50", {}, "UtilityFailed", ["ttMigrate -r", "tt70", "orders", "Restoring"]),
    ("import fails at once", "tt70", "ttMigrate -r exit=2", {}, "UtilityFailed", ["ttMigrate -r", "tt70", "orders", "printed nothing"]),
    ("import hangs", "tt70", "ttMigrate -r hang at=30", LIMIT, "DeadlinePassed", ["ttMigrate -r", "tt70", "orders", "Restoring", "OutageLimitSec="]),
    ("import rows differ", "tt70", "ttMigrate -r lose=3", {}, "UtilityFailed", ["orders", "ITEMS", "5000", "4997", "old database is untouched"]),
]


def test(world):
    before = world.content("tt60", "orders")
    world.expect(r"upgrade-job: (Step (export|import|verify) failed|Check outage-limit|Job \d+ finished: failed)",
                 r"timesten-upgraded: Job .* failed",
                 r"systemd: timesten-util-\d+-(export|import)-orders.service: (State 'stop-sigterm'|Killing|Main process|Failed with)",
                 r"systemd: Failed to start timesten-util-\d+-(export|import)-orders")
    world.start_clients(12)
    world.settle()
    for what, instance, fault, values, error, words in CASES:
        world.faults(instance, fault)
        job = must_undo(world, what, error, words, values)
        world.faults(instance)
        # What failed may take its time to die and to be removed: clients are served before that.
        order = [step for _, event, step, _ in world.record(job["Id"]) if event == "undone"]
        check(order.index("hold") < order.index("export"), f"{what}: the port opened only after the exports were gone: {order}")
    world.end_clients("tt60")
    equal(world.content("tt60", "orders"), before, "the database of 6.0")
    fired = world.read(f"{HOMES['tt60']}/.standin/fired") + world.read(f"{HOMES['tt70']}/.standin/fired")
    equal([what for what, _, fault, *_ in CASES if fault not in fired], [], "faults that nothing met")
    world.must_end(world.upgrade(), "done")
    equal(world.content("tt70", "orders"), before, "the rows after a later, good upgrade")


run(test, kind="fault")
