"""Twelve clients write while the server behind their port goes from 6.0 to 7.0: none is refused, no row is lost."""

import re

from harness import HOMES, check, equal, run


def must_not_hold_for(world, number):
    """What need not be waited for is done before the port is held, or when it is open again."""
    held, opened = world.held_span(number)
    # By the sender's time: the journal has the lines of several senders in the order in which it came to read them.
    told = [line["MESSAGE"] for line in world.journal()
            if held < int(line.get("_SOURCE_REALTIME_TIMESTAMP", line["__REALTIME_TIMESTAMP"])) / 1e6 < opened]
    check(any(line.startswith("Step import") for line in told), "the journal does not tell of the time in which the port was held")
    waited_for = rf"Reload|Starting timesten-util-{number}-tt|ttDaemonAdmin_-startserver of instance tt70"
    equal([line for line in told if re.match(waited_for, line)], [], "what clients waited for without need")


def test(world):
    # As a new instance may be: no server starts with its daemon.
    world.shell(f"sed -i '/^-server /d' {HOMES['tt70']}/info/ttendaemon.options")
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
