"""The figures of `outage`: for how long none of twelve clients has a row acknowledged while their server goes from 6.0 to 7.0.

Each round is a machine of its own with a database of the given size (bytes of its user data). The stand-in runs at its fastest
settings, so that what is left is the method's and the product's. Rows are counted at the end: each that was acknowledged must
be there once, and no other.
"""

import argparse
import json
import signal
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))

from harness import PORT, Failed, check, equal, say  # noqa: E402
from online import OnlineWorld  # noqa: E402

WRITERS = 12
PAYLOAD = 1000  # bytes of a row
FASTEST = {"migrate-rows-per-second": 0, "daemon-start-seconds": 0, "server-start-seconds": 0, "load-seconds": 0,
           "load-seconds-per-mb": 0, "recovery-seconds": 0, "replication-state-seconds": 0.05, "replication-poll-seconds": 0.005,
           "replication-retry-seconds": 0.05, "agent-start-seconds": 0}


def fill(world, megabytes):
    rows = megabytes * 1_000_000 // PAYLOAD
    statements = ["create table outage (id integer not null, seq integer not null, primary key (id, seq));",
                  f"create table bulk (id integer not null primary key, payload varchar({PAYLOAD}));",
                  f"insert into bulk values (1, '{'x' * PAYLOAD}');"]
    there = 1
    while there < rows:
        statements.append(f"insert into bulk select id + {there}, payload from bulk where id <= {min(there, rows - there)};")
        there += min(there, rows - there)
    world.sql("tt60", "orders", *statements)
    return rows


def start_writers(world):
    script = Path(__file__).with_name("writers.py")
    process = subprocess.Popen(["nsenter", "-t", str(world.pid), "-n", "--", sys.executable, "-B", script, "127.0.0.1", str(PORT),
                                "orders", "6.0.8", str(WRITERS)], stdout=subprocess.PIPE, text=True)
    world.processes.append(process)
    check(process.stdout.readline() == "ready\n", "the writers do not come to write")
    return process


def stop_writers(process):
    process.send_signal(signal.SIGTERM)
    return json.loads(process.communicate(timeout=180)[0])


def found(world, instance):
    """How many rows of each writer there are, and what the highest is: rows are numbered from 1."""
    rows = world.sql(instance, "orders", "select id, count(*), max(seq) from outage group by id;")
    return {number: (int(count), int(highest)) for number, count, highest in (row.split(", ") for row in rows)}


def measure(method, megabytes):
    with OnlineWorld("outage", rows=1,
                     server_lines=["DrainSec=0", "HoldLimitSec=3600", "OutageLimitSec=3600"]) as world:
        for instance in world.instances:
            world.tune(instance, FASTEST)
        rows = fill(world, megabytes)
        writers = start_writers(world)
        number = world.upgrade(values={"method": ("s", method)})
        world.must_end(number, "done", timeout=3600)
        report = stop_writers(writers)
        there = found(world, "tt70")
        lost = sum(int(last) - min(int(last), there.get(one, (0, 0))[1]) for one, last in report["acknowledged"].items())
        twice = sum(count - highest for count, highest in there.values())
        equal(world.sql("tt70", "orders", "select count(*) from bulk;"), [str(rows)], "rows that were there before")
        held = world.held_span(number)
        return {"method": method, "megabytes": megabytes, "outage": report["longest_gap"], "held": held[1] - held[0],
                "whole": sum(world.step_seconds(number).values()), "rows": sum(report["acknowledged"].values()), "lost": lost,
                "twice": twice, **{key: report[key] for key in ("connects", "refused", "reset", "rejected", "cut", "errors")}}


def show(rows):
    columns = ("method", "MB", "nobody could write", "port held", "whole job", "rows", "lost", "twice", "refused", "reset", "cut")
    table = [columns]
    for row in rows:
        table.append((row["method"], row["megabytes"], f"{row['outage']:.2f} s", f"{row['held']:.2f} s", f"{row['whole']:.1f} s",
                      row["rows"], row["lost"], row["twice"], row["refused"], row["reset"], row["cut"]))
    for line in table:
        say("  ".join(str(cell).rjust(max(len(str(other[i])) for other in table)) for i, cell in enumerate(line)))
    for method in dict.fromkeys(row["method"] for row in rows):
        by_size = {}
        for row in rows:
            if row["method"] == method:
                by_size.setdefault(row["megabytes"], []).append(row["outage"])
        median = {size: statistics.median(values) for size, values in by_size.items()}
        if len(median) > 1:
            least, most = min(median), max(median)
            say(f"{method}: from {least} MB to {most} MB the time without writes grows by a factor of {median[most] / median[least]:.2f}")


def main():
    parser = argparse.ArgumentParser(prog="outage")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--sizes", default="10,100", help="megabytes, by commas (default 10,100; the guide's table has 1000, too)")
    parser.add_argument("--methods", default="online,offline")
    parser.add_argument("--rounds", type=int, default=1)
    wanted = parser.parse_args()
    rows = [measure(method, int(size)) for _ in range(wanted.rounds) for size in wanted.sizes.split(",")
            for method in wanted.methods.split(",")]
    if wanted.json:
        print(json.dumps(rows, indent=2))
    else:
        show(rows)
    return 0 if all(row["lost"] == row["twice"] == row["refused"] == row["reset"] == 0 for row in rows) else 1


try:
    sys.exit(main())
except Failed as failure:
    say(f"error: {failure}")
    sys.exit(1)
