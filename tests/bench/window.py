"""The figures of `window`: what a job adds to the time in which a port is held, over many switches of a trivial server.

A switch is an upgrade or the rollback of one; the server has one database of one row and no client. Of the time in which the
port was held, `work` is when a utility of TimesTen ran that does the switch (stop, export, import, start), `questions` when
only one ran that asks (ttStatus, ttIsql, a probe), as PID 1 tells of their units; utilities side by side count once. What is
left is the job's own: its record, its orders to systemd and to the keeper, and systemd's work for it.
"""

import argparse
import json
import re
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

from harness import World, options  # noqa: E402

WORK = re.compile(r"-export-|-import-|stopserver|startserver")
CLEAN = ["a{sv}", 2, "databases", "as", 1, "orders", "exports", "b", "true"]


def covered(spans, begin, end):
    """Seconds of the time from BEGIN to END in which at least one of them ran."""
    total, reached = 0.0, begin
    for start, stop in sorted(spans):
        start, stop = max(start, reached), min(stop, end)
        if stop > start:
            total += stop - start
            reached = stop
    return total


def look(world, number, spans):
    begin, end = world.held_span(number)
    everything = covered(spans.values(), begin, end)
    work = covered([span for unit, span in spans.items() if WORK.search(unit)], begin, end)
    steps = {}
    lines = world.record(number)
    for when, event, step, _ in lines:
        if event == "begin":
            since = when
        elif event == "end" and begin <= since and when <= end:
            steps[step] = (when - since - covered(spans.values(), since, when)) * 1e3
    ms = {"held": end - begin, "work": work, "questions": everything - work, "own": end - begin - everything}
    return {**{key: round(value * 1e3, 1) for key, value in ms.items()},
            "by_step": {step: round(value, 1) for step, value in steps.items()},
            "units": sum(begin <= start <= end for start, _ in spans.values())}


def switch(world, back):
    if not back:
        return world.upgrade()
    return world.bus.server("main", "Rollback", "a{sv}", *options({"allow-data-loss": ("b", "true")}), timeout=60)[0]


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))]


def summarize(rows):
    found = {}
    for kind in ("upgrade", "rollback"):
        these = [row for row in rows if row["kind"] == kind]
        if not these:
            continue
        found[kind] = {"switches": len(these), "units": statistics.median(row["units"] for row in these)}
        for key in ("held", "work", "questions", "own"):
            values = [row[key] for row in these]
            found[kind][key] = {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99), "least": min(values)}
        found[kind]["own_by_step"] = {step: statistics.median(row["by_step"].get(step, 0) for row in these) for step in these[0]["by_step"]}
    return found


def show(found):
    print("of the time in which the port was held, ms")
    for kind, figures in found.items():
        print(f"{kind}: {figures['switches']} switches, {figures['units']:.0f} utilities in each")
        for key in ("held", "work", "questions", "own"):
            print(f"  {key:<12}" + "".join(f"{name} {value:>10,.1f}   " for name, value in figures[key].items()))
        print("  own, by step (median): " + ", ".join(f"{step} {value:.1f}" for step, value in figures["own_by_step"].items()))


def main():
    parser = argparse.ArgumentParser(prog="window")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--switches", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=1e9, help="no switch is begun after so many")
    wanted = parser.parse_args()
    rows = []
    with World("window", rows=1, server_lines=["DrainSec=0"]) as world:
        began = time.monotonic()
        while len(rows) < wanted.switches and time.monotonic() - began < wanted.seconds:
            back = len(rows) % 2 == 1
            number = switch(world, back)
            world.must_end(number, "done")
            rows.append({"kind": "rollback" if back else "upgrade", **look(world, number, world.utility_spans(f"^timesten-util-{number}-"))})
            if back:
                world.must_end(world.bus.server("main", "Clean", *CLEAN, timeout=60)[0], "done")
    found = summarize(rows)
    if wanted.json:
        print(json.dumps({"switches": found, "each": rows}, indent=2))
    else:
        show(found)


main()
