"""Any service that systemd starts for a socket can be held: its clients wait while it is stopped and changed, none is refused,
and each is served after. A hold ends at its deadline, with its holder and with the boot; a unit that cannot be held safely is
refused with the reason and the remedy."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

from bus import options
from harness import BusError, World, check, equal, refused, run, say, wait_until

START_LIMIT = "5min"
SERVER = r"""use strict; use warnings; my ($stop, $request) = (0, "");
open(my $listener, "+<&=", 3) or die; $SIG{TERM} = sub { $stop = 1 };
until ($stop) {
    accept(my $client, $listener) or next;
    sysread($client, $request, 1000);
    open(my $version, "<", "/srv/version"); print {$client} <$version>; close $client;
}
"""
# Threads that ask again and again; they end at SIGTERM, each after its answer.
CLIENTS = r"""import json, signal, socket, sys, threading, time
host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
stop, lock = threading.Event(), threading.Lock()
seen = {"asked": 0, "refused": 0, "reset": 0, "empty": 0, "other": [], "longest": 0.0, "answers": {}}
def ask():
    began, answer, end = time.monotonic(), "", None
    try:
        with socket.create_connection((host, port), 240) as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            answer = s.recv(100).decode().strip()
            end = None if answer else "empty"
    except ConnectionRefusedError: end = "refused"
    except ConnectionResetError: end = "reset"
    except OSError as problem: end = repr(problem)
    with lock:
        seen["asked"] += 1
        seen["longest"] = max(seen["longest"], time.monotonic() - began)
        if end in seen: seen[end] += 1
        elif end: seen["other"].append(end)
        else: seen["answers"][answer] = seen["answers"].get(answer, 0) + 1
def go_on():
    while not stop.is_set():
        ask()
        time.sleep(0.005)
