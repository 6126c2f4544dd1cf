"""The figures of `port`: one server, reached directly and by way of each front, in short alternating runs.

    requests/s      64 bytes there and back, one after the other on each of 1, 50 and 1,000 connections
    connects/s      connect, ask, answer, close; 50 clients at once
    added latency   of one client's request, beside direct
    bulk            one client that only reads
    µs of processor what the front itself uses for one request, connect or MB; other load on the machine moves it least
    pairs           inherit beside direct in many short runs, client and server on a processor each, and the server's system
                    calls for the same connections
    memory          of the front's process, with so many idle sessions
    switch          what clients see when the server is changed (switch.py)

A figure is the median of the rounds, and a ratio is to the direct figure of the same rounds. Absolute figures mean nothing
on a machine that others use. `restarted` is a second server with nothing before it: as far as it is from 1.00, so far
chance goes.
"""

import argparse
import json
import os
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import switch
from fronts import BACKEND, FRONTS, HOST, LOAD, come_first, end, machine, prepare, serve, server_of, wait_for

MEASURES = {  # name: verb and words of the load
    "requests/s, 1 connection": ("requests", 1),
    "requests/s, 50 connections": ("requests", 50),
    "requests/s, 1,000 connections": ("requests", 1000),
    "new connections/s": ("connects", 50),
    "bulk, MB/s": ("bulk",),
}
PAIRED = {name: MEASURES[name] for name in ("requests/s, 50 connections", "new connections/s")}


def load(process, *words, **options):
    """A run's figures, and what the front has used of the processors meanwhile."""
    clients = subprocess.Popen([LOAD, *map(str, words)], stdout=subprocess.PIPE, text=True, **options)
    if clients.stdout.readline() != "ready\n":
        raise SystemExit(f"load {' '.join(map(str, words))} failed")
    used = processor_us(process)
    figures = json.loads(clients.stdout.readline())
    clients.wait()
    return {**figures, "cost_us": (processor_us(process) - used) / figures["count"]}


def processor_us(process):
    """What all threads of the front have used so far, in µs; 0 for no front."""
    if not process:
        return 0
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{process.pid}/task").glob("*/schedstat")) / 1000


# --- load ---

def run_rounds(fronts, ports, processes, wanted, log):
    found = {name: {front: [] for front in fronts} for name in wanted.measures}
    for number in range(wanted.rounds):
        # Each round begins with another front, so that none always comes after the same neighbour.
        order = fronts[number % len(fronts):] + fronts[:number % len(fronts)]
        for name, words in wanted.measures.items():
            for front in order:
                found[name][front].append(load(None if front == "restarted" else processes[front], words[0], HOST, ports[front], *words[1:], wanted.seconds))
        log(f"round {number + 1} of {wanted.rounds}")
    return found


def median(rows, key="per_s"):
    return statistics.median(row[key] for row in rows)


def ratios(found, name, front, to="direct"):
    """Within each round."""
    return [own["per_s"] / other["per_s"] for own, other in zip(found[name][front], found[name][to])]


def spread(values):
    return [round(find(values), 3) for find in (statistics.median, min, max)]


def summarize(found, fronts):
    one = "requests/s, 1 connection"
    report = {
        "direct": {name: median(found[name]["direct"]) for name in found},
        "ratios": {front: {name: round(statistics.median(ratios(found, name, front)), 3) for name in found} for front in fronts},
        "cost_us": {front: {name: round(median(found[name][front], "cost_us"), 1) for name in found} for front in fronts},
        "broken": {front: sum(row.get(key, 0) for name in found for row in found[name][front] for key in ("broken", "refused", "reset"))
                   for front in fronts},
        "relay_to": {to: {name: spread(ratios(found, name, "relay", to)) for name in found}
                     for to in fronts if to != "relay" and "relay" in fronts}}
    if one in found:
        report["added_us"] = {front: {key: round(statistics.median(own[key] - other[key] for own, other in
                                                                   zip(found[one][front], found[one]["direct"])), 1)
                                      for key in ("p50_us", "p99_us")} for front in fronts}
    return report


