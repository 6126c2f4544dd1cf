"""A worker killed at any call of an upgrade by replication, of its undo, of the way back (asked for, or because nobody has confirmed
in time) and of the confirmation goes on to the same end."""

import os

from crashworld import LONG, run
from onlineworld import OnlineCrashWorld
from scenario import SCENARIOS, begin
from sweep import chosen, count_points, line_of, steps_of, sweep

# What only these ways have; every other step is met in those of the method offline, and by --long.
SAMPLE = {"online": "replicate copy destroy-copy join catch-up drain-replication commit", "online-undo": "copy replicate",
          "online-rollback": "start-agents drain-replication end-replication", "confirm": "", "revert": ""}
WAYS = os.environ.get("TU_SCENARIOS", " ".join(SAMPLE) if LONG else "online online-rollback").split()


def rows_of(name, points):
    rows = chosen(points, 1)
    if LONG or os.environ.get("TU_POINTS"):
        return rows
    steps = steps_of(points)
    return [row for row in rows if steps.get(line_of(row[0])) in SAMPLE[name].split() and not row[2].startswith("rename")]


def test(world):
    tallies = []
    for name in WAYS:
        scenario = SCENARIOS[name]
        begin(world, scenario.beginning)
        tallies.append(sweep(world, scenario, rows_of(name, count_points(world, scenario))))
    for tally in tallies:
        tally.check()


run(test, machine=OnlineCrashWorld)
