"""The power goes, and with it whatever nobody synced; the next boot needs nobody.

Cut right behind each line of a job's record and in its middle, inside the export and the import, and around each call of the
commit; in an upgrade, its undo, a cancel, a retry, a rollback and a clean, in an upgrade by replication, its undo, its way back,
its confirmation, and in the way back of what nobody confirmed in time. Before what decides stands on the disk (the commit,
the wish to cancel in the record) the release before serves and the job is undone, after it the job ends as it would have.
Clients that come right after the boot wait; none is refused and no row that was acknowledged is gone.
TU_DISK=ext4, xfs or btrfs says what the state and the databases lie on (disk.py).
"""

import contextlib
import os
import re
import time
from dataclasses import dataclass

from crashworld import DATABASE, LONG, Failed, Tally, check, run, say, skip, wait_until
from disk import why_not
from diskworld import DiskWorld
from onlineworld import OnlineCrashWorld
from ledger import TABLE, Ledger
from scenario import SCENARIOS, begin
from sweep import count_points, events_of, expected, line_of, variants

KIND = os.environ.get("TU_DISK", "ext4")
WORDS = os.environ.get("TU_SCENARIOS", "upgrade undo cancel retry rollback clean").split()
ONLINE = any(word.startswith("online") or word in ("confirm", "revert") for word in WORDS)
CLIENTS = 3


class CutWorld(DiskWorld):
    def __init__(self, name):
        # Apart, because what a client makes a database sync must not make the state durable.
        super().__init__(name, KIND, {"state": ["/var/lib/timesten-upgrade"], "data": ["/var/lib/ttadmin", "/opt/TimesTen"]})
        self.expect("The host went down before", "Failed to send user credentials to PID1")

    def create_databases(self, instance=None):
        super().create_databases(instance)
        # Whoever has it made later has it in one of two databases that replicate.
        self.sql("tt60", DATABASE, f"{TABLE};")

    def boot(self, wait=True):
        if not self.disks:
            for home in ("tt60", "tt70"):
                ini = self.root / f"opt/TimesTen/{home}/info/sys.odbc.ini"
                ini.write_text(ini.read_text().replace("DatabaseCharacterSet", "DurableCommits=1\nDatabaseCharacterSet"))
        return super().boot(wait)

    def restore(self, name="begin"):
        super().restore(name)
        # A beginning is on the disk; what is lost is only what the job, or a client, did not sync.
        self.disks.sync()

    def cut_power(self):
        super().cut_power()
        if self.disks:
            self.disks.cut()


class OnlineCutWorld(CutWorld, OnlineCrashWorld):
    """The same, with the ways of the method online."""


@dataclass
class Cut:
    where: dict          # the point, as Lane.arm() takes it
    when: str
    what: str
    results: tuple       # which are right
    gate: tuple = None   # (instance, command): cut while it waits there

    def __str__(self):
        return f"{self.where.get('at', '')} {self.when} {self.what}".strip()


def results_of(scenario, points):
    """What is right where the calls up to (not with) the one at PLACE were made: failed before the deciding call, the scenario's
    result behind its sync, and in between either."""
    if not scenario.decides or not scenario.ask:  # asked again until it is done
        return lambda place: (scenario.result,)
    made = next(place for place, (_, what) in enumerate(points) if re.search(scenario.decides, what))
    synced = next(place for place, (_, what) in enumerate(points) if place > made and what.startswith("sync"))
    return lambda place: ("failed",) if place <= made else (scenario.result,) if place > synced else ("failed", scenario.result)


def cuts_of(scenario, points):
    events, results = events_of(points), results_of(scenario, points)
    names, whats = zip(*points)
    commit = next((line for line, event in events.items() if event == ("begin", "commit")), None)
    # What comes in the middle of a job can only come once the step that it waits for has begun.
    first = next(line for line, event in events.items() if event == scenario.since) if scenario.then else 0
    found = []
    if not scenario.since:
        # A request that no worker has begun yet: its record is not even there, or knows nothing of the wish to go on.
        found.append(Cut({"at": names[0]}, "before", "the worker's first call", results(0)))
    for name, when, what in variants(points):
        line, event = line_of(name), events.get(line_of(name), ("-",))
        if what.startswith("record plan") or event[0] == "plan" or line < first:
            continue
        behind = name.endswith(".1") and when == "after" and line
        torn = when == "half" and what.startswith("record")
        inside = line == commit and re.match("mkdir|write|sync|rename", what) and when != "half"
        if behind or torn or inside:
            # How often a worker looks before it writes is a matter of luck, what it writes is not.
            where = {"match": what} if torn and whats.count(what) == 1 else {"at": name}
            found.append(Cut(where, when, f"{what} (behind {' '.join(event)})", results(names.index(name) + (when == "after"))))
    if scenario.name in ("upgrade", "online"):
        found += [Cut({}, "inside", f"{command} half done", ("failed",), (instance, f"{command} at=50"))
                  for instance, command in (("old", "ttMigrate -c"), ("new", "ttMigrate -r"))]
    return found


# Of each scenario: the request alone, inside of what takes long, around what decides, in the middle of the way back.
SAMPLE = {"upgrade": r"^the worker's first|half done|^rename|^sync \S+/servers ", "undo": r"behind undo import\)",
          "cancel": r"behind fail import\)", "retry": r"^the worker's first",
          "online": r"^rename|^sync \S+/servers |behind (end|begin) (replicate|copy|join|drain-replication)\)",
          "online-undo": r"behind undo replicate\)", "online-rollback": r"^sync \S+/servers |behind begin (resume|end-replication)\)",
          "confirm": r"^rename|behind begin end-replication\)", "revert": r"behind end hold\)",
          "rollback": r"^rename|^sync \S+/servers |behind begin resume\)", "clean": r"behind (end commit|begin destroy-databases)\)"}


