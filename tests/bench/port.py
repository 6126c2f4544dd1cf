"""The figures of `port`: one server, reached directly and by way of each front, in short alternating runs.

    requests/s      64 bytes there and back, one after the other on each of 1, 50 and 1,000 connections
    connects/s      connect, ask, answer, close; 50 clients at once
    added latency   of one client's request, beside direct
    bulk            one client that only reads
    µs of processor what the front itself uses for one request, connect or MB; other load on the machine moves it least
    memory          of the front's process, with so many idle sessions

A figure is the median of the rounds, and a ratio is to the direct figure of the same rounds. Absolute figures mean nothing
on a machine that others use.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

BUILD = Path(os.environ["TU_BUILD"]).resolve()
LOAD = BUILD / "tests/bench/load"
SHIM = BUILD / "port/shim/libtimesten-port.so"
HOST, BACKEND = "127.0.0.1", 7000

HAPROXY = """
global
    maxconn {half}
defaults
    mode tcp
    maxconn {half}
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen front
    bind {host}:{port} backlog 65535
    server back {host}:{backend}
"""


def listening(port):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((HOST, port))
    sock.listen(65535)
    return sock


def activated(sockets, argv, **environment):
    """Starts ARGV with SOCKETS as systemd would."""
    def place():
        for offset, sock in enumerate(sockets):
            os.dup2(sock.fileno(), 100 + offset)
        for offset in range(len(sockets)):
            os.dup2(100 + offset, 3 + offset)
            os.close(100 + offset)
    shell = ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", *map(str, argv)]
    return subprocess.Popen(shell, env={**os.environ, "LISTEN_FDS": str(len(sockets)), **environment},
                            preexec_fn=place, close_fds=False,
                            restore_signals=False)  # systemd has SIGPIPE ignored; socket-proxyd dies of it otherwise


def direct(port, scratch):
    return None


def relay(port, scratch, keeper=BUILD / "port/port-keeper", backend=f"{HOST}:{BACKEND}"):
    root = scratch / f"keeper-{port}"
    control_path = root / "run/timesten-upgrade/control/bench"
    control_path.parent.mkdir(parents=True)
    control = socket.socket(socket.AF_UNIX)
    control.bind(str(control_path))
    control.listen()
    return activated([listening(port), control], [keeper, f"--root={root}", "bench"],
                     TIMESTEN_BACKEND=backend)


def inherit(port, scratch):
    """The keeper gives its socket to a server of its own, which believes that it binds the port itself."""
    keeper = relay(port, scratch, backend="bench@root")
    control = scratch / f"keeper-{port}/run/timesten-upgrade/control/bench"
    keeper.server = subprocess.Popen(
        [LOAD, "serve", HOST, str(port)], stdout=subprocess.DEVNULL,
        env={**os.environ, "LD_PRELOAD": str(SHIM), "TIMESTEN_PORT_KEEPERS": f"{port}={control}", "TIMESTEN_PORT_NAME": "bench"})
    return keeper


def haproxy(port, scratch):
    half = resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 2 - 100
    path = scratch / "haproxy.cfg"
    path.write_text(HAPROXY.format(half=half, host=HOST, port=port, backend=BACKEND))
    return subprocess.Popen(["haproxy", "-db", "-q", "-f", str(path)])


def proxyd(port, scratch):
    return activated([listening(port)], ["/lib/systemd/systemd-socket-proxyd", "--connections-max=100000",
                                         f"{HOST}:{BACKEND}"])


FRONTS = {"direct": direct, "inherit": inherit, "relay": relay, "haproxy": haproxy, "socket-proxyd": proxyd}
for path in filter(None, os.environ.get("TU_OTHER_KEEPERS", "").split(":")):  # older builds beside the new one
    FRONTS[Path(path).name] = partial(relay, keeper=path)


def load(process, *words):
    """A run's figures, and what the front has used of the processors meanwhile."""
    clients = subprocess.Popen([LOAD, *map(str, words)], stdout=subprocess.PIPE, text=True)
    if clients.stdout.readline() != "ready\n":
        raise SystemExit(f"load {' '.join(map(str, words))} failed")
    used = processor_us(process)
    figures = json.loads(clients.stdout.readline())
    clients.wait()
    return {**figures, "cost_us": (processor_us(process) - used) / figures["count"]}


MEASURES = {  # name: verb and words of the load
    "requests/s, 1 connection": ("requests", 1),
    "requests/s, 50 connections": ("requests", 50),
    "requests/s, 1,000 connections": ("requests", 1000),
    "new connections/s": ("connects", 50),
    "bulk, MB/s": ("bulk",),
}


def rss(pid):
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0])


def processor_us(process):
    """What all threads of the front have used so far, in µs; 0 for no front."""
    if not process:
        return 0
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{process.pid}/task").glob("*/schedstat")) / 1000


def end(process):
    for one in filter(None, (process, getattr(process, "server", None))):
        one.kill()
        one.wait()


def memory(front, port, scratch, counts):
    """KiB with so many sessions: of a fresh process each time."""
    found = {}
    for count in counts:
        process = FRONTS[front](port, scratch / f"{front}-{count}")
        (scratch / f"{front}-{count}").mkdir(exist_ok=True)
        try:
            wait_for(port)
            if count:
                clients = subprocess.Popen([LOAD, "idle", HOST, str(port), str(count)], stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE)
                carried = clients.stdout.readline() == b"ready\n"
            time.sleep(0.5)
            found[count] = rss(process.pid) if not count or carried else None  # None: it does not carry so many
            if count:
                clients.stdin.close()
                clients.wait()
        finally:
            end(process)
        port += 1
    return found


