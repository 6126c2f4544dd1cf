"""A worker killed at any call of the undo still undoes: 6.0 serves, and nothing of the new database is left."""

from crashworld import CrashWorld, run
from sweep import chosen, events_of, sweep

FAULT = "ttMigrate -r exit=1 at=50"


def prepare(world):
    world.faults("tt70", FAULT)


def test(world):
    world.remember()
    prepare(world)
    points = world.count_points("failed")
    world.reset()
    failed = next(line for line, event in events_of(points).items() if event == ("fail", "import"))
    undo = [point for point in points if int(point[0].split(".")[0]) >= failed - 1]
    sweep(world, chosen(undo, 12, lambda point: False), prepare, lambda _: ("failed",), "undo")


run(test, machine=CrashWorld)
