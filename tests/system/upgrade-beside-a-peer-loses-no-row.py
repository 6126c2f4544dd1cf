"""Two hosts go to 7.0, one after the other, while twelve clients write to the one that is not upgraded; the network between them
is cut in each phase that needs it. Nobody is refused, both databases of both hosts have every row, once, and what was switched
on for the time between is off in the end."""

import os
import re

from bus import options
from harness import SOURCE, check, equal, refused, run, say, wait_until
from pair import Pair

LONG = os.environ.get("TU_LONG") == "1"
PHASES = ("send-rest", "ask-peer", "catch-up")  # in which a job needs the network
# Where the next phase can be cut before it is come to.
BEFORE = {"send-rest": ("tt60", "ttDaemonAdmin -stopserver"), "ask-peer": ("tt70", "ttIsqlCS"),
          "catch-up": ("tt70", "ttRepAdmin -receiver -reset")}
DATABASES = ("orders", "stock")
# What is said of a question to a host that says nothing.
SILENCE = (r"timesten-util-\d+-tt60-ttIsql.*: (Main process exited|Failed with|start operation timed out)",
           r"Failed to start timesten-util-\d+-tt60-ttIsql")


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
    start_clients(one)
    one.expect(r"upgrade-job: Step check failed: peer-role", r"timesten-job@\d+\.service: Failed with",
               r"Failed to start timesten-job@\d+")
    refused(lambda: ask(one, "db2"), "ChecksFailed", "peer-role", "active host")


def start_clients(world, release="6.0.8"):
    for database in DATABASES:
        world.start_clients(6, database=database, release=release)
    world.settle()


def command(world):
    """What timesten-two-hosts(7) has for the upgrade of WORLD."""
    page = (SOURCE / "docs/timesten-two-hosts.7").read_text().replace("\\-", "-")
    [found] = [one for one in re.findall(r'^\.\\" calls\n(.*)\n\.\\" end', page, re.M) if f"root@{world.hostname} " in one]
    return found


def begin(pair, world, gate):
    """Typed on the other host, because the manual drives both over ssh, and not waited for, because the network will be cut; the
    number of the job, which has come to GATE."""
    told = pair.other(world).shell(f"{command(world)} --no-wait").out
    number = int(re.search(r"[Jj]ob (\d+)", told)[1])
    gate.wait()
    return number


def waits(pair, world, number, step):
    """The job is in STEP, asks again and again, and stays there because of the network."""
    world.wait_step(number, step, timeout=120)

    def asked():
        return sum(" ran for " in line["MESSAGE"] for line in world.journal(f"JOB={number}"))
    begun, before = len(world.record(number)), asked()
    wait_until(lambda: asked() >= before + 2, 120, f"{step} to ask again", 0.5)
    pair.other(world).settle()
    equal((world.job(number)["Step"], len(world.record(number))), (step, begun), "what the job does without a network")
    say(f"  {step} of {world.hostname} waits for the network")


def undone(pair):
    """Rows of db2 that cannot get to the peer: the job can still go back, and they get there later."""
    two = pair.db2
    gate = two.gate("tt60", "ttDaemonAdmin -stopserver")
    number = begin(pair, two, gate)
    pair.cut(silently=True)
    two.sql("tt60", "orders", "insert into items values (1000001, 'only here', 1);")
    two.faults("tt60")
    gate.open()
    waits(pair, two, number, "send-rest")
    two.expect(r"upgrade-job: Step send-rest failed", r"port-keeper: ", r"upgrade-job: .*(goes back|ignoring)",
               *SILENCE)
    two.bus.job(number, "Cancel", "a{sv}", *options())
    two.must_end(number, "cancelled")
    two.must_serve("tt60")
    pair.mend()
    pair.shows(pair.db1, "tt60", "select name from items where id = 1000001;", ["only here"])
    pair.arrived(pair.db1)


