"""Two servers are upgraded, rolled back, cancelled, held; meanwhile anybody is killed at random, and the power is cut.

Whatever happened, nobody mends anything: each row that a client was promised is there, no connect is refused while the
machine is up, and once the killing ends every job ends and every server serves. `monkey SEED SECONDS` runs it.
"""

import contextlib
import os
import random
import re
import signal
import sys
import time
from pathlib import Path

from crashworld import STATE, check, run, say, wait_until
from harness import tally
from ledger import Ledger
from world import ADMIN, DAEMON_PORTS, HOMES, RELEASES, World, store

DSN = "orders"
# Server → port, the instances of the old and of the new release.
SERVERS = {"main": (16002, "tt60", "tt70"), "south": (16012, "south60", "south70")}
HOMES |= {name: f"/opt/TimesTen/{name}" for name in ("south60", "south70")}
RELEASES |= {"south60": RELEASES["tt60"], "south70": RELEASES["tt70"]}
DAEMON_PORTS |= {"south60": 16100, "south70": 17100}

BOOT, CALM = 60, 150  # seconds that a boot, and the way back to peace, may take on a busy host
DIED = r"code=dumped|status=\d+/(ABRT|SEGV|BUS|FPE|ILL)|segfault|AddressSanitizer|runtime error|assertion .* failed|LeakSanitizer"


class MonkeyWorld(World):
    def __init__(self, name):
        super().__init__(name, rows=300, instances=[one for _, *both in SERVERS.values() for one in both],
                         server_lines=["DrainSec=1"])

    def boot(self, wait=True):
        if self.boots == 0:
            port, old, _ = SERVERS["south"]
            self.declare_server("south", port, self.databases, old, *self.server_lines)
        return super().boot(wait)

    def create_databases(self):
        for _, old, _ in SERVERS.values():
            self.systemctl("start", f"timesten@{old}.service")
            self.sql(old, DSN, "create table items (id integer not null primary key);",
                     *[f"insert into items values ({number});" for number in range(20)], create=True)

    def assert_quiet_journal(self):
        """Everybody complains when everybody is killed; but nobody may die by himself."""
        for line in self.journal():
            check(not re.search(DIED, line["MESSAGE"]), f"the journal: {line['MESSAGE']}")

    def processes_inside(self):
        """(pid as this host knows it, name, control group) of everybody in the machine but PID 1."""
        mine = os.readlink(f"/proc/{self.pid}/ns/pid")
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if os.readlink(place / "ns/pid") == mine and int(place.name) != self.pid:
                    yield int(place.name), (place / "comm").read_text().strip(), (place / "cgroup").read_text()


# The kernel cuts names at 15 characters.
VICTIMS = {"worker": "upgrade-job", "keeper": "port-keeper", "daemon": "timesten-upgrad", "main daemon": "timestend",
           "sub-daemon": "timestensubd", "TimesTen Server": "ttcserver", "bus": "dbus-daemon", "polkit": "polkitd",
           "journal": "systemd-journal", "login": "systemd-logind", "generator": "timesten-genera"}


