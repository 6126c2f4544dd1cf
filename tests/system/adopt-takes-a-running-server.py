"""A TimesTen Server that runs at its own port is adopted under its clients: nobody is refused or cut, and it is the same process
as before. Then it is upgraded: nobody is refused, and every row is there. After a reboot the port is systemd's."""

from harness import PORT, check, equal, run, wait_until
from unmanaged import Unmanaged

KEEPER = "timesten-server@main.service"


def test(world):
    before = world.content("tt60", "orders")
    [server] = world.servers("tt60")
    world.start_clients(6)
    world.start_clients(2, reconnect_every=0)
    world.settle()
    told = world.adopt()
    check("main is managed now" in told.out, f"ttctl said: {told}")
    equal(world.servers("tt60"), [server], "the process of the server")
    equal(world.keeper("guest"), int(server), "the process that the keeper knows to accept")
    world.settle()
    report = world.stop_clients()
    equal(world.lost("tt60", report), [], "rows that were acknowledged and are lost")
    equal(report.troubles(), 0, "connects or statements that failed while it was adopted")
    equal(report.cut, 0, "sessions that were cut by the adoption")
    world.must_serve("tt60")

    world.start_clients(6)
    world.start_clients(2, reconnect_every=0)
    world.settle()
    world.must_end(world.upgrade(), "done")
    world.settle()
    report = world.stop_clients()
    equal(world.lost("tt70", report), [], "rows that were acknowledged and are lost")
    equal(report.troubles(), 0, "connects or statements that failed during the upgrade")
    equal(world.content("tt70", "orders"), before, "count and checksum of the rows written before")
    world.must_serve("tt70")

    world.reboot()
    wait_until(lambda: world.listeners().get(PORT) == {"systemd"}, 30, "the port to be systemd's alone")
    world.must_serve("tt70")


run(test, machine=Unmanaged, rows=2000)
