"""A worker killed in each step that only an upgrade beside a peer has, and in the undo of it, goes on to the same end: the host
serves, and every row comes to both hosts, once."""

import os

from crashworld import CRASH, LONG, CrashWorld, Tally, equal, options, run, say, wait_until
from pair import QUICK, Pair
from sweep import line_of, steps_of

OWN = ("send-rest", "stop-replication", "ask-peer", "join", "catch-up", "backwards-compat")
# What is done and not yet written is done again; of a join also what is half done.
FORWARD = [(f"record end {step}", "before") for step in OWN]
FORWARD[3:3] = [("record begin join", "after"), ("record note join", "before")]
BACK = [("record note stop-replication", "after"), ("record undo stop-replication", "after"),
        ("record undone stop-replication", "before")]
FAULTS = {"done": (), "failed": ("ttMigrate -r exit=1 at=50",)}
WRITTEN = "select count(*), sum(SEQ) from written;"


class Peers(Pair):
    def __init__(self, name, **more):
        super().__init__(name, kind=CrashWorld, lanes=1, **more)
        self.number = 1000000  # of rows that show that they pass

    def begin(self):
        """The beginning of both, who must not meet each other before both are there."""
        for world in self.worlds:
            world.systemctl("stop", "timesten@*.service")
        for world in self.worlds:
            world.restore()
        for world in self.worlds:
            for instance in world.instances:
                world.tune(instance, QUICK)
            world.utility("tt60", "ttAdmin", "-wait", "-repStart", "orders")


def ask(pair, points, result):
    """An upgrade of db2 whose worker dies at each of POINTS (words for arm()), one after the other."""
    one, two = pair.db1, pair.db2
    lane = two.lanes[0]
    known = set(two.jobs_on_disk())
    two.shell(f"rm -rf {CRASH}/main")
    two.faults("tt70", *FAULTS[result])
    if not one.clients:
        one.start_clients(4)
    one.settle()

    def aim(place):
        two.shell(f"rm -rf {CRASH}/main")
        if place < len(points):
            lane.arm(action="stop", **points[place])
    aim(0) if points else lane.arm()
    two.popen("ttctl", "upgrade", "main", "tt70", "--peer=db1", "--no-wait")
    lane.number = wait_until(lambda: lane.find_job(known), 60, "a job on the disk")
    for place, point in enumerate(points):
        wait_until(lambda: lane.shots() or lane.ended(), 120, f"the worker to come to {point}")
        equal((lane.ended(), len(lane.shots())), (None, 1), f"the job's end, and deaths at {point}")
        # The next one reads where it is to stop when it begins.
        aim(place + 1)
        two.systemctl("kill", "--signal=KILL", f"timesten-job@{lane.number}.service")
    equal(lane.wait_record(240), result, f"the result of a job whose worker dies at {points}")
    two.faults("tt70")


def judge(pair, result):
    one, two = pair.db1, pair.db2
    serving = "tt70" if result == "done" else "tt60"
    two.must_serve(serving)
    two.lanes[0].check_record()
    one.settle()
    pair.passes(pair.number, ("tt60", serving))
    pair.number += 10


def is_whole(pair, serving):
    """Every row that clients of db1 know to be there is on both hosts, and none twice or changed."""
    one, two = pair.db1, pair.db2
    report = one.end_clients("tt60")
    equal(report.cut, 0, "sessions of db1 that were cut")
    pair.arrived(one)
    equal(two.lost(serving, report), [], "rows that were acknowledged on db1 and are not on db2")
    equal(two.sql(serving, "orders", WRITTEN), one.sql("tt60", "orders", WRITTEN), "rows on both hosts")


def sweep(pair, result, part, parts):
    """One job for each call of the steps, from the same beginning."""
    lane = pair.db2.lanes[0]
    pair.begin()
    ask(pair, [], result)
    points = lane.points()
    steps = steps_of(points)
    undone = [line_of(name) for name, what in points if what.startswith("record fail import")]
    rows = [name for name, what in points if steps.get(line_of(name)) in OWN and line_of(name) >= min(undone, default=0)]
    say(f"  {result}: {len(rows)} of {len(points)} points are of these steps")
    tally = Tally()
    for name in rows[part - 1::parts]:
        pair.begin()
        ask(pair, [{"at": name}], result)
        judge(pair, result)
        is_whole(pair, "tt70" if result == "done" else "tt60")
        tally.add(result)
    return tally


def test(pair):
    pair.replicate()
    if LONG:
        for world in pair.worlds:
            world.remember()
        part, parts = map(int, os.environ.get("TU_PART", "1/1").split("/"))
        tallies = {result: sweep(pair, result, part, parts) for result in ("failed", "done")}
    else:
        tallies = {}
        for result, points in (("failed", BACK), ("done", FORWARD)):
            tally = tallies[result] = Tally()
            ask(pair, [{"match": match, "when": when} for match, when in points], result)
            judge(pair, result)
            for _ in points:
                tally.add(result)
        is_whole(pair, "tt70")
    for result, tally in tallies.items():
        tally.say(f"beside a peer, {result}", ends={"done": "done", "failed": "undone"})
        tally.check()


run(test, machine=Peers, rows=200, server_lines=["ReplicationDelaySec=300ms", "DrainSec=1"])
