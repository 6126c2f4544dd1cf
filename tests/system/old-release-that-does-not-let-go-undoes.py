"""An old server that does not stop, and applications that stay connected, end in the undo while the port waits."""

import signal

from harness import ADMIN, HOMES, check, equal, run
from undo import must_undo
from world import end_inside

LIMIT = {"hold-limit-usec": ("t", 40_000_000)}


def server_does_not_stop(world):
    """The first order to stop is answered with a lie, the second one with an error; the server runs on."""
    world.faults("tt60", "ttDaemonAdmin -stopserver exit=0 count=1",
                 'ttDaemonAdmin -stopserver exit=1 output="ttDaemonAdmin: the server is busy" count=1')
    pid, = world.servers("tt60")
    job = must_undo(world, "the old server does not stop", "UtilityFailed", ["tt60", "does not stop", pid, "is busy", "stopserver"],
                    LIMIT)
    equal(world.servers("tt60"), [pid], "the old server's process")
    check(job["HeldUSec"] < 40_000_000, f"the port was held until connects had to be refused: {job['HeldUSec']} µs")


def somebody_stays(world, gate, number):
    """Connected directly, past the port, after the checks have looked."""
    gate.wait()
    person = world.popen("setpriv", f"--reuid={ADMIN}", f"--regid={ADMIN}", "--clear-groups", "ttclient", "--direct",
                         HOMES["tt60"], "--dsn", "orders", "--hold", "600")
    check("connected" in person.stdout.readline(), "the direct connection")
    gate.open()
    world.must_end(number, "failed")
    end_inside(person, signal.SIGKILL)
    person.wait()


def connection_stays(world, what, instance, command):
    gate = world.gate(instance, command)
    must_undo(world, what, "NotPossible", ["orders", "do not leave", "pid", "End them"],
              during=lambda number: somebody_stays(world, gate, number))
    world.faults(instance)


def test(world):
    before = world.content("tt60", "orders")
    world.expect(r"upgrade-job: (Step (stop-old-server|quiesce|verify) failed|Job \d+ finished: failed)",
                 r"timesten-upgraded: Job .* failed")
    world.start_clients(6)
    # One that never leaves by itself is no fault: the old server ends its session.
    world.start_clients(1, reconnect_every=0)
    world.settle()
    server_does_not_stop(world)
    connection_stays(world, "a connection does not leave", "tt60", "ttDaemonAdmin -stopserver")
    connection_stays(world, "a connection comes in the import", "tt70", "ttMigrate -r")
    world.end_clients("tt60")
    equal(world.content("tt60", "orders"), before, "the database of 6.0")
    world.must_end(world.upgrade(), "done")
    equal(world.content("tt70", "orders"), before, "the rows after a later, good upgrade")


run(test, kind="fault", server_lines=["DrainSec=1"])