class Monkey:
    def __init__(self, world, seed, seconds):
        self.world, self.random = world, random.Random(seed)
        self.began = time.monotonic()
        self.end = self.began + seconds
        self.ledgers = {server: Ledger(world, server, port, DSN, RELEASES[old], RELEASES[new],
                                       forward=lambda server=server: self.rolled_forward(server))
                        for server, (port, old, new) in SERVERS.items()}
        self.holds, self.stopped = {}, {}  # server, unit → when the administrator comes back to it
        self.asked = []                    # (words, process)
        self.up = []                       # [since, until]: when every port was there
        self.killed, self.cuts, self.slowest = {}, 0, 0

    def log(self, *words):
        say(f"  {time.monotonic() - self.began:7.2f}", *words)

    # What an administrator may do

    def ask(self, what, *words):
        """Types a command and does not wait for it."""
        self.asked.append((what, self.world.popen(*words)))

    def answers(self):
        for what, process in list(self.asked):
            if process.poll() is not None:
                out, err = process.communicate()
                self.log(f"    {what}: exit {process.returncode}", (out + err).strip().replace("\n", " | ")[:200])
                self.asked.remove((what, process))
                self.world.processes.remove(process)
                # Who is told to try again, or is told nothing, does: what he holds is his to open.
                if what.startswith("Resume ") and re.search(r"[Tt]ry again|works on server|reset by peer|disconnected", out + err):
                    self.holds[what.split()[1]] = time.monotonic() + 1

    def call(self, server, method, signature="a{sv}", *words):
        self.ask(f"{method} {server}", "busctl", "--timeout=60", "call", "org.timesten.Upgrade1",
                 f"/org/timesten/Upgrade1/server/{server}", "org.timesten.Upgrade1.Server", method, signature, *words)

    def upgrade(self, server):
        self.tidy(server)
        self.call(server, "Upgrade", "sa{sv}", SERVERS[server][2], 0)
        return f"ask for an upgrade of {server}"

    def rollback(self, server):
        allow = self.random.random() < 0.8
        self.call(server, "Rollback", "a{sv}", *([1, "allow-data-loss", "b", "true"] if allow else [0]))
        return f"ask for a rollback of {server}" + ("" if allow else " that may lose nothing")

    def job_verb(self, verb, of):
        chosen = [number for number, job in self.jobs().items() if of(job)]
        if not chosen:
            return None
        number = self.random.choice(chosen)
        self.ask(f"{verb} {number}", "busctl", "--timeout=60", "call", "org.timesten.Upgrade1",
                 f"/org/timesten/Upgrade1/job/{number}", "org.timesten.Upgrade1.Job", verb, "a{sv}", 0)
        return f"{verb.lower()} job {number}"

    def cancel(self, server):
        return self.job_verb("Cancel", lambda job: job[2] is None)

    def retry(self, server):
        return self.job_verb("Retry", lambda job: job[2] == "needs-attention")

    def hold(self, server):
        self.holds[server] = time.monotonic() + self.random.uniform(0.5, 4)
        self.call(server, "Hold", "ta{sv}", 10_000_000, 0)
        return f"hold {server}"

    def look_around(self, server):
        self.ask("ttctl status", "ttctl", "status")
        return "ask for the status"

    def restart(self, server):
        unit = self.random.choice([f"timesten-server@{server}.service", f"timesten@{SERVERS[server][1]}.service",
                                   f"timesten@{SERVERS[server][2]}.service", "timesten-upgraded.service", "dbus.service",
                                   "polkit.service", "systemd-journald.service",
                                   *[f"timesten-job@{number}.service" for number, job in self.jobs().items() if not job[2]]])
        # An instance that nobody uses is left alone.
        verb = "try-restart" if unit.startswith("timesten@") else "restart"
        self.ask(f"{verb} {unit}", "systemctl", verb, unit)
        return f"systemctl {verb} {unit}"

    def stop(self, server):
        unit = f"timesten-server@{server}.service" if self.random.random() < 0.5 else f"timesten@{self.backing(server)}.service"
        self.stopped[unit] = time.monotonic() + self.random.uniform(0.5, 4)
        self.ask(f"stop {unit}", "systemctl", "stop", unit)
        return f"systemctl stop {unit}"

    def reload(self, server):
        verb = self.random.choice(["daemon-reload", "daemon-reexec"])
        self.ask(verb, "systemctl", verb)
        return f"systemctl {verb}"

    def come_back(self, anyway=False):
        """Ends what the administrator himself began: his holds, his stops."""
        for server, when in list(self.holds.items()):
            if anyway or time.monotonic() > when:
                self.call(server, "Resume", "a{sv}", 0)
                self.log(f"resume {server}")
                del self.holds[server]
        for unit, when in list(self.stopped.items()):
            if anyway or time.monotonic() > when:
                self.ask(f"start {unit}", "systemctl", "start", unit)
                self.log(f"systemctl start {unit}")
                del self.stopped[unit]

    def tidy(self, server):
        """After a rollback the new release still has its databases, which stand in the way of another upgrade."""
        _, old, new = SERVERS[server]
        if self.backing(server) != old or any(job[0] == server and not job[2] for job in self.jobs().values()):
            return
        if not (self.world.root / store(new, DSN).lstrip("/")).with_suffix(".ds0").exists():
            return
        self.ledgers[server].give_up()
        self.log(f"destroy {DSN} of {new}")
        done = self.world.shell(f"systemctl start timesten@{new}.service; "
                                f"runuser -u {ADMIN} -- {HOMES[new]}/bin/ttDestroy -wait -timeout 10 {DSN}", check=False)
        if done.status:
            self.log("    ", done.err.strip() or done.out.strip())

    # What nobody asks for

    def kill(self, server):
        names = sorted(set(VICTIMS) | {"utility"})
        what = self.random.choice(names)
        there = [one for one in self.world.processes_inside()
                 if ("timesten-util-" in one[2] if what == "utility" else one[1] == VICTIMS[what])]
        if not there:
            return None
        pid, name, _ = self.random.choice(sorted(there))
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        self.killed[what] = self.killed.get(what, 0) + 1
        return f"kill {what} ({name})"

    def cut_power(self):
        self.cuts += 1
        self.up[-1][1] = time.monotonic()
        self.log("cut the power")
        self.world.cut_power()
        for ledger in self.ledgers.values():
            ledger.stop(abruptly=True)
        for _, process in self.asked:
            process.kill()
            process.communicate()
            self.world.processes.remove(process)
        self.asked, self.stopped = [], {}  # what was stopped by hand starts at boot
        self.boot()
        if self.random.random() < 0.7:
            took = self.wait_served()
            self.slowest = max(self.slowest, took)
            self.log(f"every server answers, with all rows, {took:.1f} s after its port was there")

    def boot(self):
        if self.world.pid is None:
            self.world.boot(wait=False)
            wait_until(lambda: all(port in self.world.listeners() for port, *_ in SERVERS.values()), BOOT, "the ports after a boot")
        self.up.append([time.monotonic(), None])
        for ledger in self.ledgers.values():
            ledger.start()

    # Looking

    def jobs(self):
        """{number: (server, kind, result or None)}, from the disk."""
        found = {}
        for place in (self.world.root / STATE.lstrip("/") / "jobs").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                request = (place / "request").read_text()
                record = (place / "record").read_text().splitlines() if (place / "record").exists() else []
                ended = record and re.search(r' finish .*result="([^"]*)"', record[-1])
                # A retry writes behind the end.
                found[int(place.name)] = (re.search(r"^Server=(.*)$", request, re.M)[1],
                                          re.search(r"^Kind=(.*)$", request, re.M)[1], ended[1] if ended else None)
        return found

    def rolled_forward(self, server):
        """How many rollbacks to the new release, of one to the old release that is, came to their commit."""
        found = 0
        for place in (self.world.root / STATE.lstrip("/") / "jobs").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                request = (place / "request").read_text()
                found += (f"\nTo={SERVERS[server][2]}\n" in request and "\nKind=rollback\n" in request
                          and " begin commit " in (place / "record").read_text())
        return found

    def backing(self, server):
        try:
            text = (self.world.root / STATE.lstrip("/") / "servers" / server).read_text()
        except OSError:
            return SERVERS[server][1]
        return re.search(r"^Instance=(.*)$", text, re.M)[1]

    def wait_served(self):
        """Every server answers a new client, with every row; how long that took."""
        began = time.monotonic()
        for ledger in self.ledgers.values():
            wait_until(lambda: ledger.compare() is not None, CALM, f"{ledger.server} to answer", 0.3)
        return time.monotonic() - began

    def trouble(self):
        """Why this is not peace yet, or None."""
        jobs = [f"job {number} ({job[1]} of {job[0]})" for number, job in self.jobs().items() if not job[2]]
        if jobs:
            return f"{', '.join(jobs)} has not ended"
        for server in SERVERS:
            told = self.world.bus.properties("Server", server)
            if told["State"] != "serving":
                return f"{server} is {told['State']}: {told}"
        return None

    # The whole

    def act(self):
        chosen = self.random.choices([self.kill, self.upgrade, self.rollback, self.cancel, self.retry, self.hold, self.look_around,
                                      self.restart, self.stop, self.reload], [12, 5, 2, 1, 2, 1, 1, 2, 1, 2])[0]
        told = chosen(self.random.choice(sorted(SERVERS)))
        if told:
            self.log(told)
        return told

    def rage(self):
        next_cut, weather_ends, pace = 0, 0, 1
        while (now := time.monotonic()) < self.end:
            if not next_cut:
                next_cut = now + self.random.uniform(12, 45)
            if now > weather_ends:
                weather_ends, pace = now + self.random.uniform(8, 20), self.random.choice([0.3, 0.6, 1, 2])
            if now > next_cut:
                self.cut_power()
                next_cut = 0
            elif self.act():
                time.sleep(min(self.random.expovariate(1 / pace), 5))
            self.answers()
            self.come_back()

    def find_peace(self):
        """Nobody does anything any more, but what he began himself."""
        self.log("peace")
        self.come_back(anyway=True)
        began, why = time.monotonic(), "nobody looked"
        while why:
            check(time.monotonic() < began + CALM, f"left to itself for {CALM} s: {why}")
            time.sleep(0.3)
            self.answers()
            self.come_back()
            try:
                why = self.trouble()
            except Exception as error:  # a bus that is not up again yet
                why = str(error)
        self.log(f"every job has ended and every server serves, {time.monotonic() - began:.1f} s after the last blow")

    def judge(self):
        since = time.monotonic()
        wait_until(lambda: all(ledger.last > since for ledger in self.ledgers.values()), 60, "the clients of each server to go on")
        for ledger in self.ledgers.values():
            ledger.stop()
        self.up[-1][1] = time.monotonic()
        self.wait_served()
        jobs = self.jobs()
        for server, ledger in self.ledgers.items():
            check(not ledger.problems, f"{server}: {ledger.problems}")
            done = sum(job == (server, "rollback", "done") for job in jobs.values())
            check(len(ledger.given_up) <= done, f"{server} went back {len(ledger.given_up)} times, but {done} rollbacks were done")
            refused = [f"{when - self.began:.2f} {words}" for when, words in ledger.refused
                       if any(since <= when < until - 0.1 for since, until in self.up)]
            check(not refused, f"{server}: {len(refused)} connects were refused while the machine was up: {refused[:5]}")
            say(f"  {server}: rows acknowledged {ledger.acknowledged}, lost 0, given up by {len(ledger.given_up)} rollbacks as "
                f"announced {sum(ledger.given_up)}; connects refused 0; " +
                ", ".join(f"{kind} {number}" for kind, number in ledger.troubles.items() if kind != "refused"))
        needy = {number: job for number, job in jobs.items() if job[2] == "needs-attention"}
        check(not needy, f"jobs that need a person: {needy}")


