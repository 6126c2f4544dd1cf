"""Three databases behind one server are exported and imported side by side, and all arrive."""

import re

from harness import SLOW, check, equal, run, say

DATABASES = ("orders", "stock", "people")


def test(world):
    before = {database: world.content("tt60", database) for database in DATABASES}
    for instance in ("tt60", "tt70"):
        world.tune(instance, SLOW)
    for database in DATABASES:
        world.start_clients(3, database=database)
    world.settle()
    number = world.upgrade(values={"parallel": ("u", 3)})
    world.must_end(number, "done")
    world.settle()
    report = world.stop_clients()
    equal(world.lost("tt70", report), [], "lost rows")
    equal(report.troubles(), 0, "connects or statements that failed")
    for database in DATABASES:
        equal(world.content("tt70", database), before[database], f"the rows of {database}")
    spans = world.utility_spans(r"(export|import)")
    for verb in ("export", "import"):
        own = [span for unit, span in spans.items() if verb in unit]
        check(len(own) == 3, f"wanted three units that {verb}, got {sorted(spans)}")
        overlap = min(end for _, end in own) - max(begin for begin, _ in own)
        say(f"  {verb}: all three at the same time for {overlap:.2f} s")
        check(overlap > 0, f"the three {verb}s did not run side by side: {own}")


run(test, databases=DATABASES)
