"""Twelve clients write while the server behind their port goes from 6.0 to 7.0: none is refused, no row is lost."""

import re

from harness import check, equal, run


def must_not_hold_for(world, number):
    """What need not be waited for is done when the port is open again."""
    lines = [line["MESSAGE"] for line in world.journal()]

    def place(pattern, since=0):
        return next(i for i, line in enumerate(lines) if i >= since and re.match(pattern, line))
    held = place("Server main: hold after open")
    committed = place("From now on instance tt70 backs", held)
    check(place("Server main: open after hold", committed) < place("Reload", committed), "systemd reloaded before the port was open")
    short = [line for line in lines[held:committed] if re.match(rf"Starting timesten-util-{number}-tt", line)]
    equal(short, [], "units of short utilities that were made while the port was held")


def test(world):
    before = world.content("tt60", "orders")
    world.start_clients(10)
    # Two that never reconnect by themselves: an upgrade cuts each of them once, as the guide says.
    world.start_clients(2, reconnect_every=0)
    world.settle()
    number = world.upgrade()
    job = world.must_end(number, "done")
    must_not_hold_for(world, number)
    equal(job["Progress"], 1.0, "the progress at the end")
    world.settle()
    report = world.end_clients("tt70")
    equal(report.cut, 2, "sessions that were cut")
    check(report.written > 0, "the clients wrote nothing")
    equal(world.content("tt70", "orders"), before, "count and checksum of the rows written before")
    world.must_serve("tt70")


run(test, server_lines=["DrainSec=3"])
