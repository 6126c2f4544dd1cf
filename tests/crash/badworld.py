"""A world of one server whose worker meets failing calls on the state, and whose clock can be wrong (badpoint.c)."""

import contextlib
import hashlib
import io
import re
import shutil
import time

from crashworld import LONG, BusError, Failed, Tally, check, equal, roots, run, say, wait_until
from world import ADMIN, HOMES, World

__all__ = ["BadWorld", "BusError", "CLOCK", "CRASH", "Failed", "LONG", "STATE", "Tally", "check", "equal", "run", "say",
           "wait_until"]

CRASH = "/run/crashpoint"
CLOCK = "/run/crashclock"
STATE = "/var/lib/timesten-upgrade"
LIBRARY = "/usr/lib/badpoint.so"
OPTION_FILES = " ".join(f"{home}/info/ttendaemon.options" for home in HOMES.values())

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

# One look at everything that a job may leave behind, each line a word for what it is.
LOOK = rf"""
cd {STATE}; find . -mindepth 1 ! -name next-id | sed 's|^|state |'
cd /run/timesten-upgrade; find job -mindepth 1 2>/dev/null | sed 's|^|run |'
systemctl list-units --all --plain --no-legend 'timesten-util-*' 'timesten-job@*' | sed 's/ .*//; s/^/unit /'
for home in {' '.join(HOMES.values())}; do sed "s|^|options $home |" $home/info/ttendaemon.options; done
for process in $(pgrep -x ttcserver); do readlink /proc/$process/exe | sed 's/^/server /'; done
ls /var/lib/{ADMIN}/tt70/ 2>/dev/null | sed 's/^/new /'
systemctl show -P RefuseManualStop timesten-server@main.socket | sed 's/^/locked /'
systemctl is-active timesten@tt70.service | sed 's/^/tt70 /'
systemctl --failed --plain --no-legend | sed 's/^/failed /'
"""

RESET = rf"""
: > {HOMES['tt60']}/.standin/faults; : > {HOMES['tt70']}/.standin/faults; : > {HOMES['tt70']}/.standin/fired
runuser -u {ADMIN} -- {HOMES['tt70']}/bin/ttDaemonAdmin -stopserver
[ -e /var/lib/{ADMIN}/tt70/orders.ds0 ] && systemctl start timesten@tt70.service &&
    runuser -u {ADMIN} -- {HOMES['tt70']}/bin/ttDestroy -wait -timeout 20 orders
systemctl stop timesten@tt70.service
cd {STATE} && rm -rf servers/main servers/.#* exports/* $(ls -d jobs/[0-9]* 2>/dev/null)
rm -rf /run/timesten-upgrade/job/* {CRASH}/*
cd /; tar -xf /root/options.tar
systemctl reset-failed 'timesten*'
systemctl daemon-reload
systemctl start timesten@tt60.service
runuser -u {ADMIN} -- {HOMES['tt60']}/bin/ttDaemonAdmin -startserver
true
"""


# Of an undone job these may stay: the empty place of exports, what utilities printed, who serves.
ALLOWED = {"state ./exports", "run job/N/export-orders.out", "run job/N/import-orders.out", "state ./servers"}