def sample(scenario, cuts):
    return [cut for cut in cuts if re.search(SAMPLE[scenario.name], cut.what) and cut.when in ("after", "inside")
            or cut.what.startswith("the worker's first") and "first" in SAMPLE[scenario.name]]


def chosen(scenario, cuts):
    if os.environ.get("TU_POINTS"):
        wanted = os.environ["TU_POINTS"].split()
        return [cut for cut in cuts if f"{cut.where.get('at')}:{cut.when}" in wanted]
    if not LONG:
        return sample(scenario, cuts)
    part, parts = map(int, os.environ.get("TU_PART", "1/1").split("/"))
    return cuts[part - 1::parts]


def settle(ledger, since):
    """Each client has been told of a row since then."""
    wait_until(lambda: all(now > before for now, before in zip(ledger.seqs, since)), 60, "every client to write a row", 0.05)


def to_the_point(world, scenario, cut, ledger):
    """Asks for the job and waits until it is there; False where it ended without coming there."""
    lane = world.lanes[0]
    world.restore(scenario.beginning)
    scenario.take_up(lane)
    scenario.prepare(lane)
    world.disks.sync()
    gate = world.gate(getattr(lane, cut.gate[0]), cut.gate[1]) if cut.gate else None
    if not gate:
        lane.arm(**cut.where, when=cut.when, action="stop")
    ledger.start()
    settle(ledger, [0] * CLIENTS)
    scenario.call_unheard(lane, set(world.jobs_on_disk()))
    if scenario.then:
        scenario.then(lane)
    if gate:
        gate.wait()
        return True
    wait_until(lambda: lane.shots() or lane.ended(), 60, "the worker to come to the point, or to its end", 0.02)
    return bool(lane.shots())


def wait_for_another(world, lane):
    """The result of the job that follows the one that failed."""
    known = set(world.jobs_on_disk())
    world.jobs[lane.number] = (lane.server, "N")
    lane.number = wait_until(lambda: lane.find_job(known), 120, f"a job after job {lane.number}")
    return lane.wait_record()


def one_cut(world, scenario, cut):
    """(result, seconds), or None where the job did not come to the point."""
    lane = world.lanes[0]
    ledger = Ledger(world, lane.server, lane.port, DATABASE, "6.", "7.", CLIENTS, lossless=ONLINE, release=scenario.clients)
    if not to_the_point(world, scenario, cut, ledger):
        ledger.stop()
        return None
    ledger.stop(abruptly=True)
    world.cut_power()
    began = time.monotonic()
    world.boot(wait=False)
    wait_until(lambda: lane.port in world.listeners(), 60, "the port to be there after the boot")
    since = list(ledger.seqs)
    ledger.start()
    settle(ledger, since)
    served = time.monotonic() - began
    result = lane.wait_record()
    if not scenario.ask and result == "failed":  # whoever asked asks again
        result = wait_for_another(world, lane)
    settle(ledger, list(ledger.seqs))
    check(result in cut.results, f"ended {result!r}, wanted {cut.results}: {lane.record_lines()[-1][:600]}")
    world.wait_running()
    ledger.stop()
    wrong = {kind: number for kind, number in ledger.troubles.items() if number and kind != "cut"}
    check(not wrong and not ledger.problems, f"clients met {wrong} {ledger.problems} {ledger.refused[:3]}")
    check(ledger.compare() is not None, "nobody answers a new client")
    scenario, reference = expected(world, scenario, lane, result)
    lane.judge(scenario, result, world.before, rebooted=True)
    for wrong in world.compare([lane.server], {lane.server: reference}, rebooted=True).values():
        raise Failed(wrong)
    return result, served


def sweep(world, scenario):
    begin(world, scenario.beginning)
    cuts = cuts_of(scenario, count_points(world, scenario))
    tally, slowest = Tally(), 0
    for cut in chosen(scenario, cuts):
        try:
            # Numbered otherwise by a slow moment: tried once more.
            result, served = one_cut(world, scenario, cut) or one_cut(world, scenario, cut) or ("not met", 0)
            slowest = max(slowest, served)
            tally.add(scenario.result if result == "not met" else result, result != "not met")
            if os.environ.get("TU_VERBOSE"):
                say(f"    {cut}: {result}, every client served {served:.1f} s after the boot began")
        except Failed as failure:
            tally.fail(f"{scenario.name} {cut}: {failure}")
            check(world.alive(), "the machine does not live any more")
        finally:
            for process in list(world.processes):
                with contextlib.suppress(OSError):
                    process.kill()
            world.processes.clear()
    say(f"  {scenario.name} on {KIND}: every client was served at most {slowest:.1f} s after a boot began")
    tally.say(f"{scenario.name} on {KIND}", "power-cut", {scenario.result: scenario.end, "failed": "undone"})
    return tally


def test(world):
    for tally in [sweep(world, SCENARIOS[word]) for word in WORDS]:
        tally.check()


reason = why_not(KIND)
if reason:
    skip(reason)
run(test, machine=OnlineCutWorld if ONLINE else CutWorld)