# --- pairs ---

def on_processor(number):
    return lambda: os.sched_setaffinity(0, {number % os.cpu_count()})


def interval(values):
    """Between which two of them the true median lies with 95 % probability, whatever their distribution."""
    values = sorted(values)
    away = min(int(0.98 * len(values) ** 0.5 + 1), len(values) // 2)
    return values[len(values) // 2 - away], values[min(len(values) // 2 + away, len(values) - 1)]


def pair_up(fronts, processes, ports, server, wanted):
    """Each front beside direct, in runs that take turns so closely that both meet the same load; the order changes."""
    found = {front: {} for front in fronts}
    for name in ("direct", *fronts):
        os.sched_setaffinity(server_of(processes[name], server).pid, {0})
    for measure, words in PAIRED.items():
        values = {front: [] for front in fronts}
        for number in range(wanted.pairs):
            order = ["direct", *fronts] if number % 2 else [*fronts, "direct"]
            rate = {name: load(None, words[0], HOST, ports[name], *words[1:], min(wanted.seconds, 0.2),
                               preexec_fn=on_processor(1))["per_s"] for name in order}
            for front in fronts:
                values[front].append(rate[front] / rate["direct"])
        for front in fronts:
            low, high = interval(values[front])
            found[front][measure] = {"ratio": round(statistics.median(values[front]), 4), "low": round(low, 4), "high": round(high, 4),
                                     "pairs": wanted.pairs}
    return found


def count_calls(server, port, connections=200):
    """The server's system calls for so many connections, one after the other, by name."""
    with tempfile.NamedTemporaryFile() as out:
        tracer = subprocess.Popen(["strace", "-f", "-c", "-o", out.name, "-p", str(server.pid)], stderr=subprocess.PIPE, text=True)
        tracer.stderr.readline()  # attached
        for _ in range(connections):
            with socket.create_connection((HOST, port)) as sock:
                sock.sendall(b"?" * 64)
                sock.recv(64)
                sock.shutdown(socket.SHUT_WR)
                sock.recv(64)
        tracer.send_signal(signal.SIGINT)
        tracer.communicate()
        rows = [row.split() for row in Path(out.name).read_text().splitlines()]
    return {row[-1]: int(row[3]) for row in rows if len(row) >= 5 and row[3].isdigit() and row[-1] != "total"}


def measure_load(wanted, scratch, log):
    fronts, report = wanted.fronts, {}
    ports = {front: BACKEND + number for number, front in enumerate(fronts)}
    server = serve(BACKEND)
    processes = {}
    try:
        for front in fronts:
            processes[front] = FRONTS[front](ports[front], scratch)
            wait_for(ports[front])
        if "load" in wanted.parts:
            report = {"rounds": wanted.rounds, "seconds": wanted.seconds, **summarize(run_rounds(fronts, ports, processes, wanted, log), fronts)}
        if "pairs" in wanted.parts:
            beside = [front for front in ("restarted", "inherit") if front in fronts]
            report["pairs"] = pair_up(beside, processes, ports, server, wanted)
            report["calls"] = {front: count_calls(server_of(processes[front], server), ports[front]) for front in ["direct", *beside]}
            log("pairs")
    finally:
        for process in (server, *processes.values()):
            end(process)
    return report


# --- memory ---

def rss(pid):
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0])


def memory(front, port, scratch, counts):
    """KiB with so many sessions: of a fresh process each time."""
    found = {}
    for port, count in enumerate(counts, port):
        process = FRONTS[front](port, scratch)
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
    return found


