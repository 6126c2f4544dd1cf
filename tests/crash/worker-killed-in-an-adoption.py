"""A worker killed at every step of an adoption, and of its undo, brings it to its end: the server's process stays the same, no
client is refused or cut, and what is undone leaves nothing. So does a cancel, and a power cut."""

from crashworld import CRASH, LONG, OneLane, Tally, check, equal, run, wait_until
from unmanaged import PORT, Unmanaged

STEPS = ("check", "declare", "share-port", "move-server", "enable")
UNDONE = ("share-port", "move-server", "declare")
# What keeps the last step from its end: a file where systemd wants to make a link.
OBSTACLE = "/etc/systemd/system/sockets.target.wants/timesten-server@main.socket"


class AdoptWorld(OneLane, Unmanaged):
    def __enter__(self):
        super().__enter__()
        self.expect("systemd: timesten-server@main", "port-keeper: ")
        return self


def look(world):
    """Everything that an adoption may leave."""
    return world.shell("cd /etc/timesten-upgrade && find . ; find /run/timesten-upgrade/adopted /run/timesten-upgrade/listen "
                       "/run/timesten-upgrade/control ! -type d 2>/dev/null; systemctl list-units --plain --no-legend "
                       "'timesten-server@*' | sed 's/ .*//'; cat /opt/TimesTen/tt60/info/ttendaemon.options", check=False).out


def adopt(world, point, when, result):
    """One adoption whose worker dies at POINT; the number of its job."""
    lane = world.lane
    known = set(world.jobs_on_disk())
    world.shell(f"rm -rf {CRASH}/main")
    if point:
        lane.arm(match=point, when=when)
    asked = world.popen("ttctl", "adopt", "main", "--instance=tt60", "--no-wait")
    lane.number = wait_until(lambda: lane.find_job(known), 60, "a job on the disk")
    equal(lane.wait_record(120), result, f"the result of an adoption whose worker dies {when} {point!r}")
    asked.wait()
    if point:
        equal(len(lane.shots()), 1, f"deaths {when} {point!r}")
    return lane.number


def undone(world, points, server, before, tally):
    world.write(OBSTACLE, "")
    for point, when in points:
        adopt(world, point, when, "failed")
        wait_until(lambda: look(world) == before, 20, f"nothing to be left after {point!r}: {look(world)}")
        equal(world.servers("tt60"), [server], f"the server's process after {point!r}")
        equal(world.listeners()[PORT], {"ttcserver"}, f"who listens after {point!r}")
        world.settle()
        tally.add("failed")
    world.run("rm", OBSTACLE)


def cancel(world, server, before, tally, reach, go_on):
    known = set(world.jobs_on_disk())
    asked = world.popen("ttctl", "adopt", "main", "--instance=tt60", "--no-wait")
    reach()
    number = world.lane.number = world.lane.find_job(known)
    world.run("ttctl", "cancel", number)
    go_on()
    asked.wait()
    equal(world.lane.wait_record(60), "cancelled", "the result of a cancelled adoption")
    wait_until(lambda: look(world) == before, 20, f"nothing to be left of a cancelled adoption: {look(world)}")
    equal(world.servers("tt60"), [server], "the server's process after a cancel")
    tally.add("cancelled")


def cancelled(world, server, before, tally):
    """In the middle of the look at who has the port, and when nothing but the last step is left."""
    gate = world.gate("tt60", "ttStatus")
    cancel(world, server, before, tally, gate.wait, gate.open)
    world.faults("tt60")
    world.shell(f"rm -rf {CRASH}/main")
    world.lane.arm(match="record end move-server", when="before", action="stop")
    cancel(world, server, before, tally, lambda: wait_until(world.lane.shots, 60, "the worker to stop"), world.go_on)


def cut(world, tally):
    """The host goes when the socket is shared and the file written; the next boot takes it back."""
    known = set(world.jobs_on_disk())
    world.shell(f"rm -rf {CRASH}/main")
    world.lane.arm(match="record end move-server", when="before", action="stop")
    asked = world.popen("ttctl", "adopt", "main", "--instance=tt60", "--no-wait")
    wait_until(lambda: world.lane.shots(), 60, "the worker to stop before its last step")
    world.stop_clients_abruptly()
    world.cut_power()
    asked.wait()
    world.boot()
    world.lane.number = world.lane.find_job(known)
    equal(world.lane.wait_record(120), "failed", "the result of an adoption that a power cut met")
    check("main" not in world.shell("ls /etc/timesten-upgrade/servers.d").out, "the configuration is left after a power cut")
    equal(world.server_port(), PORT, "the port in the option file after a power cut")
    world.systemctl("start", "timesten@tt60.service")
    wait_until(lambda: world.listeners().get(PORT) == {"ttcserver"}, 30, "the server at its own port again")
    tally.add("failed")


def test(world):
    tally = Tally()
    content = world.content("tt60", "orders")
    [server], before = world.servers("tt60"), look(world)
    world.start_clients(3)
    world.start_clients(1, reconnect_every=0)
    world.settle()
    points = [(f"record begin {step}", "after") for step in STEPS[1:]] + [(f"record end {step}", "before") for step in STEPS[1:4]]
    points += [(f"record undo {step}", "after") for step in UNDONE] + [(f"record undone {step}", "before") for step in UNDONE]
    undone(world, points if LONG else points[::2], server, before, tally)
    cancelled(world, server, before, tally)
    report = world.stop_clients()
    equal(world.lost("tt60", report), [], "rows that were acknowledged and are lost")
    equal(report.troubles(), 0, "connects or statements that failed while it was adopted and undone")
    equal(report.cut, 0, "sessions that were cut")
    world.start_clients(2)
    world.settle()
    cut(world, tally)
    [server] = world.servers("tt60")
    world.start_clients(2)
    world.start_clients(1, reconnect_every=0)
    world.settle()
    # Done, but not yet written down: the next worker sees that it is.
    adopt(world, "record end share-port", "before", "done")
    tally.add("done")
    equal(world.servers("tt60"), [server], "the server's process")
    equal(world.keeper("guest"), int(server), "the process that the keeper knows to accept")
    world.settle()
    report = world.stop_clients()
    equal(report.troubles() + report.cut, 0, "connects, statements or sessions that failed")
    equal(world.content("tt60", "orders"), content, "the rows that were there before")
    tally.say("adoptions", ends={"done": "done", "failed": "undone", "cancelled": "cancelled"})


run(test, machine=AdoptWorld, rows=300)