signal.signal(signal.SIGTERM, lambda *_: stop.set())
threads = [threading.Thread(target=go_on) for _ in range(count)]
for one in threads: one.start()
print("ready", flush=True)
for one in threads: one.join()
print(json.dumps(seen))
"""


class Clients:
    def __init__(self, world, port, count):
        self.process = subprocess.Popen(["nsenter", "-t", str(world.pid), "-n", "--", sys.executable, "-c", CLIENTS, "127.0.0.1",
                                         str(port), str(count)], stdout=subprocess.PIPE, text=True)
        world.processes.append(self.process)
        equal(self.process.stdout.readline(), "ready\n", "the clients' begin")

    def end(self):
        """What they saw: nobody may have been turned away."""
        self.process.send_signal(signal.SIGTERM)
        seen = json.loads(self.process.communicate(timeout=120)[0])
        for trouble in ("refused", "reset", "empty", "other"):
            check(not seen[trouble], f"clients saw {trouble}: {seen}")
        say(f"  {seen['asked']} connects, longest {seen['longest']:.1f} s, answers {seen['answers']}")
        return seen


def unit(world, name, listen, service="", socket="", more="", extra=""):
    world.write(f"/etc/systemd/system/{name}.socket", f"[Unit]\n{extra}\n[Socket]\n{listen}\n{socket}\n")
    world.write(f"/etc/systemd/system/{name}.service",
                f"[Unit]\n{more}\n[Service]\nExecStart=/usr/bin/perl /srv/server\n{service}\n")


def held(world, name):
    """The row of a socket, by name of its columns; None where it is not held."""
    for row in world.bus.manager("ListHeldSockets")[0]:
        if row[0] == name:
            return dict(zip(("unit", "service", "state", "since", "deadline", "waiting", "room"), row, strict=True))
    return None


def hold(world, name, seconds, **more):
    return world.bus.manager("HoldSocket", "sta{sv}", name, int(seconds * 1e6), *options(), **more)


def ask(world, port):
    """What one client is told."""
    return subprocess.run(["nsenter", "-t", str(world.pid), "-n", "--", sys.executable, "-c",
                           "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1])), 60); s.sendall(b'x');"
                           "print(s.recv(100).decode().strip())", str(port)],
                          stdout=subprocess.PIPE, text=True, timeout=120).stdout.strip()


def waits(world, count, after, name="web.socket"):
    wait_until(lambda: (held(world, name) or {}).get("waiting") == count, 60, f"{count} connects to wait after {after}")
    equal(world.unit("web.service"), "inactive", f"the held service after {after}")
    say(f"  {after}: {count} wait")


def change_under_load(world):
    world.run("sysctl", "-q", "-w", "net.core.somaxconn=1000")
    world.systemctl("start", "web.socket")
    world.run("sysctl", "-q", "-w", "net.core.somaxconn=20000")
    equal(ask(world, 8080), "1", "the version before")
    clients = Clients(world, 8080, 8)
    before = time.time()
    world.run("ttctl", "hold", "web.socket", "5min")
    equal(world.unit("web.service"), "inactive", "the service when the hold has begun")
    waits(world, 8, "the hold")
    told = held(world, "web.socket")
    equal((told["service"], told["state"], told["room"]), ("web.service", "held", 20000), "the hold on the bus")
    check(290 < told["deadline"] / 1e6 - before < 330, f"the deadline: {told}, asked at {before}")
    world.write("/srv/version", "2\n")
    world.systemctl("daemon-reload")
    waits(world, 8, "daemon-reload")
    world.systemctl("daemon-reexec")
    waits(world, 8, "daemon-reexec")
    by_hand = world.popen("systemctl", "start", "web.service")
    time.sleep(1)
    check(by_hand.poll() is None, "a start by hand did not wait for the end of the hold")
    waits(world, 8, "a start by hand")
    world.run("systemctl", "stop", "web.service", check=False)
    by_hand.wait(20)
    waits(world, 8, "a stop by hand")
    world.run("ttctl", "hold", "web.socket", "10min")
    check(held(world, "web.socket")["deadline"] > told["deadline"] + 200e6, "a second hold did not move the deadline")
    for words in (("status",), ("list",), ("status", "web.socket")):
        check("web.socket" in world.run("ttctl", *words).out, f"ttctl {' '.join(words)} does not tell of the hold")
    world.expect(r"timesten-upgraded\.service: (Main process exited|Failed with result)")
    daemon = world.unit("timesten-upgraded.service", "MainPID")
    world.systemctl("kill", "--signal=KILL", "timesten-upgraded.service")
    wait_until(lambda: world.unit("timesten-upgraded.service", "MainPID") not in ("0", daemon), 30, "another daemon")
    waits(world, 8, "the daemon's death")
    world.run("ttctl", "resume", "web.socket")
    wait_until(lambda: world.unit("web.service") == "active", 60, "the service to be started")
    time.sleep(1)
    seen = clients.end()
    check(seen["answers"].get("1") and seen["answers"].get("2"), f"not both versions have answered: {seen['answers']}")
    check(seen["longest"] > 2, f"nobody waited: {seen}")
    equal(held(world, "web.socket"), None, "the hold after its end")
    equal(world.unit("web.socket", "Result"), "success", "the socket")
    refused(lambda: world.bus.manager("ResumeSocket", "sa{sv}", "web.socket", *options()), "PortNotHeld")


@contextlib.contextmanager
def lasting_hold(world):
    """A hold outlives the limit in which its holder has to say again that it is there."""
    world.write("/etc/systemd/system/timesten-hold@long.service.service.d/limit.conf", "[Service]\nTimeoutStartSec=10s\n")
    unit(world, "long", "ListenStream=8121")
    world.systemctl("daemon-reload")
    world.systemctl("start", "long.socket")
    hold(world, "long.socket", 300)
    limit = time.monotonic() + 11
    yield
    wait_until(lambda: time.monotonic() > limit, 15, "a hold to last")
    equal((held(world, "long.socket") or {}).get("state"), "held", "a hold that was renewed")
    world.bus.manager("ResumeSocket", "sa{sv}", "long.socket", *options())


def every_end_starts_the_service(world):
    clients = Clients(world, 8080, 4)
    world.expect("socket-holder: The limit of the hold has passed: web.service is started")
    hold(world, "web.socket", 300)
    try:
        hold(world, "web.socket", 1)  # answered, or too late for that
    except BusError as late:
        equal(late.nick, "DeadlinePassed", "the answer to a hold that is over")
    wait_until(lambda: held(world, "web.socket") is None, 60, "the limit to pass")
    wait_until(lambda: world.unit("web.service") == "active", 60, "the service after the limit")
    world.expect(r"timesten-hold@web\.service\.service: (Main process exited|Failed with result|start operation timed out|State )", "Failed to start timesten-hold@web")
    hold(world, "web.socket", 300)
    wait_until(lambda: (held(world, "web.socket") or {}).get("waiting") == 4, 60, "all to wait")
    world.systemctl("kill", "--signal=KILL", "timesten-hold@web.service.service")
    wait_until(lambda: world.unit("web.service") == "active", 60, "the service after its holder was killed")
    equal(held(world, "web.socket"), None, "the hold of a holder that was killed")
    if os.environ.get("TU_LONG"):
        hold(world, "web.socket", 300)
        world.systemctl("kill", "--signal=STOP", "timesten-hold@web.service.service")
        wait_until(lambda: world.unit("web.service") == "active", 90, "the service after its holder was stopped")
    for _ in range(8):  # five starts within START_LIMIT close the socket
        hold(world, "web.socket", 300)
        world.bus.manager("ResumeSocket", "sa{sv}", "web.socket", *options())
    wait_until(lambda: world.unit("web.service") == "active", 60, "the service after eight holds")
    time.sleep(0.5)
    clients.end()
    equal(world.unit("web.socket"), "active", "the socket after eight holds")


def other_services(world):
    """A proxy of systemd's own, two sockets of one service, one of them in the file system."""
    world.write("/etc/systemd/system/proxy.socket", "[Socket]\nListenStream=8090\n")
    world.write("/etc/systemd/system/proxy.service",
                "[Service]\nExecStart=/usr/lib/systemd/systemd-socket-proxyd 127.0.0.1:8080\n")
    unit(world, "pair", "ListenStream=8091")
    world.write("/etc/systemd/system/other.socket", "[Socket]\nListenStream=/run/other\nService=pair.service\n")
    world.systemctl("daemon-reload")
    world.systemctl("start", "proxy.socket", "pair.socket", "other.socket")
    equal(ask(world, 8090), "2", "the answer by the proxy")
    hold(world, "proxy.socket", 300)
    waiting = Clients(world, 8090, 3)
    wait_until(lambda: held(world, "proxy.socket")["waiting"] == 3, 60, "connects to the proxy to wait")
    world.bus.manager("ResumeSocket", "sa{sv}", "proxy.socket", *options())
    wait_until(lambda: world.unit("proxy.service") == "active", 60, "the proxy")
    time.sleep(0.5)
    waiting.end()

    hold(world, "other.socket", 300)  # its service never ran, and need not when the hold ends
    check(" pair.service " not in world.systemctl("list-jobs").out, "a service that did not run is to be started")
    equal({row[0] for row in world.bus.manager("ListHeldSockets")[0]}, {"pair.socket", "other.socket"}, "what is held")
    local = world.popen("perl", "-e", "use IO::Socket::UNIX; my $s = IO::Socket::UNIX->new(Peer => '/run/other') or die;"
                        "print $s 'x'; $s->flush; print <$s>")
    wait_until(lambda: held(world, "pair.socket")["waiting"] == 1, 60, "a connect in the file system to wait")
    equal(world.unit("pair.service"), "inactive", "a service that did not run before the hold")
    world.run("ttctl", "resume", "pair.socket")
    wait_until(lambda: world.unit("pair.service") == "active", 60, "the service of two sockets")
    local.kill()


