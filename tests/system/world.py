"""The world most tests begin in: TimesTen 6.0 and 7.0 side by side, one server, a database with rows.

    instances   tt60 (release 6.0.8, daemon port 16000) and tt70 (7.0.6, 17000), both of the user ttadmin
    server      main: port 16002, backed by tt60; its databases are in both installations, with paths of their own
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys

import roots
from bus import Bus, options
from container import Container, Failed, equal, wait_until
from roots import say

ADMIN = "ttadmin"
PORT = 16002
HOMES = {"tt60": "/opt/TimesTen/tt60", "tt70": "/opt/TimesTen/tt70"}
RELEASES = {"tt60": "6.0.8", "tt70": "7.0.6"}
DAEMON_PORTS = {"tt60": 16000, "tt70": 17000}
ADMINS = {}  # of instances that are not ADMIN's
FINISHED = "finished"
SLOW = {"migrate-rows-per-second": 1500}


def define_instance(name, release, daemon_port, admin=ADMIN):
    """One more that a test may name as one of its machine's instances."""
    HOMES[name], RELEASES[name], DAEMON_PORTS[name], ADMINS[name] = f"/opt/TimesTen/{name}", release, daemon_port, admin


# What a healthy machine of this kind writes in any case: a container may not raise limits or touch the kernel.
ALWAYS_EXPECTED = [
    r"dbus-daemon: .*Failed to set fd limit",
    r"systemd-udevd|systemd-sysctl: .*(Read-only|not permitted)",
    r"systemd: .*(bpf|BPF|cgroup|Cgroup|hugepages|kmod)",
    # A 6.0 client needs -insecure-backwards-compat on 7.0: the check says so before each upgrade of this world.
    r"upgrade-job: Check backwards-compat",
]


def store(instance, database):
    return f"/var/lib/{ADMINS.get(instance, ADMIN)}/{instance}/{database}"