def count(jobs, kind, result):
    return sum(job[1:] == (kind, result) for job in jobs.values())


def test(world):
    seed, seconds = int(sys.argv[1]), float(sys.argv[2])
    say(f"  seed {seed}, {seconds:g} s")
    monkey = Monkey(world, seed, seconds)
    monkey.boot()
    monkey.rage()
    monkey.find_peace()
    monkey.judge()
    jobs = monkey.jobs()
    kills = sum(monkey.killed.values())
    say("  killed: " + ", ".join(f"{number} {what}" for what, number in sorted(monkey.killed.items())))
    say(f"  {len(jobs)} jobs; {monkey.cuts} power cuts" +
        (f", after which all rows were there within {monkey.slowest:.1f} s" if monkey.slowest else ""))
    tally("kill", kills, "at random", done=kills)
    if monkey.cuts:
        tally("power-cut", monkey.cuts, "at random", done=monkey.cuts)
    tally("job", len(jobs), "among random kills", done=count(jobs, "upgrade", "done"), back=count(jobs, "rollback", "done"),
          undone=count(jobs, "upgrade", "failed") + count(jobs, "rollback", "failed"),
          cancelled=count(jobs, "upgrade", "cancelled") + count(jobs, "rollback", "cancelled"))


run(test, machine=MonkeyWorld)
