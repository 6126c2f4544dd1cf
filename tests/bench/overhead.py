"""The figures of `overhead`, all from one run on one booted machine, so that ratios mean something.

    added time      how long the port was held, minus the time in which at least one program of TimesTen was running, as
                    `window` counts it, but under clients. Of it, the drain is what the clients themselves took
    activation      a call to the daemon that is not running, beside the same for systemd-hostnamed
    memory          PSS and RSS after that call, beside hostnamed's; the cgroup's figure where the kernel has one
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

from harness import World, say  # noqa: E402
from spans import covered, is_timestens  # noqa: E402

PEERS = {
    "timesten-upgraded": ("timesten-upgraded.service", "org.timesten.Upgrade1", "/org/timesten/Upgrade1",
                          "org.timesten.Upgrade1.Manager", "Version"),
    "systemd-hostnamed": ("systemd-hostnamed.service", "org.freedesktop.hostname1", "/org/freedesktop/hostname1",
                          "org.freedesktop.hostname1", "Hostname"),
}


HELD_STEPS = ("hold", "drain", "stop-old-server", "quiesce", "export", "import", "verify", "start-new-server", "commit", "resume")


def added_time(world, rounds):
    """Seconds by round: held, of it utilities, of it ours. Each round goes to the release that does not serve."""
    found = []
    for _ in range(rounds):
        world.start_clients(4)
        world.settle()
        number = world.upgrade()
        job = world.must_end(number, "done")
        world.settle()
        world.stop_clients()
        begin, end = world.held_clock(number)
        busy = covered([one[:2] for one in world.utility_spans(number) if is_timestens(one[2])], begin, end)
        steps = world.step_seconds(number)
        found.append({"drain_s": round(steps.get("drain", 0), 3),
                      "steps_s": {step: round(steps.get(step, 0), 3) for step in HELD_STEPS}, "held_s": round(job["HeldUSec"] / 1e6, 3), "utilities_s": round(busy, 3),
                      "added_s": round(job["HeldUSec"] / 1e6 - busy, 3)})
    return found


def call(world, peer):
    _, name, path, interface, prop = PEERS[peer]
    began = time.monotonic()
    world.run("busctl", "get-property", name, path, interface, prop)
    return (time.monotonic() - began) * 1000


def latency(world, peer, times=11):
    cold, warm = [], []
    for _ in range(times):
        world.systemctl("stop", PEERS[peer][0])
        cold.append(call(world, peer))
        warm.append(call(world, peer))
    return {"cold_ms": round(statistics.median(cold), 1), "warm_ms": round(statistics.median(warm), 1),
            "activation_ms": round(statistics.median(cold) - statistics.median(warm), 1)}


def memory(world, peer):
    call(world, peer)
    pid = world.unit(PEERS[peer][0], "MainPID")
    fields = dict(line.split(":", 1) for line in world.run("cat", f"/proc/{pid}/smaps_rollup").out.splitlines()[1:])
    current = world.unit(PEERS[peer][0], "MemoryCurrent")
    private = sum(int(fields[key].split()[0]) for key in ("Private_Clean", "Private_Dirty"))
    return {"pss_kib": int(fields["Pss"].split()[0]), "rss_kib": int(fields["Rss"].split()[0]), "private_kib": private,
            "cgroup_kib": int(current) // 1024 if current.isdigit() else None}


def main():
    parser = argparse.ArgumentParser(prog="overhead")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rows", type=int, default=100_000)
    wanted = parser.parse_args()
    with World("overhead", rows=wanted.rows) as world:
        figures = {"rows": wanted.rows, "activation": {peer: latency(world, peer) for peer in PEERS},
                   "memory": {peer: memory(world, peer) for peer in PEERS}, "upgrade": added_time(world, 1)}
    if wanted.json:
        print(json.dumps(figures, indent=2))
        return
    ours, peer = PEERS
    say(f"one offline upgrade of a database with {wanted.rows} rows, four clients")
    for row in figures["upgrade"]:
        say(f"  port held                {row['held_s']:8.2f} s")
        say(f"  utilities                {row['utilities_s']:8.2f} s")
        say(f"  added                    {row['added_s']:8.2f} s, of it waiting for clients to end {row['drain_s']:.2f} s")
        say("  steps while held         " + ", ".join(f"{step} {took:.2f}" for step, took in row["steps_s"].items()))
    say(f"\n{'':<28}{ours:>20}{peer:>20}{'ratio':>9}")
    for group, key, label in (("activation", "activation_ms", "activation, ms"), ("activation", "cold_ms", "first call, ms"),
                              ("activation", "warm_ms", "next call, ms"), ("memory", "pss_kib", "PSS, KiB"),
                              ("memory", "rss_kib", "RSS, KiB"), ("memory", "private_kib", "private, KiB"),
                              ("memory", "cgroup_kib", "cgroup, KiB")):
        a, b = (figures[group][one][key] for one in PEERS)
        if a is None or b is None:
            say(f"{label:<28}{'not accounted by this kernel':>49}")
        else:
            say(f"{label:<28}{a:>20}{b:>20}{a / b if b else 0:>9.2f}")


main()
