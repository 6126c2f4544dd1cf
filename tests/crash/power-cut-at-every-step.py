"""The power goes, and with it whatever nobody synced; the next boot needs nobody.

Cut right behind each line of a job's record and in its middle, inside the export and the import, and around each call of the
commit. Before the commit stands on the disk the release before serves and the job is undone, after it the other one serves and
the job is done. Clients that come right after the boot wait; none is refused and no row that was acknowledged is gone.
TU_DISK=ext4, xfs or btrfs says what the state and the databases lie on (disk.py).
"""

import contextlib
import os
import re
import shutil
import time
from dataclasses import dataclass, replace

from crashworld import DATABASE, LONG, CrashWorld, Failed, Tally, check, roots, run, say, skip, wait_until
from disk import Disks, why_not
from ledger import Ledger
from scenario import SCENARIOS, begin
from sweep import count_points, events_of, line_of, variants

KIND = os.environ.get("TU_DISK", "ext4")
WORDS = os.environ.get("TU_SCENARIOS", "upgrade rollback").split()
CLIENTS = 3


class CutWorld(CrashWorld):
    """One lane: the sync of a second one's record would take the unsynced words of the first along to the disk."""

    def __init__(self, name):
        super().__init__(name, lanes=1)
        self.disks = None
        self.expect("The host went down before", "Failed to send user credentials to PID1")

    def boot(self, wait=True):
        if not self.disks:
            for home in ("tt60", "tt70"):
                ini = self.root / f"opt/TimesTen/{home}/info/sys.odbc.ini"
                ini.write_text(ini.read_text().replace("DatabaseCharacterSet", "DurableCommits=1\nDatabaseCharacterSet"))
            # Named as a machine's own files are, so that the next test removes what a killed one left.
            self.place = roots.CACHE / "run" / f"tu-disks-{os.getpid()}"
            self.place.mkdir(parents=True)
            # Apart, because what a client makes a database sync must not make the state durable.
            self.disks = Disks(self.place, KIND, self.root, {"state": ["/var/lib/timesten-upgrade"],
                                                             "data": ["/var/lib/ttadmin", "/opt/TimesTen"]})
            self.nspawn_options = self.disks.binds
        return super().boot(wait)

    def __exit__(self, *error):
        super().__exit__(*error)
        if self.disks:
            self.disks.close()
            shutil.rmtree(self.place, ignore_errors=True)

    def restore(self, name="begin"):
        super().restore(name)
        # A beginning is on the disk; what is lost is only what the job, or a client, did not sync.
        self.disks.sync()

    def cut_power(self):
        super().cut_power()
        if self.disks:
            self.disks.cut()


@dataclass
class Cut:
    name: str            # of the point, or None
    when: str
    what: str
    results: tuple       # which are right
    gate: tuple = None   # (instance, command): cut while it waits there


def cuts_of(scenario, points):
    events, everything = events_of(points), list(variants(points))
    names = [name for name, _ in points]
    renamed = next(place for place, (_, what) in enumerate(points) if what.startswith("rename") and "/servers/" in what)
    synced = next(place for place, (_, what) in enumerate(points) if place > renamed and what.startswith("sync"))
    commit = next(line for line, event in events.items() if event == ("begin", "commit"))

    def results(name, when):
        place = names.index(name) + (when == "after")
        return ("failed",) if place <= renamed else ("done",) if place > synced else ("failed", "done")
    # A request that no worker has begun yet: its record is not even there.
    found = [Cut("0.1", "before", "the worker's first call", ("failed",))]
    for name, when, what in everything:
        line = line_of(name)
        if what.startswith("record plan") or events.get(line, ("plan",))[0] == "plan":
            continue
        behind = name.endswith(".1") and when == "after"
        torn = when == "half" and what.startswith("record")
        inside = line == commit and re.match("mkdir|write|sync|rename", what) and when != "half"
        if behind or torn or inside:
            found.append(Cut(name, when, f"{what} (behind {' '.join(events[line])})", results(name, when)))
    if scenario.name == "upgrade":
        found += [Cut(None, "inside", f"{command} half done", ("failed",), (instance, f"{command} at=50"))
                  for instance, command in (("old", "ttMigrate -c"), ("new", "ttMigrate -r"))]
    return found


