"""Twelve clients write while the server behind their port goes from 6.0 to 7.0: none is refused, no row is lost."""

from harness import check, equal, run


def test(world):
    before = world.content("tt60", "orders")
    world.start_clients(10)
    # Two that never reconnect by themselves: an upgrade cuts each of them once, as the guide says.
    world.start_clients(2, reconnect_every=0)
    world.settle()
    job = world.must_end(world.upgrade(), "done")
    equal(job["Progress"], 1.0, "the progress at the end")
    world.settle()
    report = world.end_clients("tt70")
    equal(report.cut, 2, "sessions that were cut")
    check(report.written > 0, "the clients wrote nothing")
    equal(world.content("tt70", "orders"), before, "count and checksum of the rows written before")
    world.must_serve("tt70")


run(test, server_lines=["DrainSec=3"])