UNSAFE = [  # name, its socket unit and service unit, what the refusal names
    ("inetd", {"listen": "ListenStream=8101", "socket": "Accept=yes"}, ("Accept=yes", "Accept=no")),
    ("mail", {"listen": "ListenStream=8102\nListenDatagram=8102"}, ("Datagram", "socket unit of its own")),
    ("flush", {"listen": "ListenStream=8103", "socket": "FlushPending=yes"}, ("FlushPending=yes", "Set it to no")),
    ("part", {"listen": "ListenStream=8104", "extra": "PartOf=part.service"}, ("part.socket", "PartOf=", "Take that line away")),
    ("unneeded", {"listen": "ListenStream=8105", "extra": "StopWhenUnneeded=yes"}, ("StopWhenUnneeded=yes", "Set it to no")),
    ("fork", {"listen": "ListenStream=8106", "service": "KillMode=process"}, ("KillMode=process", "mixed")),
    ("never", {"listen": "ListenStream=8107", "more": "RefuseManualStop=yes"}, ("RefuseManualStop=",)),
    ("hand", {"listen": "ListenStream=8111", "more": "RefuseManualStart=yes"}, ("RefuseManualStart=",)),
    ("twice", {"listen": "ListenStream=8112"}, ("more than one service", "Sockets=", "socket unit of its own")),
    ("gone", {"listen": "ListenStream=8113"}, ("not-found", "nothing could be started")),
    ("short", {"listen": "ListenStream=8108", "more": "JobTimeoutSec=5"}, ("JobTimeoutSec=", "5.0s", "less")),
    ("shut", {"listen": "ListenStream=8109"}, ("inactive", "systemctl start shut.socket")),
]