def measure_memory(wanted, scratch, log):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    counts, sizes = [0, 1000, 50_000] if hard > 101_000 else [0, 1000, hard // 2 - 200], {}
    server = serve(BACKEND)
    try:
        for number, front in enumerate(front for front in wanted.fronts if front not in ("direct", "restarted")):
            sizes[front] = memory(front, 8000 + 10 * number, scratch, counts)
            log(f"memory of {front}")
    finally:
        end(server)
    return sizes


# --- all ---

def words():
    parser = argparse.ArgumentParser(prog="port")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--only", help="fronts, by comma; direct is always there")
    parser.add_argument("--measure", help="only measures with this in their names")
    parser.add_argument("--parts", default="load,pairs,memory,switch", help="by comma")
    parser.add_argument("--pairs", type=int, default=25)
    parser.add_argument("--switches", type=int, default=20)
    parser.add_argument("--ways", help="of the switch, by comma: words out of their names")
    parser.add_argument("--long", action="store_true", help="500 switches of ours, and a million connects")
    parser.add_argument("--limit", type=float, default=1200, help="seconds that one way of switching may take")
    wanted = parser.parse_args()
    wanted.fronts = ["direct"] + [front for front in FRONTS
                                  if front != "direct" and (not wanted.only or front in wanted.only.split(","))]
    wanted.measures = {name: row for name, row in MEASURES.items() if not wanted.measure or wanted.measure in name}
    wanted.parts = wanted.parts.split(",")
    return wanted


def main():
    wanted = words()
    log = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
    prepare()
    come_first()
    scratch = Path(tempfile.mkdtemp(prefix="tu-bench-"))
    report = {"machine": machine()}
    try:
        if "load" in wanted.parts or "pairs" in wanted.parts:
            report.update(measure_load(wanted, scratch, log))
        if "memory" in wanted.parts:
            report["memory_kib"] = measure_memory(wanted, scratch, log)
        if "switch" in wanted.parts:
            report["switch"] = switch.measure_all(wanted, scratch, log)
    finally:
        shutil.rmtree(scratch)
    if wanted.json:
        print(json.dumps(report, indent=2))
    else:
        show(report)


def show(report):
    print(report["machine"])
    if "ratios" in report:
        show_ratios(report)
    if "pairs" in report:
        show_pairs(report)
    if "memory_kib" in report:
        show_memory(report["memory_kib"])
    if "switch" in report:
        switch.show(report["switch"])


def line(label, cells):
    print(f"{label:<48}" + "".join(f"{cell:>18}" for cell in cells))


def show_ratios(report):
    fronts = list(report["ratios"])
    print(f"{report['rounds']} rounds of {report['seconds']} s each, medians of ratios to direct")
    line("", fronts)
    for name in report["direct"]:
        line(name, (f"{report['ratios'][front][name]:.2f}" for front in fronts))
    for name in report["direct"]:
        line(f"µs of processor: {name}", (f"{report['cost_us'][front][name]:.1f}" for front in fronts))
    for key in ("p50_us", "p99_us"):
        if "added_us" in report:
            line(f"added latency {key[:3]}, µs", (f"{report['added_us'][front][key]:.1f}" for front in fronts))
    line("broken", (str(report["broken"][front]) for front in fronts))
    if report["relay_to"]:
        print("\nrelay against the others, in the same rounds: median (lowest–highest)")
        line("", report["relay_to"])
        for name in report["direct"]:
            line(name, ("{:.2f} ({:.2f}–{:.2f})".format(*row[name]) for row in report["relay_to"].values()))


def show_pairs(report):
    print("\nbeside direct in pairs of short runs, client and server on a processor each: median of the ratios (95 % interval)")
    line("", report["pairs"])
    for name in PAIRED:
        line(name, ("{ratio:.3f} ({low:.3f}–{high:.3f})".format(**row[name]) for row in report["pairs"].values()))
    print("the server's system calls for 200 connections one after the other")
    for front, calls in report["calls"].items():
        line(front, (f"{sum(calls.values())}", "  " + ", ".join(f"{name} {count}" for name, count in sorted(calls.items()))))


def show_memory(sizes):
    print("\nmemory of the front's process, KiB")
    line("", sizes)
    for count in next(iter(sizes.values())):
        line(f"{count:,} sessions", (f"{row[count] or 'not carried'}" for row in sizes.values()))


main()
