"""A worker killed just before or after any call it makes is started again and brings the upgrade to its end."""

from crashworld import CrashWorld, run
from sweep import chosen, events_of, sweep


def test(world):
    world.remember()
    points = world.count_points("done")
    world.reset()
    events = events_of(points)
    commit = next(line for line, event in events.items() if event == ("begin", "commit"))

    def around_commit(point):
        return point[0].startswith(f"{commit}.") and point[2].startswith(("rename", "record"))
    # Rule 3: a worker that was killed continues, wherever that was.
    sweep(world, chosen(points, 20, around_commit), lambda _: None, lambda _: ("done",), "upgrade")


run(test, machine=CrashWorld)