def unsafe_units(world):
    for name, words, _ in UNSAFE:
        unit(world, name, **words)
    world.write("/etc/systemd/system/inetd@.service", "[Service]\nExecStart=/bin/cat\nStandardInput=socket\n")
    world.write("/etc/systemd/system/thrice.service", "[Service]\nSockets=twice.socket\nExecStart=/bin/sleep inf\n")
    world.write("/etc/systemd/system/chain.service", "[Unit]\nRequires=web.service\n[Service]\nExecStart=/bin/sleep inf\n")
    world.systemctl("daemon-reload")
    for name, _, _ in UNSAFE:
        if name not in ("shut", "unneeded"):
            world.systemctl("start", f"{name}.socket")
    world.systemctl("start", "thrice.service")
    world.run("rm", "/etc/systemd/system/gone.service")
    world.systemctl("daemon-reload")
    # It would be stopped at once, because nothing needs it.
    world.write("/etc/systemd/system/needs.service", "[Unit]\nRequires=unneeded.socket\n[Service]\nExecStart=/bin/sleep inf\n")
    world.systemctl("start", "needs.service")
    for name, _, fragments in UNSAFE:
        message = refused(lambda name=name: hold(world, f"{name}.socket", 60), "NotPossible", *fragments)
        check(f"{name}." in message, f"the refusal does not name the unit: {message}")
    for name, fragment in (("dbus.socket", "asked"), ("systemd-journald.socket", "the system itself"),
                           ("timesten-server@main.socket", "by the server's name")):
        refused(lambda name=name: hold(world, name, 60), "NotPossible", fragment)
    refused(lambda: hold(world, "nothing.socket", 60), "NotPossible", "no such unit")
    for name in ("web.service", "web", "a b.socket", "../web.socket", "web@.socket", ""):
        refused(lambda name=name: hold(world, name, 60), "InvalidOption", "socket unit")
    refused(lambda: hold(world, "web.socket", 3601), "InvalidOption", "1 hour")
    # Another's socket that a restart of the service would take along, over another unit.
    unit(world, "far", "ListenStream=8110", extra="PartOf=chain.service")
    world.systemctl("daemon-reload")
    world.systemctl("start", "far.socket", "chain.service")
    refused(lambda: hold(world, "web.socket", 60), "NotPossible", "far.socket")
    world.systemctl("stop", "far.socket", "chain.service")
    equal(world.bus.manager("ListHeldSockets")[0], [], "what is held after all refusals")
    for name, _, _ in UNSAFE[:4]:
        equal(world.unit(f"{name}.socket"), "active", f"{name}.socket after the refusal")


def slow_stop(world):
    """A service that does not stop within the limit is told, and runs again after its stop."""
    unit(world, "slow", "ListenStream=8120", service="ExecStop=/bin/sleep 6")
    world.systemctl("daemon-reload")
    world.systemctl("start", "slow.socket", "slow.service")
    world.expect("socket-holder: The limit of the hold has passed: slow.service is started")
    refused(lambda: hold(world, "slow.socket", 2, timeout=60), "DeadlinePassed", "slow.service")
    wait_until(lambda: world.unit("slow.service") == "active", 60, "the slow service to run again")
    equal(ask(world, 8120), "2", "the answer of the slow service")


def test(world):
    # So that a start too many counts however slow the machine is.
    world.write("/etc/systemd/system.conf.d/start.conf", f"[Manager]\nDefaultStartLimitIntervalSec={START_LIMIT}\n")
    world.write("/srv/server", SERVER)
    world.write("/srv/version", "1\n")
    unit(world, "web", "ListenStream=8080")
    world.systemctl("daemon-reload")
    with lasting_hold(world):
        change_under_load(world)
        every_end_starts_the_service(world)
    other_services(world)
    unsafe_units(world)
    slow_stop(world)
    hold(world, "web.socket", 300)
    world.run("systemctl", "enable", "web.socket", check=False)
    world.cut_power()
    world.boot()
    equal(held(world, "web.socket"), None, "the hold after a reboot")
    world.systemctl("start", "web.socket")
    equal(ask(world, 8080), "2", "the answer after a reboot")


run(test, World, rows=10)