def done(pair, world, phases, row):
    """A job through all its phases, in each of PHASES without a network; the number of it."""
    world.expect(*SILENCE, r"port-keeper: ")
    gate = world.gate(*BEFORE[phases[0]])
    number = begin(pair, world, gate)
    for phase in phases:
        if phase != phases[0]:
            gate = world.gate(*BEFORE[phase])
            pair.mend()
            gate.wait(timeout=120)
        # A question to a host that says nothing ends after half a minute.
        pair.cut(silently=phase == "send-rest" or (LONG and world is pair.db1))
        if phase == "send-rest":
            for database in DATABASES:
                world.sql("tt60", database, f"insert into items values ({row}, 'sent at last', 2);")
        gate.open()
        waits(pair, world, number, phase)
    pair.mend()
    world.must_end(number, "done")
    world.must_serve("tt70")
    return number


def comes_back(pair):
    """The second host cannot restore its databases: 6.0 goes on there, beside 7.0 on the first one."""
    one, two = pair.db1, pair.db2
    gate = one.gate("tt70", "ttMigrate -r at=50 exit=1")
    one.expect(r"upgrade-job: Step import failed", r"timesten-util-\d+-.*ttMigrate.*: (Main process exited|Failed with)")
    number = begin(pair, one, gate)
    two.settle()
    gate.open()
    one.must_end(number, "failed")
    one.faults("tt70")
    one.must_serve("tt60")
    two.settle()
    pair.arrived(two, "tt70")
    pair.passes(2000000, ("tt60", "tt70"))


def without_compat(pair, jobs):
    """What each job has told to be left to do, done as it says, under clients of the new release."""
    for world, number in zip(pair.worlds, jobs):
        [told] = world.job(number)["LeftToDo"]
        check(told.startswith("Instance tt70 runs with -insecure-backwards-compat, for clients and the databases of "
                              f"{pair.other(world).hostname} before 7.0"), f"what is left to do on {world.hostname}: {told}")
        world.shell(told.split("any more: ")[1])
        check("-insecure-backwards-compat" not in world.read("/opt/TimesTen/tt70/info/ttendaemon.options"), "the option is left")
        world.must_serve("tt70", release="7.0.6")
        check(world.ttclient(check=False).status != 0, f"a client of 6.0 is served on {world.hostname}")
    pair.passes(3000000, ("tt70", "tt70"))


def test(pair):
    one, two = pair.db1, pair.db2
    pair.let_in(one, two)
    pair.let_in(two, one)
    pair.replicate()
    refusals(pair)
    if LONG:
        undone(pair)
    jobs = {two: done(pair, two, PHASES if LONG else PHASES[1:2], 1000002)}
    first = one.end_clients("tt60")
    equal(first.cut, 0, "sessions that were cut on db1 while db2 was upgraded")
    pair.arrived(one)
    pair.passes(1500000, ("tt60", "tt70"))
    # From here on the clients are on the other host, which runs the new release.
    start_clients(two)
    comes_back(pair)
    jobs[one] = done(pair, one, PHASES if LONG else PHASES[::2], 1000003)
    second = two.end_clients("tt70")
    equal(second.cut, 0, "sessions that were cut on db2 while db1 was upgraded")
    start_clients(two, release="7.0.6")
    without_compat(pair, [jobs[one], jobs[two]])
    third = two.end_clients("tt70")
    pair.arrived(two, "tt70")
    for world in pair.worlds:
        for number, report in enumerate((first, second, third), 1):
            equal(world.lost("tt70", report), [], f"rows of the clients' round {number} that {world.hostname} does not have")
    for database in DATABASES:
        for count in ("select count(*), sum(SEQ) from written;", "select count(*), sum(id) from items;"):
            equal(two.sql("tt70", database, count), one.sql("tt70", database, count), f"rows of {database} on both hosts, none twice")


run(test, Pair, rows=200, databases=DATABASES, server_lines=["ReplicationDelaySec=1", "DrainSec=1"])
