"""One of the lanes of a crash world: a server, a TimesTen 6.0 and a 7.0 of its own, and one job at a time on them.

Upgrades of different servers run side by side, so N lanes give N runs in the time of one: what a run takes is waiting (for
utilities, for the second and a half in which a new server must stay, for a worker to be started again), not computing.
Nothing in a lane knows of the others; what they share (PID 1, the daemon, the disk) real servers share too.
"""

import hashlib
import re

from container import Failed, wait_until
from harness import check, equal
from world import DAEMON_PORTS, HOMES, PORT, RELEASES, Report

CRASH = "/run/crashpoint"
STATE = "/var/lib/timesten-upgrade"
DATABASE = "orders"
CLIENTS = 2
PATIENCE = 180  # seconds, on a host so busy that others would have given up; how long a port may be held is not tested here


class Lane:
    def __init__(self, world, place):
        letter = "" if place == 0 else chr(ord("a") + place)
        self.world, self.server, self.port = world, "main" + letter, PORT + 10 * place
        self.old, self.new = "tt60" + letter, "tt70" + letter
        for name, kind in ((self.old, "tt60"), (self.new, "tt70")):
            HOMES[name] = f"/opt/TimesTen/{name}"
            RELEASES[name] = RELEASES[kind]
            DAEMON_PORTS[name] = DAEMON_PORTS[kind] + 10 * place
        self.clients = []
        self.number = None  # of the job at hand
        self.length = 0     # of its record when it was asked for

    # Points

    def arm(self, at=None, match=None, when="before", action="kill", times=1, errno=0):
        """The worker dies or stops TIMES times at the point (point.c); or so many calls of it fail with ERRNO from there on."""
        self.world.arm(self.server, at=at, match=match, when=when, action=action, times=times, errno=errno)

    def disarm(self):
        """Nothing fails any more."""
        self.world.run("rm", "-f", f"{CRASH}/{self.server}/control")

    def shots(self):
        return self.world.shots(self.server)

    def points(self):
        """Every point of the job that just ran: [(name, what)]."""
        return self.world.points(self.server)

    def lines(self, path):
        return self.world.lines(path)

    # Clients

    def start_clients(self, release="6.0.8"):
        self.clients = self.world.start_clients(CLIENTS, port=self.port, release=release, reconnect_every=8, think_ms=20,
                                                patience=PATIENCE)

    def settle(self, timeout=60):
        self.world.settle(self.clients, timeout)

    def stop_clients(self):
        report = Report(self.collect())
        self.clients = []
        return report

    def collect(self):
        for client in self.clients:
            client.stop()
        for client in self.clients:
            client.collect()
        self.world.clients = [client for client in self.world.clients if client not in self.clients]
        return self.clients

    # The job

    def record_lines(self):
        return self.lines(f"{STATE}/jobs/{self.number}/record") if self.number else []

    def find_job(self, known):
        """The number of a job of this server that is not among KNOWN."""
        for number in set(self.world.jobs_on_disk()) - known:
            if f"Server={self.server}" in self.lines(f"{STATE}/jobs/{number}/request"):
                return number
        return None

    def has_recorded(self, event, step):
        return any(line.split(" ")[3:5] == [event, step] for line in self.record_lines()[self.length:])

    def ended(self):
        """The result that the record ends with, or None."""
        lines = self.record_lines()
        if len(lines) <= self.length or lines[-1].split(" ")[3:4] != ["finish"]:
            return None
        told = re.search(r'result="([^"]*)"', lines[-1])
        return told and told.group(1)  # a line that was cut in half is dropped by the next worker

    def wait_record(self, timeout=90):
        """Waits for the end of the record on the disk, whoever else is up; gives its result."""
        result = wait_until(self.ended, timeout, f"job {self.number} to end", 0.1)
        self.world.results[int(self.number)] = result
        return result

    # What came of it

    def rows(self, instance):
        return set(self.world.sql(instance, DATABASE, "select ID, SEQ from written;"))

    def check_record(self):
        """Reads a record as state/ does: sums, numbers, an end."""
        lines = self.record_lines()
        for place, line in enumerate(lines, 1):
            seal, rest = line.split(" ", 1)
            equal(hashlib.sha256(rest.encode()).hexdigest()[:len(seal)], seal, f"the sum of line {place} of the record")
            equal(int(rest.split()[0]), place, "the number of a line of the record")
        equal(lines[-1].split()[3], "finish", "the last line of the record")

    def check_clients(self, serving, loses=None, resets=0):
        """The clients' side: nobody was refused, and every acknowledged row is where the port leads now. LOSES: the instance
        whose rows since the switch were given up knowingly. RESETS: how many connects may have died with a keeper that had
        taken them already."""
        self.settle(timeout=60)
        report = self.stop_clients()
        there = self.rows(serving)
        given_up = self.rows(loses) if loses else set()
        for client in report.clients:
            known = [f"{client.number}, {n}" for n in range(1, client.report["rows"]["acknowledged"] + 1)]
            missing = [row for row in known if row not in there and row not in given_up]
            check(not missing, f"{len(missing)} acknowledged rows are lost, the first {missing[:1]} ({report})")
            # What was acknowledged after the switch back is a tail without a hole.
            after = [row in there for row in known]
            check(after == sorted(after) and any(after), f"rows of client {client.number} are lost behind the switch")
        check(report.troubles() - min(report.reset, resets) == 0, f"connects or statements that failed: {report}")

    def judge(self, scenario, result, base, rebooted=False, resets=0):
        """Holds everything but what lies about (CrashWorld.look) against what an undisturbed job leaves."""
        serving = getattr(self, scenario.release)
        self.world.must_serve(serving, self.server, self.port, release=scenario.clients)
        told = self.world.job(self.number)
        if (told["State"], told["Result"]) != ("finished", result):
            raise Failed(f"the bus tells of job {self.number} {told['State']} {told['Result']}, the record {result}")
        if self.clients:
            self.check_clients(serving, self.new if scenario.loses and serving == self.old else None, resets)
        if scenario.stops:
            equal(self.world.unit(f"timesten@{self.old}.service"), "inactive", "the main daemon that nobody needs any more")
        if rebooted or scenario.stops:
            self.world.systemctl("start", f"timesten@{self.old}.service")
        if not scenario.destroys:
            equal(self.world.content(self.old, DATABASE), base, "the old database")
        if serving == self.new:
            equal(self.world.content(self.new, DATABASE), base, "the new database")
        self.world.judge_replication(self, scenario.replicates)
        self.check_record()
