"""The figures of `window`: what a job adds to the time in which a port is held, over many switches of a trivial server.

A switch is an upgrade or the rollback of one; the server has one database of one row and no client. `held` is from the begin of
the step that holds to the keeper's word that the port is open, by the monotonic clock. `utilities` is the part of it in which at
least one program of TimesTen ran, from its start to its exit (of export and import as systemd tells of their units, of all
others as utility-runner tells); those side by side count once. `own` is what is left: the record and its syncs, orders to systemd
and to the keeper, the starting of programs, our own instance-helper, and every wait. `--trace` shows the last switch of each kind.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

from harness import World, options  # noqa: E402
from spans import covered, is_timestens  # noqa: E402

CLEAN = ["a{sv}", 2, "databases", "as", 1, "orders", "exports", "b", "true"]


def look(world, number):
    lines = world.record(number)
    when = next(line[0] for line in lines if line[1:3] == ("begin", "hold"))
    begin, end = world.held_clock(number)
    ran = world.utility_spans(number)
    theirs = [one[:2] for one in ran if is_timestens(one[2])]
    busy = covered(theirs, begin, end)
    steps, trace, offset = {}, [], when - begin
    for when, event, step, _ in lines:
        at = when - offset
        if event == "begin":
            since = at
        if event == "end" and begin - 0.001 <= since < end:
            steps[step] = (min(at, end) - since - covered(theirs, since, min(at, end))) * 1e3
        trace.append((at, f"record {event} {step}"))
    for since, until, name, instance in ran:
        trace += [(since, f"    {name} of {instance} begins"), (until, f"    {name} of {instance} has ended")]
    return {"held": round((end - begin) * 1e3, 1), "utilities": round(busy * 1e3, 1), "own": round((end - begin - busy) * 1e3, 1),
            "by_step": {step: round(value, 1) for step, value in steps.items()},
            "programs": sum(begin <= one[0] <= end for one in ran),
            "trace": [(round((at - begin) * 1e3, 2), what) for at, what in sorted(trace) if begin - 0.001 <= at <= end + 0.001]}


def switch(world, back):
    if not back:
        return world.upgrade()
    return world.bus.server("main", "Rollback", "a{sv}", *options({"allow-data-loss": ("b", "true")}), timeout=60)[0]


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))]


KEYS = ("held", "utilities", "own")


def summarize(rows):
    found = {}
    for kind in ("upgrade", "rollback"):
        these = [row for row in rows if row["kind"] == kind]
        if not these:
            continue
        found[kind] = {"switches": len(these), "programs": statistics.median(row["programs"] for row in these)}
        for key in KEYS:
            values = [row[key] for row in these]
            found[kind][key] = {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99), "least": min(values),
                                "most": max(values)}
        found[kind]["own_by_step"] = {step: statistics.median(row["by_step"].get(step, 0) for row in these) for step in these[0]["by_step"]}
    return found


def show(found):
    print("of the time in which the port was held, ms")
    for kind, figures in found.items():
        print(f"{kind}: {figures['switches']} switches, {figures['programs']:.0f} programs in each")
        for key in KEYS:
            print(f"  {key:<12}" + "".join(f"{name} {value:>10,.1f}   " for name, value in figures[key].items()))
        print("  own, by step (median): " + ", ".join(f"{step} {value:.1f}" for step, value in figures["own_by_step"].items()))


def show_trace(row):
    print(f"the last {row['kind']}, ms since the hold (and since the line before)")
    last = 0.0
    for at, what in row["trace"]:
        print(f"{at:>10.2f} {at - last:>9.2f}  {what}")
        last = at


def main():
    parser = argparse.ArgumentParser(prog="window")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--switches", type=int, default=20)
    parser.add_argument("--long", action="store_true", help="1,000 switches")
    parser.add_argument("--trace", action="store_true", help="the last switch of each kind, call by call")
    parser.add_argument("--seconds", type=float, default=1e9, help="no switch is begun after so many")
    wanted = parser.parse_args()
    count = 1000 if wanted.long else wanted.switches
    rows = []
    with World("window", rows=1, server_lines=["DrainSec=0"]) as world:
        began = time.monotonic()
        while len(rows) < count and time.monotonic() - began < wanted.seconds:
            back = len(rows) % 2 == 1
            number = switch(world, back)
            world.must_end(number, "done")
            rows.append({"kind": "rollback" if back else "upgrade", **look(world, number)})
            if back:
                world.must_end(world.bus.server("main", "Clean", *CLEAN, timeout=60)[0], "done")
    found = summarize(rows)
    if wanted.trace:
        for kind in found:
            show_trace([row for row in rows if row["kind"] == kind][-1])
    if wanted.json:
        print(json.dumps({"switches": found, "each": rows}, indent=2))
    else:
        show(found)


main()
