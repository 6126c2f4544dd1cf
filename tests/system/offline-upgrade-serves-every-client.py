"""Twelve clients write and reconnect while the server behind their port goes from 6.0 to 7.0."""

from harness import check, equal, run


def test(world):
    before = world.content("tt60", "orders")
    world.start_clients(12)
    world.settle()
    job = world.must_end(world.upgrade(), "done")
    equal(job["Progress"], 1.0, "the progress at the end")
    world.settle()
    report = world.stop_clients()
    equal(world.lost("tt70", report), [], "rows that were acknowledged and are lost")
    equal(report.troubles(), 0, "connects or statements that failed")
    check(report.written > 0, "the clients wrote nothing")
    equal(world.content("tt70", "orders"), before, "count and checksum of the rows written before")
    world.must_serve("tt70")


run(test)
