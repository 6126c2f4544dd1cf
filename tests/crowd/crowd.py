"""Many clients connect while the port is held: none is refused, those who give up disturb nobody, all others are served.

The queue begins as short as an old somaxconn would have made it, and the keeper widens it. Source addresses have few ports
here, so that more sessions than one address has ports are the rule and not the exception. In the middle of the hold the
keeper is killed and comes back. In mode relay the keeper leads them to the server; in mode inherit the server, started at the release,
takes them out of the queue itself.
"""

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

BUILD = Path(os.environ["TU_BUILD"])
LOAD = BUILD / "tests/bench/load"
SHIM = BUILD / "port/shim/libtimesten-port.so"
HOST, PORT, BACKEND = "127.0.0.1", 7001, 7000
HOLD_USEC = 3600_000_000
LEAVER = 20  # each so-manieth gives up while it waits

# The number of a client that has a source address which the keeper never connects from. The kernel keeps the ports of sessions
# that just ended: who comes at once from the same addresses may find none.
ELSEWHERE = 3_000_000

# Far more than a loaded machine needs. How long it really took is printed; a limit on that would test the machine.
SERVED_LIMIT = 60


def check(condition, message):
    if not condition:
        raise SystemExit(f"FAILED: {message}")


def listening():
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((HOST, PORT))
    sock.listen(128)
    return sock


def start_server(port, **environment):
    server = subprocess.Popen([LOAD, "serve", HOST, str(port)], stdout=subprocess.PIPE, env={**os.environ, **environment})
    check(server.stdout.readline() == b"ready\n", "the server does not start")
    return server


class Keeper:
    def __init__(self, root, hold_usec, backend):
        self.root, self.backend = root, backend
        self.path = root / "run/timesten-upgrade/control/crowd"
        self.path.parent.mkdir(parents=True)
        control = socket.socket(socket.AF_UNIX)
        control.bind(str(self.path))
        control.listen()
        self.sockets = [listening(), control]
        self.hold_usec = hold_usec
        self.start()

    def start(self):
        def place():
            for offset, sock in enumerate(self.sockets):
                os.dup2(sock.fileno(), 100 + offset)
            for offset in range(len(self.sockets)):
                os.dup2(100 + offset, 3 + offset)
                os.close(100 + offset)
        self.process = subprocess.Popen(
            ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", BUILD / "port/port-keeper", f"--root={self.root}", "crowd"],
            env={**os.environ, "LISTEN_FDS": "2", "TIMESTEN_BACKEND": self.backend, "TIMESTEN_HOLD_USEC": str(self.hold_usec)},
            preexec_fn=place, close_fds=False, restore_signals=False)

    def say(self, command):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(20)
            sock.connect(str(self.path))
            sock.sendall(command.encode() + b"\n")
            answer = sock.makefile().readline().split()
        check(answer[0] == "ok", f"{command}: {answer}")
        return dict(word.split("=", 1) for word in answer[1:])

    def die_and_return(self):
        self.process.kill()
        self.process.wait()
        self.start()

    def held(self):
        """What the keeper counts, and what sock_diag counts (ss shows the queue of a listening socket as Recv-Q)."""
        seen = subprocess.run(["ss", "-Hltn", f"src = {HOST}:{PORT}"], check=True, stdout=subprocess.PIPE, text=True).stdout
        return int(self.say("status")["held"]), int(seen.split()[1])


