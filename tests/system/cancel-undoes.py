"""A job that is cancelled while it moves the data takes everything back; a second request meanwhile is told of it."""

from bus import NAME, options
from harness import check, equal, refused, run


def test(world):
    before = world.content("tt60", "orders")
    world.expect("upgrade-job: Step export failed: The job was cancelled", "Job .* cancelled")
    gate = world.gate("tt60", "ttMigrate -c at=50")
    world.start_clients(6)
    world.settle()
    number = world.upgrade()
    gate.wait()
    equal(world.upgrade(), number, "the job of an identical request while it runs")
    refused(lambda: world.upgrade(values={"parallel": ("u", 1)}), "Busy", str(number))
    path = world.bus.manager("GetJob", "t", number)[0]
    world.bus.call(path, f"{NAME}.Job", "Cancel", "a{sv}", *options())
    job = world.must_end(number, "cancelled")
    equal(job["Error"][0].rsplit(".", 1)[-1], "Cancelled", "the error of the job")
    world.must_serve("tt60")
    world.settle()
    world.end_clients("tt60")
    equal(world.content("tt60", "orders"), before, "the database of 6.0")
    check(world.unit("timesten@tt70.service") == "inactive", "the new daemon still runs")
    refused(lambda: world.bus.call(path, f"{NAME}.Job", "Cancel", "a{sv}", *options()), "TooLate")


run(test)
