"""A world of several lanes whose workers can be killed or stopped at any call they make, judged, and set back.

What makes a run cheap, and why it is the same run: lanes (lane.py) work side by side, as servers do; a beginning is a copy of
files that was taken when everything was stopped, and is put back while everything is stopped, so nothing of the last run is
left to be taken over; the harness looks at records and processes by /proc instead of asking the bus again and again. The
product's own waits (the worker's restart, the time in which a new server must stay) are all waited for.
"""

import os
import re
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

import roots  # noqa: E402
from bus import BusError, options  # noqa: E402
from container import Failed, wait_until  # noqa: E402
from harness import check, equal, run, say, skip, tally_ends  # noqa: E402
from lane import CRASH, DATABASE, PATIENCE, STATE, Lane  # noqa: E402
from world import ADMIN, HOMES, PORT, RELEASES, World, store  # noqa: E402

__all__ = ["ADMIN", "BusError", "CRASH", "CrashWorld", "DATABASE", "DROPIN", "Failed", "HOMES", "KILLED", "LIBRARY", "LONG",
           "PORT", "STATE", "Tally", "check", "equal", "options", "roots", "run", "say", "skip", "store", "wait_until"]

LONG = os.environ.get("TU_LONG") == "1"
LANES = int(os.environ.get("TU_LANES", "4"))
LIBRARY = "/usr/lib/crashpoint.so"
DROPIN = f"""[Service]
Environment=LD_PRELOAD={LIBRARY} CRASH_DIRECTORY={CRASH}
ReadWritePaths=-{CRASH}
"""

# Nothing here depends on what these would find at each of the many reloads: no console, no swap, no encrypted disk.
GENERATORS = ["bless-boot", "cryptsetup", "debug", "fstab", "getty", "gpt-auto", "hibernate-resume", "integritysetup", "rc-local",
              "run", "system-update", "sysv", "veritysetup"]

# What the machine says when a process of ours is killed.
KILLED = [
    r"systemd: timesten-job@\d+\.service: (Main process exited|Failed with result|Scheduled restart)",
    r"systemd: Failed to start timesten-job@\d+\.service",
    # The next worker ends what short commands its predecessor left, unless they have ended by then.
    r"systemd: timesten-util-.*: (Main process exited, code=killed, status=15/TERM|Failed with result 'signal')",
    r"systemd: Failed to start timesten-util-",
    r"timesten-upgraded: Job \d+",
    r"upgrade-job: (Check|Job|Step|Undoing)",
]

# One look at everything that jobs may leave behind: LANE KIND WORDS, or - for what belongs to no lane.
LOOK = rf"""
cd {STATE}; find . -mindepth 1 ! -name next-id | sed 's|^|- state |'
cd /run/timesten-upgrade; find job -mindepth 1 2>/dev/null | sed 's|^|- run |'
systemctl list-units --all --plain --no-legend 'timesten-util-*' 'timesten-job@*' | sed 's/ .*//; s/^/- unit /'
for process in $(pgrep -x ttcserver); do readlink /proc/$process/exe | sed 's/^/- server /'; done
systemctl --failed --plain --no-legend | sed 's/^/- failed /'
lane() {{
    for home in /opt/TimesTen/$2 /opt/TimesTen/$3; do sed "s|^|$1 options ${{home%%[b-z]}} |" $home/info/ttendaemon.options; done
    for kind in old:$2 new:$3; do
        ls /var/lib/{ADMIN}/${{kind#*:}}/ 2>/dev/null | grep '[.]ds[01]$' | sed "s/^/$1 ${{kind%:*}} /"
    done
    systemctl show -P RefuseManualStop timesten-server@$1.socket | sed "s/^/$1 locked /"
    systemctl is-active timesten@$3.service | sed "s/^/$1 tt70 /"
}}
"""

# Everything stops, the files of a beginning come back, and no others (a catalog of databases that a beginning has not yet would
# have their agents started), what then served serves again.
RESTORE = rf"""
systemctl stop 'timesten-confirm@*.timer' 'timesten-revert@*.service'
systemctl stop timesten-upgraded.service 'timesten@*.service'
cd {STATE} && rm -rf servers exports $(ls -d jobs/[0-9]* 2>/dev/null)
rm -rf /run/timesten-upgrade/job/* {CRASH}/* /var/lib/{ADMIN}/*/* /opt/TimesTen/*/info
for home in /opt/TimesTen/*; do : > $home/.standin/faults; : > $home/.standin/fired; : > $home/.standin/tune; done
cd / && tar -xf /root/$1.tar
systemctl reset-failed 'timesten*'
systemctl daemon-reload
shift
systemctl start $*
true
"""

# In one process: LANE BACKEND …
OPEN = """use IO::Socket::UNIX;
while (my ($name, $backend) = splice @ARGV, 0, 2) {
    my $s = IO::Socket::UNIX->new(Peer => "/run/timesten-upgrade/control/$name") or die "$name: $!";
    print $s "open 127.0.0.1:$backend\\n"; $s->flush; print scalar <$s>;
}"""