def wait_for(port):
    end = time.monotonic() + 10
    while True:
        try:
            with socket.create_connection((HOST, port), 1) as sock:
                sock.sendall(b"x")
                if sock.recv(1):
                    return
        except OSError:
            pass
        if time.monotonic() > end:
            raise SystemExit(f"nothing answers at port {port}")
        time.sleep(0.02)


def machine():
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), "unknown processor")
    return f"{os.cpu_count()} × {model}, Linux {platform.release()}"


def run_rounds(fronts, ports, processes, wanted, rounds, seconds, log):
    found = {name: {front: [] for front in fronts} for name in wanted}
    broken = {front: 0 for front in fronts}
    for number in range(rounds):
        for name, words in wanted.items():
            # Each round begins with another front, so that none always comes after the same neighbour.
            order = fronts[number % len(fronts):] + fronts[:number % len(fronts)]
            for front in order:
                figures = load(processes[front], words[0], HOST, ports[front], *words[1:], seconds)
                broken[front] += figures.get("broken", 0)
                found[name][front].append(figures)
        log(f"round {number + 1} of {rounds}")
    return found, broken


def median(rows, key="per_s"):
    return statistics.median(row[key] for row in rows)


def ratio(found, name, front, to="direct"):
    """The median of the ratios within each round."""
    rows = zip(found[name][front], found[name][to])
    return statistics.median(own["per_s"] / other["per_s"] for own, other in rows)


def main():
    parser = argparse.ArgumentParser(prog="port")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--only", help="fronts, by comma; direct is always there")
    parser.add_argument("--measure", help="only measures with this in their names")
    parser.add_argument("--no-memory", action="store_true")
    wanted = parser.parse_args()
    log = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731

    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for key, value in (("ipv4.ip_local_port_range", "10000 65535"), ("ipv4.tcp_tw_reuse", "1"), ("core.somaxconn", "65535"),
                       # Where bbr is the default its pacing would be measured. A network of its own may only have reno.
                       ("ipv4.tcp_congestion_control", "reno")):
        Path("/proc/sys/net", key.replace(".", "/")).write_text(value)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    fronts = ["direct"] + [front for front in FRONTS if front != "direct"
                           and (not wanted.only or front in wanted.only.split(","))]
    chosen = {name: row for name, row in MEASURES.items() if not wanted.measure or wanted.measure in name}
    scratch = Path(tempfile.mkdtemp(prefix="tu-bench-"))
    ports = {front: BACKEND + number for number, front in enumerate(fronts)}
    server = subprocess.Popen([LOAD, "serve", HOST, str(BACKEND)], stdout=subprocess.PIPE)
    processes = {}
    try:
        server.stdout.readline()
        for front in fronts:
            processes[front] = FRONTS[front](ports[front], scratch)
            wait_for(ports[front])
        found, broken = run_rounds(fronts, ports, processes, chosen, wanted.rounds, wanted.seconds, log)
        for process in processes.values():
            end(process)
        counts = [0, 1000, 50_000] if hard > 101_000 else [0, 1000, hard // 2 - 200]
        sizes = {}
        if not wanted.no_memory:
            for number, front in enumerate(front for front in fronts if front != "direct"):
                for count in counts:
                    (scratch / f"{front}-{count}").mkdir()
                sizes[front] = memory(front, 8000 + 10 * number, scratch, counts)
                log(f"memory of {front}")
    finally:
        for process in (server, *processes.values()):
            end(process)
        shutil.rmtree(scratch)
    report = {"machine": machine(), "rounds": wanted.rounds, "seconds": wanted.seconds, "broken": broken, "ratios": {}, "cost_us": {}, "added_us": {},
              "memory_kib": sizes, "direct": {name: median(found[name]["direct"]) for name in found}}
    for front in fronts:
        report["cost_us"][front] = {name: round(median(found[name][front], "cost_us"), 1) for name in found}
        report["ratios"][front] = {name: round(ratio(found, name, front), 3) for name in found}
        one = "requests/s, 1 connection"
        if one in found:
            report["added_us"][front] = {key: round(statistics.median(own[key] - other[key] for own, other in
                                                                      zip(found[one][front], found[one]["direct"])), 1)
                                         for key in ("p50_us", "p99_us")}
    report["relay_to"] = {to: {name: round(ratio(found, name, "relay", to), 3) for name in found}
                          for to in fronts if to != "relay" and "relay" in fronts}
    if wanted.json:
        print(json.dumps(report, indent=2))
        return
    show(report, fronts)


def show(report, fronts):
    def line(label, cells):
        print(f"{label:<48}" + "".join(f"{cell:>15}" for cell in cells))
    print(f"{report['machine']}; {report['rounds']} rounds of {report['seconds']} s each, medians of ratios to direct")
    line("", fronts)
    for name in report["direct"]:
        line(name, (f"{report['ratios'][front][name]:.2f}" for front in fronts))
    for name in report["direct"]:
        line(f"µs of processor: {name}", (f"{report['cost_us'][front][name]:.1f}" for front in fronts))
    for key in ("p50_us", "p99_us"):
        if report["added_us"]:
            line(f"added latency {key[:3]}, µs", (f"{report['added_us'][front][key]:.1f}" for front in fronts))
    for count in next(iter(report["memory_kib"].values()), {}):
        line(f"memory, {count:,} sessions, KiB", ["-"] + [f"{report['memory_kib'][front][count] or 'not carried'}" for front in fronts[1:]])
    line("broken", (str(report["broken"][front]) for front in fronts))
    print("\nrelay against the others, in the same rounds")
    for name in report["direct"]:
        line(name, (f"{report['relay_to'][to][name]:.2f}" if to in report["relay_to"] else "" for to in fronts))


main()
