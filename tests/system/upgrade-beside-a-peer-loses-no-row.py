"""The host without clients goes to 7.0 while twelve clients write to the other one; the network between them is cut in each phase
that needs it. Nobody is refused, and both databases have every row, once."""

from bus import options
from harness import equal, refused, run, say, wait_until
from pair import Pair

COUNT = "select count(*) from written;"


def refusals(pair):
    """What must be right before anything is touched."""
    one, two = pair.db1, pair.db2

    def ask(world, peer, **more):
        return world.bus.server("main", "Upgrade", "sa{sv}", "tt70", *options({"peer": ("s", peer)} | more))
    for wrong in ("", "a b", "db1:0", "db1:99999", "db1;UID=x"):
        refused(lambda wrong=wrong: ask(two, wrong), "InvalidOption", "peer")
    refused(lambda: ask(two, "db1", method=("s", "offline")), "InvalidOption", "offline")
    two.expect(r"upgrade-job: Step check failed: ", r"timesten-job@\d+\.service: Failed with", r"Failed to start timesten-job@\d+")
    pair.set_state(one, "tt60", "stop")
    refused(lambda: ask(two, "db1"), "ChecksFailed", "peer-answers", "state stop", "-duplicate")
    pair.set_state(one, "tt60", "start")
    pair.arrived(one)
    refused(lambda: ask(two, "db9"), "ChecksFailed", "peer-link", "replicates to host db1, not to db9")
    one.start_clients(12)
    one.settle()
    one.expect(r"upgrade-job: Step check failed: peer-role", r"timesten-job@\d+\.service: Failed with",
               r"Failed to start timesten-job@\d+")
    refused(lambda: ask(one, "db2"), "ChecksFailed", "peer-role", "active host")


def begin(pair, gate):
    """A job on db2 that has come to GATE, and the network cut there."""
    number = pair.db2.upgrade(values={"peer": ("s", "db1")})
    gate.wait()
    pair.cut(silently=True)
    return number


def waits(pair, number, step):
    """The job is in STEP, asks again and again, and stays there because of the network."""
    world = pair.db2
    world.wait_step(number, step, timeout=120)

    def asked():
        return len(world.utility_spans(f"-util-{number}-"))
    begun, before = len(world.record(number)), asked()
    wait_until(lambda: asked() >= before + 4, 120, f"{step} to ask again", 0.5)
    pair.db1.settle()
    equal((world.job(number)["Step"], len(world.record(number))), (step, begun), "what the job does without a network")
    say(f"  {step} waits for the network")


def undone(pair):
    """Rows of db2 that cannot get to the peer: the job can still go back, and they get there later."""
    two = pair.db2
    gate = two.gate("tt60", "ttDaemonAdmin -stopserver")
    number = begin(pair, gate)
    two.sql("tt60", "orders", "insert into items values (1000001, 'only here', 1);")
    two.faults("tt60")
    gate.open()
    waits(pair, number, "send-rest")
    two.expect(r"upgrade-job: Step send-rest failed", r"port-keeper: ", r"upgrade-job: .*(goes back|ignoring)",
               r"timesten-util-\d+-tt60-ttIsql.*: (Main process exited|Failed with)")
    two.bus.job(number, "Cancel", "a{sv}", *options())
    two.must_end(number, "cancelled")
    two.must_serve("tt60")
    pair.mend()
    pair.shows(pair.db1, "tt60", "select name from items where id = 1000001;", ["only here"])
    pair.arrived(pair.db1)


def done(pair):
    two = pair.db2
    gate = two.gate("tt60", "ttDaemonAdmin -stopserver")
    number = begin(pair, gate)
    two.sql("tt60", "orders", "insert into items values (1000002, 'sent at last', 2);")
    gate.open()
    for place, step in (("ttIsqlCS", "send-rest"), ("ttRepAdmin -receiver -reset", "ask-peer"),
                        (None, "catch-up")):
        gate = two.gate("tt70", place) if place else None
        waits(pair, number, step)
        if gate:
            pair.mend()
            gate.wait(timeout=120)
            pair.cut(silently=False)
            gate.open()
    equal(two.sql("tt70", "orders", "select name from items where id = 1000002;"), ["sent at last"], "the row of db2")
    pair.mend()
    two.must_end(number, "done")
    two.must_serve("tt70")


def test(pair):
    one, two = pair.db1, pair.db2
    pair.replicate()
    refusals(pair)
    undone(pair)
    done(pair)
    report = one.end_clients("tt60")
    equal(report.cut, 0, "sessions that were cut")
    pair.arrived(one)
    equal(len(two.lost("tt70", report)), 0, "rows that db1 has acknowledged and db2 does not have")
    equal(two.sql("tt70", "orders", COUNT), one.sql("tt60", "orders", COUNT), "rows on both hosts, none twice")
    # The way back works, too.
    two.sql("tt70", "orders", "insert into items values (1000003, 'from 7.0', 3);")
    pair.shows(one, "tt60", "select name from items where id = 1000003;", ["from 7.0"])


run(test, Pair, rows=200, server_lines=["ReplicationDelaySec=1", "DrainSec=1"])