def start_clients(count, port=PORT, first=0):
    # A process has no descriptors for all.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 200
    parts = -(-count // most)
    size = -(-count // parts)
    crowds = []
    for part in range(parts):
        words = [LOAD, "crowd", HOST, port, first + part * size, min(size, count - part * size), LEAVER]
        crowds.append(subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, text=True))
    for crowd in crowds:
        check(crowd.stdout.readline() == "ready\n", "not every connect was made")
    return crowds


def leavers(count):
    """Each process counts its own."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 200
    size = -(-count // -(-count // most))
    return sum(-(-min(size, count - begin) // LEAVER) for begin in range(0, count, size))


def prepare(count):
    ports = min(count * 2 // 3, 28232)  # never enough for all from one address; 28,232 is the kernel's default
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for key, value in (("ipv4.ip_local_port_range", f"32768 {32767 + ports}"), ("core.somaxconn", "65535")):
        Path("/proc/sys/net", key.replace(".", "/")).write_text(value)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return ports


def serve(keeper, count, seconds, release):
    began = time.monotonic()
    crowds = start_clients(count)
    print(f"{count} connects made in {time.monotonic() - began:.1f} s, none refused", flush=True)
    check(keeper.held() == (count, count), f"{count} wait, but keeper and kernel say {keeper.held()}")
    time.sleep(seconds / 2)
    keeper.die_and_return()
    check(keeper.held() == (count, count), f"after the keeper's death {keeper.held()} wait")
    since = int(keeper.say("status")["hold-since"]) / 1e6
    check(abs(time.time() - since - (time.monotonic() - began)) < 10, "the hold has another age after the keeper's death")
    time.sleep(seconds / 2)

    released = time.monotonic()
    release()
    took = collect(crowds, count, released)
    print(f"all {count - leavers(count)} served within {took:.2f} s of the release, {leavers(count)} had given up", flush=True)
    check(took < SERVED_LIMIT, f"the last was served {took:.1f} s after the release")
    return leavers(count), took


def collect(crowds, count, released):
    """Everybody who did not leave was served, and nobody too early; how long after the release the last was."""
    reports = [json.loads(crowd.communicate(timeout=150)[0]) for crowd in crowds]
    check(sum(report["lost"] + report["silent"] for report in reports) == 0, f"not all were served: {reports}")
    check(sum(report["answered"] for report in reports) == count - leavers(count), f"not all were served: {reports}")
    check(min(report["first"] for report in reports) >= released, "somebody was served during the hold")
    return max(report["last"] for report in reports) - released


def compare(server, count, took):
    """The same crowd before the server itself, which stands still meanwhile: what of the time is clients' and server's."""
    server.send_signal(signal.SIGSTOP)
    crowds = start_clients(count, BACKEND, ELSEWHERE)
    released = time.monotonic()
    server.send_signal(signal.SIGCONT)
    alone = collect(crowds, count, released)
    print(f"without a keeper the last is served {alone:.2f} s after the release: {took / alone:.1f} times", flush=True)


def fullest_source():
    """How many ports of one address the connections to the backend have, with those that ended lately."""
    seen = subprocess.run(["ss", "-Htan", f"dst = {HOST}:{BACKEND}"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return max(Counter(line.split()[3].rsplit(":", 1)[0] for line in seen.splitlines()).values(), default=0)


def settled(keeper):
    end = time.monotonic() + 30
    while True:
        status = keeper.say("status")
        if status["sessions"] == "0" and status["held"] == "0":
            return status
        check(time.monotonic() < end, f"sessions stay behind: {status}")
        time.sleep(0.05)


def by_relay(scratch, count, seconds, ports):
    server = start_server(BACKEND)
    keeper = None
    try:
        keeper = Keeper(scratch, HOLD_USEC, f"{HOST}:{BACKEND}")
        check(int(keeper.say("status")["queue-limit"]) == 65535, "the queue was not widened on the live socket")
        gone, took = serve(keeper, count, seconds, lambda: keeper.say("open"))
        # The kernel finds a port quickly only while many are free: with an address used up, this took twice as long.
        check(fullest_source() < ports * 3 // 4, f"{fullest_source()} of the {ports} ports of one address are taken")
        status = settled(keeper)
        check((int(status["accepted"]), int(status["gave-up"]), int(status["refused"])) == (count - gone, gone, 0), f"{status}")
        compare(server, count, took)
    finally:
        end(server, keeper and keeper.process)


def by_inherit(scratch, count, seconds, ports):
    servers = []
    keeper = Keeper(scratch, HOLD_USEC, "crowd@root")
    try:
        def release():
            keeper.say("open")
            servers.append(start_server(PORT, LD_PRELOAD=str(SHIM), TIMESTEN_PORT_KEEPERS=f"{PORT}={keeper.path}",
                                        TIMESTEN_PORT_NAME="crowd"))
        serve(keeper, count, seconds, release)
        check(settled(keeper)["refused"] == "0", f"{keeper.say('status')}")
    finally:
        end(keeper.process, *servers)


def end(*processes):
    for process in filter(None, processes):
        process.kill()
        process.wait()


MODES = {"relay": by_relay, "inherit": by_inherit}


def main():
    count, seconds, mode = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    ports = prepare(count)
    scratch = Path(tempfile.mkdtemp(prefix="tu-crowd-"))
    try:
        MODES[mode](scratch, count, seconds, ports)
    finally:
        shutil.rmtree(scratch)


main()