class BadWorld(World):
    def __init__(self, name, rows=300, server_lines=("DrainSec=1",), **more):
        super().__init__(name, rows=rows, server_lines=server_lines, **more)
        self.before = None
        self.references = {}
        self.expect(*KILLED)

    def boot(self, wait=True):
        if self.boots == 0:
            shutil.copy(roots.build_directory() / "tests/crash/libbadpoint.so", self.root / LIBRARY.lstrip("/"))
            self.write("/etc/systemd/system/timesten-job@.service.d/bad.conf",
                       f"[Service]\nEnvironment=LD_PRELOAD={LIBRARY} CRASH_DIRECTORY={CRASH}\nReadWritePaths=-{CRASH}\n")
            for unit in ("timesten-upgraded", "timesten-server@"):
                self.write(f"/etc/systemd/system/{unit}.service.d/clock.conf",
                           f"[Service]\nEnvironment=LD_PRELOAD={LIBRARY} CRASH_DIRECTORY={CLOCK}\n")
        return super().boot(wait)

    def remember(self):
        """The beginning that reset() goes back to: 6.0 serves, no job was ever there."""
        self.must_serve("tt60")
        self.shell(f"cd / && tar -cf /root/options.tar {OPTION_FILES}")
        self.backend = self.run("sed", "-n", "s/^-server //p", f"{HOMES['tt60']}/info/ttendaemon.options").out.strip()
        self.before = self.content("tt60", "orders")
        self.references["failed"] = self.look()

    # Points

    def arm(self, number=0, times=1, **where):
        """From the point (at= or match=) on TIMES calls fail with errno NUMBER, at most until disarm(); 0: none does."""
        place = "".join(f"{key.upper()}={value}\n" for key, value in where.items())
        self.shell(f"mkdir -p {CRASH}; rm -f {CRASH}/*")
        self.write(f"{CRASH}/control", f"{place}ERRNO={number}\nTIMES={times}\n")

    def disarm(self):
        self.run("rm", "-f", f"{CRASH}/control")

    def set_clock(self, seconds):
        """The time of day that worker, daemon and keeper see is wrong by so much from now on."""
        for place in (CRASH, CLOCK):
            self.write(f"{place}/clock", f"{seconds}\n")

    def shots(self):
        try:
            return self.read(f"{CRASH}/fired").splitlines()
        except FileNotFoundError:
            return []

    def points(self):
        """Every point of the job that just ran: [(name, what)]."""
        return [tuple(line.split(" ", 1)) for line in self.read(f"{CRASH}/log").splitlines()]

    def count_points(self, result="done", values=None):
        """An undisturbed job, its points, and what it leaves as the reference for RESULT."""
        self.arm()
        began = time.monotonic()
        report, number = self.upgrade_under_load(values)
        job = self.must_end(number, result)
        points = self.points()
        self.stop_and_check(report, result)
        if result == "done":
            # Units of a job are gone a moment after its end.
            self.references["done"] = wait_until(
                lambda: not any(line.startswith("unit ") for line in self.look(number)) and self.look(number), 5,
                "the units of the job to be gone")
        say(f"  undisturbed: {len(points)} points, {result} in {time.monotonic() - began:.1f} s"
            + (f" ({job['Error'][1]})" if result != "done" else ""))
        self.judge(number, result, None)
        return points

    # A job, and what came of it

    def wait_record(self, number, timeout=60):
        """Waits for the end of a record on the disk, whoever else is up; gives its result."""
        def ended():
            try:
                lines = self.read(f"{STATE}/jobs/{number}/record").splitlines()
            except FileNotFoundError:  # no worker has begun it yet
                return None
            return lines and lines[-1].split(" ")[3:4] == ["finish"] and re.search(r'result="([^"]*)"', lines[-1]).group(1)
        return wait_until(ended, timeout, f"job {number} to end", 0.1)

    def upgrade_under_load(self, values=None, clients=3):
        started = self.start_clients(clients, reconnect_every=8, think_ms=10)
        self.settle(started)
        return started, self.upgrade(values=values)

    def look(self, number=None):
        """What lies about, without what is another each time."""
        text = self.shell(LOOK, check=False).out
        if number:
            text = re.sub(rf"(jobs|exports|job)/{number}\b", r"\1/N", text)
        return set(text.splitlines())

    def look_settled(self, number, reference, without):
        """Units that are on their way out may take a moment."""
        end = time.monotonic() + 3
        while True:
            found = {line for line in self.look(number) if not without or not line.startswith(without)}
            if found == reference or time.monotonic() > end:
                return found
            time.sleep(0.1)

    def check_record(self, number):
        """Reads a record as state/ does: sums, numbers, an end."""
        lines = self.read(f"{STATE}/jobs/{number}/record").splitlines()
        for place, line in enumerate(lines, 1):
            seal, rest = line.split(" ", 1)
            equal(hashlib.sha256(rest.encode()).hexdigest()[:len(seal)], seal, f"the sum of line {place} of the record")
            equal(int(rest.split()[0]), place, "the number of a line of the record")
        equal(lines[-1].split()[3], "finish", "the last line of the record")

    def stop_and_check(self, clients, result, resets=0):
        """The clients' side: nobody was refused, and every acknowledged row is where the port leads now. RESETS: how many
        connects may have died with a keeper that had taken them already."""
        self.settle(clients, timeout=30)
        report = self.stop_clients(clients)
        serving = "tt70" if result == "done" else "tt60"
        with contextlib.redirect_stdout(io.StringIO()):
            lost = self.lost(serving, report)
        equal(lost, [], f"lost rows ({report})")
        check(report.troubles() - min(report.reset, resets) == 0, f"connects or statements that failed: {report}")
        return report

    def judge(self, number, result, clients, rebooted=False, resets=0):
        """Holds everything against what an undisturbed job with this result leaves."""
        serving = "tt70" if result == "done" else "tt60"
        self.must_serve(serving)
        if clients:
            self.stop_and_check(clients, result, resets)
        if rebooted:
            self.systemctl("start", "timesten@tt60.service")
        equal(self.content("tt60", "orders"), self.before, "the old database")
        if result == "done":
            equal(self.content("tt70", "orders"), self.before, "the new database")
        self.check_record(number)
        reference = set(self.references[result])
        if result != "done":
            # A job that was undone leaves its own records, and its directory in /run.
            reference |= {"state ./jobs/N", "state ./jobs/N/request", "state ./jobs/N/record", "run job/N",
                          "run job/N/progress"}
            reference |= {line for line in self.look(number) if line in ALLOWED}
        if rebooted:  # /run is another one
            reference = {line for line in reference if not line.startswith("run ")}
        found = self.look_settled(number, reference, "run " if rebooted else None)
        more, less = sorted(found - reference), sorted(reference - found)
        check(not more and not less, f"left behind: {more}; missing: {less}")

    def reset(self):
        for client in self.clients:
            client.process.kill()
        self.clients = []
        self.shell(RESET, check=False, timeout=120)
        self.say_to_keeper("/run/timesten-upgrade/control/main", f"open 127.0.0.1:{self.backend}")
        wait_until(lambda: self.ttclient("--sql", "select count(*) from items", check=False).status == 0, 20,
                   "the old server to answer after a reset", 0.1)
        self.utility("tt60", "ttIsql", "-v1", "-e", "drop table written;", "-connStr", "DSN=orders;AutoCreate=0", check=False)
