"""A worker killed at any call of an upgrade in place, and of its undo, goes on to the same end: one release has the files."""

import os

from crashworld import DATABASE, LONG, RELEASES, CrashWorld, run
from scenario import SCENARIOS, begin
from sweep import chosen, count_points, line_of, steps_of, sweep
from world import store

RELEASES["tt70"] = "6.0.11"
# What only this way has; every other step is met in those of the method offline, and by --long.
SAMPLE = {"in-place": "prepare-new let-go take-over settle commit retire-old", "in-place-undo": "take-over let-go prepare-new"}
WAYS = os.environ.get("TU_SCENARIOS", " ".join(SAMPLE)).split()


class InPlaceCrashWorld(CrashWorld):
    # Which release would load the database of itself.
    MORE = r"""
for home in /opt/TimesTen/*; do sed -n "/inUse/!s|^policy=|- policy ${home##*/} |p" $home/info/DBIstores; done
"""

    def store_path(self, instance, database):
        return store(instance.replace("tt70", "tt60"), database)

    def create_databases(self, instance=None):
        super().create_databases()
        self.each(lambda lane: self.utility(lane.old, "ttAdmin", "-ramPolicy", "manual", "-ramLoad", DATABASE))


def rows_of(name, points):
    rows = chosen(points, 1)
    if LONG or os.environ.get("TU_POINTS"):
        return rows
    steps = steps_of(points)
    return [row for row in rows if steps.get(line_of(row[0])) in SAMPLE[name].split()]


def test(world):
    tallies = []
    for name in WAYS:
        scenario = SCENARIOS[name]
        begin(world, scenario.beginning)
        tallies.append(sweep(world, scenario, rows_of(name, count_points(world, scenario))))
    for tally in tallies:
        tally.check()


run(test, machine=InPlaceCrashWorld)
