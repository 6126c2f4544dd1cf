"""A worker killed just before or just after any call it makes is started again and brings the upgrade to its end."""

from crashworld import CrashWorld, run
from scenario import SCENARIOS, begin
from sweep import chosen, count_points, sweep


def test(world):
    scenario = SCENARIOS["upgrade"]
    begin(world, scenario.beginning)
    # Rule 3: a worker that was killed continues, wherever that was.
    sweep(world, scenario, chosen(count_points(world, scenario), 1)).check()


run(test, machine=CrashWorld)