class World(Container):
    def __init__(self, name, databases=("orders",), rows=5000, instances=("tt60", "tt70"), server_lines=(), **more):
        super().__init__(name, **more)
        self.databases, self.rows, self.instances = list(databases), rows, list(instances)
        self.server_lines = list(server_lines)
        self.bus = Bus(self)
        self.clients = []
        self.client_number = 0
        self.gates = 0
        self.results = {}  # of jobs that were waited for: {number: result}
        self.expected = list(ALWAYS_EXPECTED)

    def __enter__(self):
        super().__enter__()
        try:
            for instance in self.instances:
                self.install_instance(instance)
            # As a careful administrator would: ADMIN is a regular user, whose logout must not take shared memory away.
            self.write("/etc/systemd/logind.conf.d/50-timesten.conf", "[Login]\nRemoveIPC=no\n")
            self.declare_server("main", PORT, self.databases, "tt60", *self.server_lines)
            self.boot()
            self.create_databases()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    # Setting up

    def store_path(self, instance, database):
        """DataStore= of a database in an instance."""
        return store(instance, database)

    def install_instance(self, name, release=None, daemon_port=None, home=None, server_port=None, declare=True):
        """A stand-in of TimesTen as its installer would leave it, and its declaration for the product."""
        release, home = release or RELEASES[name], home or HOMES[name]
        port = daemon_port or DAEMON_PORTS[name]
        # Inside the root, because the programs may be those of another Debian release than the machine's.
        tools = self.root / "tmp/standin"
        if not tools.is_dir():
            tools.mkdir()
            for file in ("install", "install-dsn"):
                shutil.copy(roots.SOURCE / "tests/standin" / file, tools)
            for file in ("standin-timesten", "ttclient"):
                shutil.copy(roots.build_directory() / "tests/standin" / file, tools)
            shutil.copy(tools / "ttclient", self.root / "usr/local/bin/ttclient")
        if server_port is None:
            server_port = PORT if name == "tt60" else port + 2
        roots.in_root(self.root, "/tmp/standin/install", "--build", "/tmp/standin", "/", home, release, name, str(port),
                      str(server_port), ADMINS.get(name, ADMIN))
        for database in self.databases:
            roots.in_root(self.root, "/tmp/standin/install-dsn", "/", home, database, self.store_path(name, database))
        if declare:
            self.write(f"/etc/timesten-upgrade/instances.d/{name}.conf", f"[Instance]\nHome={home}\n")

    def declare_server(self, name, port, databases, instance, *lines, enable=True):
        text = [f"[Server]\nListen={port}\nDatabases={' '.join(databases)}\nInstance={instance}", *lines]
        self.write(f"/etc/timesten-upgrade/servers.d/{name}.conf", "\n".join(text) + "\n")
        if enable and not self.pid:
            roots.in_root(self.root, "systemctl", "enable", f"timesten-server@{name}.socket")

    def create_databases(self, instance="tt60", unit=None):
        self.systemctl("start", unit or f"timesten@{instance}.service")
        for database in self.databases:
            statements = ["create table items (id integer not null primary key, name varchar(64), amount integer);",
                          "insert into items values (1, 'item 1', 31);"]
            there = 1
            while there < self.rows:
                # Doubling what is there: few statements for many rows.
                statements.append(f"insert into items select id + {there}, 'item ' || (id + {there}) || ' of many', "
                                  f"(id + {there}) * 31 from items where id <= {min(there, self.rows - there)};")
                there += min(there, self.rows - there)
            self.sql(instance, database, *statements, create=True)

    # TimesTen's own commands, as the administrator would type them

    def utility(self, instance, name, *words, check=True, timeout=120):
        return self.run(f"{HOMES[instance]}/bin/{name}", *words, user=ADMIN, check=check, timeout=timeout)

    def sql(self, instance, database, *statements, create=False):
        """Rows of "< a, b >"; an error line of ttIsql fails the test, because its exit status would not tell."""
        auto = "" if create else ";AutoCreate=0"
        done = self.utility(instance, "ttIsql", "-v1", "-e", " ".join(statements), "-connStr", f"DSN={database}{auto}")
        errors = re.findall(r"^\s*\d{3,5}: .*", done.out, re.M)
        if errors:
            raise Failed(f"ttIsql on {database} of {instance}: {errors[0]}")
        return re.findall(r"^< (.*) >$", done.out, re.M)

    def content(self, instance, database):
        """Number of rows and a checksum over every row that was there before the upgrade."""
        rows = self.sql(instance, database, "select id, name, amount from items order by id;")
        return len(rows), hashlib.sha256("\n".join(rows).encode()).hexdigest()

    def faults(self, instance, *lines):
        """Fault injection, one line each (tests/standin/README.md)."""
        self.write(f"{HOMES[instance]}/.standin/faults", "".join(f"{line}\n" for line in lines))

    def gate(self, instance, command, *more):
        """A place at which the next COMMAND ("ttMigrate -c at=50") waits until somebody opens it, so that a test can act in
        the middle of a step on any machine. MORE: other faults that hold meanwhile."""
        self.gates += 1
        gate = Gate(self, instance, f"/run/gate-{self.gates}")
        self.faults(instance, f"{command} until={gate.path}", *more)
        return gate

    def tune(self, instance, values):
        """Speeds of the stand-in: SLOW makes steps of seconds that a test can look at."""
        self.write(f"{HOMES[instance]}/.standin/tune", "".join(f"{key}={value}\n" for key, value in values.items()))

    def lock_options(self, instance):
        """From now on nobody but root can replace the instance's option file, until unlock_options()."""
        self.run("chown", "root:root", f"{HOMES[instance]}/info")
        self.run("chmod", "755", f"{HOMES[instance]}/info")

    def unlock_options(self, instance):
        admin = ADMINS.get(instance, ADMIN)
        self.run("chown", f"{admin}:{admin}", f"{HOMES[instance]}/info")

    def listeners(self):
        """Who listens where: port → process names."""
        found = {}
        for line in self.run("ss", "-Hltnp").out.splitlines():
            port = int(line.split()[3].rsplit(":", 1)[1])
            found.setdefault(port, set()).update(re.findall(r'\("([^"]+)"', line))
        return found

    def servers(self, instance):
        """Process ids of an instance's TimesTen Server, without its children for sessions: none, or one."""
        found = self.shell("for p in $(pgrep -x ttcserver -P \"$(pgrep -d, -x timestend)\"); do "
                           "echo $p $(readlink /proc/$p/exe); done", check=False).out
        return [line.split()[0] for line in found.splitlines() if f" {HOMES[instance]}/" in line]

    @contextlib.contextmanager
    def taken_port(self, port):
        """A stranger who listens on PORT, and is gone at the end."""
        stranger = subprocess.Popen(["nsenter", "-t", str(self.pid), "-n", "--", sys.executable, "-c",
                                     f"import socket, time; s = socket.create_server(('0.0.0.0', {port})); time.sleep(600)"])
        self.processes.append(stranger)
        wait_until(lambda: port in self.listeners(), 10, f"a stranger to listen on {port}")
        yield
        stranger.kill()
        stranger.wait()

    def connects(self, port=PORT):
        """Whether a bare connect on PORT is accepted and stays so: a refusing port resets it."""
        script = ("import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5); s.settimeout(1)\n"
                  "try: sys.exit(0 if s.recv(1) else 1)\nexcept TimeoutError: pass\nexcept OSError: sys.exit(1)")
        return subprocess.run(["nsenter", "-t", str(self.pid), "-n", "--", sys.executable, "-c", script, str(port)],
                              stderr=subprocess.DEVNULL).returncode == 0

    def say_to_keeper(self, control, line, user=None):
        """The keeper's answer to one line, or why there was none."""
        script = ("use IO::Socket::UNIX; my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or print(\"error $!\"), exit;"
                  " print $s \"$ARGV[1]\\n\"; $s->flush; print scalar <$s> // 'error closed';")
        return self.run("perl", "-e", script, control, line, user=user, check=False).out.strip()

    def keeper(self, key, server="main"):
        """What a server's port keeper says: its state, or one of its counters."""
        told = self.say_to_keeper(f"/run/timesten-upgrade/control/{server}", "status")
        value = re.search(rf"\b{key}=(\S+)", told).group(1)
        return int(value) if value.isdigit() else value

    # Clients

    def ttclient(self, *words, port=PORT, database="orders", release="6.0.8", **more):
        return self.run("ttclient", "--server", f"127.0.0.1:{port}", "--dsn", database, "--client-release", release, *words,
                        user="guest", **more)

    def start_clients(self, count, port=PORT, database="orders", release="6.0.8", think_ms=20, reconnect_every=15,
                      patience=60):
        """Applications that write row after row and reconnect, until stop_clients(). PATIENCE: how many seconds they wait for
        a connect; more where a test itself holds the port for long."""
        started = []
        for _ in range(count):
            self.client_number += 1
            started.append(Client(self.client_number, database, port, self.popen(
                "setpriv", "--reuid=guest", "--regid=guest", "--clear-groups", "ttclient", "--load", "--server",
                f"127.0.0.1:{port}", "--dsn", database, "--client-release", release, "--table", "written", "--create", "--id",
                self.client_number, "--think", think_ms, "--reconnect-every", reconnect_every,
                "--first-connect-timeout", patience, "--connect-timeout", patience), release))
        self.clients += started
        return started

    def settle(self, clients=None, timeout=60):
        """Waits until each client has written a row from now on."""
        clients = self.clients if clients is None else clients
        for database, port, release in {(client.database, client.port, client.release) for client in clients}:
            wanted = {str(client.number) for client in clients if (client.database, client.port) == (database, port)}
            first = self.written(database, port, release)

            def moved():
                now = self.written(database, port, release)
                return now is not None and all(int(now.get(one, 0)) > int((first or {}).get(one, 0)) for one in wanted)
            wait_until(moved, timeout, f"every client of {database} to write a row", 0.1)

    def written(self, database, port=PORT, release="6.0.8"):
        """How many rows each client has in the database that now serves, or None where nobody can tell."""
        done = self.ttclient("--sql", "select ID, max(SEQ) from written group by ID", database=database, port=port,
                             release=release, check=False)
        return dict(re.findall(r"^< (\d+), (\d+) >$", done.out, re.M)) if done.status == 0 else None

    def stop_clients(self, clients=None):
        """Ends them in order and gives their reports, summed up."""
        clients = self.clients if clients is None else clients
        for client in clients:
            client.stop()
        for client in clients:
            client.collect()
        total = Report(clients)
        self.clients = [client for client in self.clients if client not in clients]
        return total

    def end_clients(self, instance, clients=None):
        """The same, where each connect must have led to a session, and each row that was acknowledged must be in INSTANCE."""
        report = self.stop_clients(clients)
        equal(self.lost(instance, report), [], f"rows that were acknowledged and are not in {instance}")
        equal(report.troubles(), 0, "connects or statements that failed")
        return report

    def stop_clients_abruptly(self):
        """As if their own hosts were switched off: nothing is reported."""
        for client in self.clients:
            client.process.kill()
            client.process.wait()
        self.clients = []

    def lost(self, instance, report):
        """Rows that a client saw committed and that are not in the databases of INSTANCE."""
        lost = []
        found = 0
        for database in {client.database for client in report.clients}:
            there = set(self.sql(instance, database, "select ID, SEQ from written;"))
            for client in report.clients:
                if client.database == database:
                    # A client writes n + 1 only when it knows that n is there.
                    for n in range(1, client.report["rows"]["acknowledged"] + 1):
                        if f"{client.number}, {n}" in there:
                            found += 1
                        else:
                            lost.append((database, client.number, n))
        report.found, report.lost = found, lost
        say(f"  {report}")
        return lost

    # The product

    def upgrade(self, server="main", target="tt70", values=None, **more):
        """Upgrade over the bus; the number of the job."""
        return self.bus.server(server, "Upgrade", "sa{sv}", target, *options(values), **more)[0]

    def job(self, number):
        return self.bus.properties("Job", number)

    def wait_job(self, number, timeout=180):
        job = {}

        def ended():
            nonlocal job
            job = self.job(number)
            return job["State"] == FINISHED
        wait_until(ended, timeout, f"job {number} to end: {job}", 0.2)
        self.results[int(number)] = job["Result"]
        return job

    def wait_step(self, number, step, timeout=60):
        def reached():
            job = self.job(number)
            if job["State"] == FINISHED and job["Step"] != step:
                raise Failed(f"job {number} ended before {step}: {job['Result']} {job['Error']}")
            return any(one[0] == step and one[2] != "pending" for one in job["Steps"])
        wait_until(reached, timeout, f"job {number} to come to {step}", 0.05)

    def must_end(self, number, result, timeout=180):
        job = self.wait_job(number, timeout)
        if job["Result"] != result:
            raise Failed(f"job {number} ended {job['Result']}, wanted {result}: {job['Error']}")
        return job

    def must_serve(self, instance, server="main", port=PORT, database="orders", release="6.0.8", state="serving"):
        """The bus, the disk and a new client must all say that INSTANCE serves."""
        told = self.bus.properties("Server", server)
        if told["Instance"] != instance or told["State"] != state:
            raise Failed(f"{server} should be served by {instance}: {told}")
        answer = self.ttclient(port=port, database=database, release=release)
        version = RELEASES[instance]
        if version not in answer.out + answer.err:
            raise Failed(f"a new client was not served by {version}: {answer}")

    # What a job left behind

    def record(self, number):
        """Lines of a job's record: (seconds since the epoch, event, step, {key: value})."""
        lines = []
        for line in self.read(f"/var/lib/timesten-upgrade/jobs/{number}/record").splitlines():
            _, _, usec, event, step, *rest = line.split(" ", 5)
            lines.append((int(usec) / 1e6, event, step, dict(re.findall(r'(\S+)="((?:[^"\\]|\\.)*)"', " ".join(rest)))))
        return lines

    def step_seconds(self, number):
        """How long each step took: {step: seconds}."""
        began, took = {}, {}
        for when, event, step, _ in self.record(number):
            if event == "begin":
                began.setdefault(step, when)
            elif event in ("end", "fail") and step in began:
                took[step] = when - began[step]
        return took

    def held_span(self, number):
        """When the port began to be held and when it was open again, in seconds since the epoch."""
        lines = self.record(number)
        return (next(when for when, event, step, _ in lines if (event, step) == ("begin", "hold")),
                next(when for when, _, step, values in lines if step == "resume" and "held" in values))

    def held_clock(self, number):
        """The same by the monotonic clock."""
        lines = self.record(number)
        begin = int(next(values for _, event, step, values in lines if (event, step) == ("begin", "hold"))["monotonic"]) / 1e6
        return begin, begin + int(next(values for _, _, step, values in lines if step == "resume" and "held" in values)["held"]) / 1e6

    def utility_spans(self, number):
        """What a job ran, as the worker tells: [(begin, end, name, instance)], by the monotonic clock, in seconds."""
        found = [re.fullmatch(r"(\S+) of instance (\S+) ran for (\d+) us from (\d+) us on", line["MESSAGE"])
                 for line in self.journal(f"JOB={number}")]
        return [(int(began) / 1e6, (int(began) + int(ran)) / 1e6, name, instance)
                for name, instance, ran, began in (told.groups() for told in found if told)]

    # The end

    def expect(self, *patterns):
        """Lines of the journal that this test brings about itself."""
        self.expected += patterns

    def cut_power(self):
        # What children of PID 1 say on 257 when that is gone, and who asked it something: our way of cutting the power, not
        # the product's doing.
        self.expect("Failed to send (handoff timestamp|user credentials to PID1)",
                    "timesten-upgraded: .*Message recipient disconnected from message bus")
        super().cut_power()

    def assert_quiet_journal(self):
        """No error of anybody, no warning of ours, no process that died by itself, but what was expected."""
        for line in self.journal():
            who = line.get("SYSLOG_IDENTIFIER", line.get("_COMM", "?"))
            message = f"{who}: {line['MESSAGE']}"
            ours = "timesten" in line.get("_SYSTEMD_UNIT", line.get("UNIT", "")) or "timesten" in message
            level = int(line.get("PRIORITY", 6))
            died = re.search(r"code=dumped|segfault|AddressSanitizer|runtime error|assertion .* failed", message)
            if (level <= 3 or (level == 4 and ours) or died) and not any(re.search(one, message) for one in self.expected):
                raise Failed(f"the journal holds an unexpected line (priority {level}): {message}")