def sample(scenario, cuts):
    """The request alone, inside of what takes long, and every way the commit can be met."""
    wanted = {"upgrade": r"the worker's first|half done|rename|^sync \S+/servers |record end commit|behind begin resume",
              "rollback": r"rename|^sync \S+/servers |behind begin resume"}[scenario.name]
    return [cut for cut in cuts if re.search(wanted, cut.what) and (cut.when != "before" or "first" in cut.what)
            and not cut.what.startswith("record end resume")]


def chosen(scenario, cuts):
    if os.environ.get("TU_POINTS"):
        wanted = os.environ["TU_POINTS"].split()
        return [cut for cut in cuts if f"{cut.name}:{cut.when}" in wanted]
    if not LONG:
        return sample(scenario, cuts)
    part, parts = map(int, os.environ.get("TU_PART", "1/1").split("/"))
    return cuts[part - 1::parts]


def settle(ledger, since):
    """Each client has been told of a row since then."""
    wait_until(lambda: all(now > before for now, before in zip(ledger.seqs, since)), 60, "every client to write a row", 0.05)


def one_cut(world, scenario, cut):
    lane = world.lanes[0]
    world.restore(scenario.beginning)
    scenario.prepare(lane)
    gate = world.gate(getattr(lane, cut.gate[0]), cut.gate[1]) if cut.gate else None
    if not gate:
        lane.arm(at=cut.name, when=cut.when, action="stop")
    ledger = Ledger(world, lane.server, lane.port, DATABASE, "6.", "7.", CLIENTS)
    ledger.start()
    settle(ledger, [0] * CLIENTS)
    scenario.call_unheard(lane, set(world.jobs_on_disk()))
    if gate:
        gate.wait()
    else:
        wait_until(lane.shots, 60, "the worker to come to the point", 0.02)
    ledger.stop(abruptly=True)
    world.cut_power()
    began = time.monotonic()
    world.boot(wait=False)
    wait_until(lambda: lane.port in world.listeners(), 60, "the port to be there after the boot")
    since = list(ledger.seqs)
    ledger.start()
    result = lane.wait_record()
    settle(ledger, since)
    served = time.monotonic() - began
    settle(ledger, list(ledger.seqs))
    check(result in cut.results, f"ended {result!r}, wanted {cut.results}: {lane.record_lines()[-1][:600]}")
    world.wait_running()
    ledger.stop()
    wrong = {kind: number for kind, number in ledger.troubles.items() if number and kind != "cut"}
    check(not wrong and not ledger.problems, f"clients met {wrong} {ledger.problems} {ledger.refused[:3]}")
    check(ledger.compare() is not None, "nobody answers a new client")
    if result == "failed":
        scenario = replace(scenario, release="old" if scenario.release == "new" else "new", loses=False)
        before = world.beginnings[scenario.beginning].look[lane.server]
        references = {lane.server: before | {"state ./jobs/N", "state ./jobs/N/request", "state ./jobs/N/record"}}
    else:
        references = world.references[scenario.name]
    lane.judge(scenario, result, world.before, rebooted=True)
    for wrong in world.compare([lane.server], references, rebooted=True).values():
        raise Failed(wrong)
    return result, served


def sweep(world, scenario):
    begin(world, scenario.beginning)
    cuts = cuts_of(scenario, count_points(world, scenario))
    tally, slowest = Tally(), 0
    for cut in chosen(scenario, cuts):
        try:
            result, served = one_cut(world, scenario, cut)
            slowest = max(slowest, served)
            tally.add(result)
            if os.environ.get("TU_VERBOSE"):
                say(f"    {cut.name} {cut.when} {cut.what}: {result}, every client served {served:.1f} s after the boot began")
        except Failed as failure:
            tally.fail(f"{scenario.name} {cut.when} {cut.name} {cut.what}: {failure}")
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
run(test, machine=CutWorld)
