"""The same for every other thing that a worker does: an undo, a cancel, a rollback, a retry, a clean. Each ends as if nobody had died."""

import os

from crashworld import CrashWorld, run
from scenario import SCENARIOS, begin
from sweep import chosen, count_points, sweep

OTHERS = os.environ.get("TU_SCENARIOS", "undo cancel rollback clean retry").split()


def test(world):
    tallies = []
    for name in OTHERS:
        scenario = SCENARIOS[name]
        begin(world, scenario.beginning)
        tallies.append(sweep(world, scenario, chosen(count_points(world, scenario), 1)))
    for tally in tallies:
        tally.check()


run(test, machine=CrashWorld)