class Beginning:
    """A state of all lanes that restore() goes back to."""

    def __init__(self, serving, look):
        self.serving = serving  # "old" or "new"
        self.look = look        # {lane: lines}
        self.backends = {}      # {lane: port of the serving instance}


def lay_traps(world):
    """From its boot on workers do what a lane's traps say."""
    shutil.copy(roots.build_directory() / "tests/crash/libcrashpoint.so", world.root / LIBRARY.lstrip("/"))
    world.write("/etc/systemd/system/timesten-job@.service.d/crash.conf", DROPIN)


class CrashWorld(World):
    MORE = ""  # what a kind of world looks at beside LOOK

    def __init__(self, name, rows=300, server_lines=("DrainSec=1", f"HoldLimitSec={PATIENCE}"), lanes=LANES, **more):
        super().__init__(name, rows=rows, server_lines=server_lines, **more)
        self.lanes = [Lane(self, place) for place in range(lanes)]
        self.pool = ThreadPoolExecutor(lanes)
        self.before = None
        self.beginnings, self.references = {}, {}
        self.jobs = {}  # of beginnings: {number: (lane, what it is called in a look)}
        self.expect(*KILLED)

    def boot(self, wait=True):
        if self.boots == 0:
            lay_traps(self)
            masks = self.root / "etc/systemd/system-generators"
            masks.mkdir(exist_ok=True)
            for name in GENERATORS:
                (masks / f"systemd-{name}-generator").symlink_to("/dev/null")
            for lane in self.lanes[1:]:
                self.install_instance(lane.old, server_port=lane.port)
                self.install_instance(lane.new)
                self.declare_server(lane.server, lane.port, self.databases, lane.old, *self.server_lines)
        return super().boot(wait)

    def create_databases(self, instance=None):
        self.each(lambda lane: World.create_databases(self, lane.old))

    def each(self, act, lanes=None):
        """ACT(lane) for all lanes at the same time; the values, or the first failure."""
        return list(self.pool.map(act, self.lanes if lanes is None else lanes))

    # Beginnings

    def remember(self, name="begin", serving="old", state="serving"):
        """A beginning that restore() goes back to: everything as it is now, of the instances that serve now."""
        for lane in self.lanes:
            lane.number = None
        if self.before is None:
            self.before = self.content("tt60", DATABASE)
        for lane in self.lanes:
            told = self.bus.properties("Server", lane.server)
            equal((told["Instance"], told["State"]), (getattr(lane, serving), state), f"the server {lane.server}")
            for number in self.jobs_on_disk():
                if f"Server={lane.server}" in lane.lines(f"{STATE}/jobs/{number}/request"):
                    self.jobs[number] = (lane.server, name)
        now = self.beginnings[name] = Beginning(serving, self.look())
        for lane in self.lanes:
            home = HOMES[getattr(lane, serving)]
            now.backends[lane.server] = self.run("sed", "-n", "s/^-server //p", f"{home}/info/ttendaemon.options").out.strip()
        equal(len(set(now.backends.values())), len(self.lanes), f"different private ports of {now.backends}")
        self.systemctl("stop", "timesten-upgraded.service", "timesten@*.service")
        self.shell(f"cd / && tar -cf /root/{name}.tar --exclude next-id var/lib/{ADMIN} opt/TimesTen/*/info var/lib/timesten-upgrade")
        self.restore(name)

    def restore(self, name="begin"):
        """A beginning, in about a second for all lanes together."""
        for client in self.clients:
            client.process.kill()
        self.clients = []
        for lane in self.lanes:
            lane.clients, lane.number, lane.length = [], None, 0
        begin = self.beginnings[name]
        # Of an upgraded server the old main daemon runs too, without a server.
        started = {getattr(lane, kind) for lane in self.lanes for kind in ("old", begin.serving)}
        self.run("sh", "-c", RESTORE, "sh", name, *[f"timesten@{one}.service" for one in sorted(started)], timeout=120)
        for lane in self.lanes:
            wait_until(lambda: int(begin.backends[lane.server]) in self.listeners(), 30, f"the server of {lane.server} after a reset")
        told = self.run("perl", "-e", OPEN, *[word for pair in begin.backends.items() for word in pair]).out.split("\n")
        equal([line[:2] for line in told if line], ["ok"] * len(self.lanes), "the keepers' answers")

    def go_on(self):
        """Lets the workers that were stopped at their points run on."""
        for line in self.run("pgrep", "-x", "upgrade-job", check=False).out.split():
            self.run("kill", "-CONT", line, check=False)

    # Points, of the worker of a lane or of who else has the library in its unit under a name

    def arm(self, name, at=None, match="nowhere", when="before", action="kill", times=1, errno=0):
        place = f"AT={at}" if at else f"MATCH={match}"
        self.write(f"{CRASH}/{name}/control", f"{place}\nWHEN={when}\nACTION={action}\nTIMES={times}\nERRNO={errno}\n")

    def shots(self, name):
        return self.lines(f"{CRASH}/{name}/fired")

    def points(self, name):
        return [tuple(line.split(" ", 1)) for line in self.lines(f"{CRASH}/{name}/log")]

    # Looking

    def lines(self, path):
        try:
            return self.read(path).splitlines()
        except FileNotFoundError:
            return []

    def jobs_on_disk(self):
        return [int(name) for name in os.listdir(f"/proc/{self.pid}/root{STATE}/jobs") if name.isdigit()] \
            if os.path.isdir(f"/proc/{self.pid}/root{STATE}/jobs") else []

    def look(self):
        """What lies about, by lane, without what is another each time: {lane: lines}."""
        script = LOOK + self.MORE + "".join(f"lane {lane.server} {lane.old} {lane.new}\n" for lane in self.lanes)
        names = {**self.jobs, **{lane.number: (lane.server, "N") for lane in self.lanes if lane.number}}
        servers = {name: lane.server for lane in self.lanes for name in (lane.old, lane.new)}
        found = {lane.server: set() for lane in self.lanes} | {"-": set()}
        for line in self.shell(script, check=False).out.splitlines():
            owner, line = line.split(" ", 1)
            # A look of the daemon's, which replaces its unit the next time: PID 1 that re-executes itself may miss the word to
            # forget it.
            if line.startswith("unit timesten-util-probe-"):
                continue
            job = re.search(r"(?:\b(?:jobs|exports|job)/|timesten-job@|timesten-util-)(\d+)\b", line)
            backs = re.search(r"\bservers/(?:\.#)?(main\w?)", line)
            instance = re.search(r"\b(tt[67]0\w?)\b", line)
            if job and int(job[1]) in names:
                owner, name = names[int(job[1])]
                line = re.sub(rf"\b{job[1]}\b", name, line)
            elif backs:
                owner, line = backs[1], line.replace(backs[1], "NAME")
            elif instance and owner == "-":
                owner, line = servers.get(instance[1], "-"), re.sub(r"\b(tt[67]0)\w?\b", r"\1", line)
            found.setdefault(owner, set()).add(line)
        return found

    def look_without_units(self):
        """The same once no unit of a job is left, else None."""
        found = self.look()
        return found if not any(line.startswith("unit ") for lines in found.values() for line in lines) else None

    def judge_replication(self, lane, replicates):
        """Whether the two releases of a lane replicate, where that is so."""

    def compare(self, lanes, references, rebooted=False):
        """{lane: what is wrong} of those LANES in which something lies about, or lacks, that does not with an undisturbed job."""
        end = time.monotonic() + 30
        while True:
            wrong = {}
            found = self.look()
            for server in lanes:
                reference, here = references[server], found[server] | {line for line in found["-"] if line not in SHARED}
                if rebooted:  # /run is another one, and an instance that backs nothing is not started by a boot
                    reference, here = [{line for line in one if not line.startswith(("run ", "tt70 "))}
                                       for one in (reference, here)]
                more, less = sorted(here - reference - ALLOWED), sorted(reference - here - ALLOWED)
                if more or less:
                    wrong[server] = f"left behind: {more}; missing: {less}"
            # Units on their way out may take a moment.
            if not wrong or time.monotonic() > end:
                return wrong
            time.sleep(0.2)