def end_inside(process, number):
    """Sends a signal to a command of popen(): nsenter stands in front and would keep it to itself."""
    for child in open(f"/proc/{process.pid}/task/{process.pid}/children").read().split():
        os.kill(int(child), number)


class Gate:
    """Made by World.gate()."""

    def __init__(self, world, instance, path):
        self.world, self.path = world, path
        self.fired = f"{HOMES[instance]}/.standin/fired"

    def wait(self, count=1, timeout=60):
        """Until COUNT processes wait."""
        wait_until(lambda: self.world.read(self.fired).count(f"waits for {self.path}\n") >= count, timeout,
                   f"{count} to come to {self.path}")

    def open(self):
        self.world.write(self.path, "")


class Client:
    def __init__(self, number, database, port, process, release):
        self.number, self.database, self.port, self.process, self.release = number, database, port, process, release
        self.report = None

    def stop(self):
        end_inside(self.process, signal.SIGTERM)

    def collect(self):
        out, err = self.process.communicate(timeout=120)
        try:
            self.report = json.loads(out.splitlines()[-1])
        except (IndexError, ValueError):
            raise Failed(f"client {self.number} gave no report: {out[-500:]}{err[-500:]}") from None


class Report:
    """What a group of clients saw, summed up."""

    def __init__(self, clients):
        self.clients = clients
        reports = [client.report for client in clients]

        def total(group, key):
            return sum(one[group][key] for one in reports)
        self.tried, self.refused = total("connects", "tried"), total("connects", "refused")
        self.reset, self.timed_out = total("connects", "reset"), total("connects", "timed_out")
        self.rejected = total("connects", "rejected") + total("connects", "failed")
        self.cut, self.written = total("sessions", "cut"), total("rows", "acknowledged")
        self.stuck = total("sessions", "statement_timeouts") + total("rows", "unresolved")
        self.longest_ms = max((one["longest_wait_ms"]["connect"] for one in reports), default=0)
        self.words = {one["last_error"] for one in reports if one["last_error"]}
        self.found, self.lost = None, None

    def troubles(self):
        """Connects that did not lead to a session, and statements without an answer: there should be none."""
        return self.refused + self.reset + self.timed_out + self.rejected + self.stuck

    def __str__(self):
        text = (f"{len(self.clients)} clients: connects made {self.tried}, refused {self.refused}, reset {self.reset}, "
                f"timed out {self.timed_out}, rejected {self.rejected}, sessions cut {self.cut}, "
                f"longest wait {self.longest_ms / 1000:.1f} s; rows written {self.written}")
        if self.found is not None:
            text += f", found {self.found}, lost {len(self.lost)}"
        return f"{text}; {sorted(self.words)}" if self.troubles() else text