class OneLane:
    """In front of another kind of world among the bases of a class: its worker can be killed, in one lane."""
    arm, shots, points, lines = CrashWorld.arm, CrashWorld.shots, CrashWorld.points, CrashWorld.lines
    jobs_on_disk, go_on = CrashWorld.jobs_on_disk, CrashWorld.go_on

    def boot(self, wait=True):
        if self.boots == 0:
            lay_traps(self)
        return super().boot(wait)

    def __enter__(self):
        super().__enter__()
        self.expect(*KILLED)
        self.lane = Lane(self, 0)
        return self


# Of any job these may stay: what utilities printed, the empty places of exports and of who serves.
SHARED = {"state ./jobs", "state ./exports", "state ./servers"}
ALLOWED = {"run job/N/export-orders.out", "run job/N/import-orders.out", "run job", "run job/N/progress"}


class Tally:
    """What came of many runs."""

    def __init__(self):
        self.began = time.monotonic()
        self.kills, self.missed, self.outcomes, self.failures = 0, 0, {}, []

    def add(self, outcome, hit=True):
        self.kills += hit
        self.missed += not hit
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1

    def fail(self, what):
        self.failures.append(what)
        say(f"    FAILED {what}")
        check(len(self.failures) < 20, f"too many failures, the first: {self.failures[0]}")

    def say(self, what, kind="point", ends=None):
        took = time.monotonic() - self.began
        count = sum(self.outcomes.values()) + len(self.failures)
        told = ", ".join(f"{number} {outcome}" for outcome, number in sorted(self.outcomes.items())) or "none"
        say(f"  {what}: {count} runs, {self.kills} hit, {self.missed} not met; ended {told}, otherwise {len(self.failures)}; "
            f"{took:.0f} s, {took / max(1, count):.1f} s each")
        tally_ends(kind, what, self.outcomes, ends)

    def check(self):
        check(not self.failures, f"{len(self.failures)} runs did not hold, the first: {self.failures[:1]}")
