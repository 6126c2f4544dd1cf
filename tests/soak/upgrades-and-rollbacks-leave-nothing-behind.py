"""Upgrade, rollback and clean, TU_CYCLES times (500, a thousand ways there and back): descriptors, memory, units and files are as after the first few.

Several servers at once (TU_LANES, 2), as a host may have them: the daemon sees them all, a keeper its own. Nobody is refused,
and clients write all the time. Prints a line now and then, and what a cycle takes.
"""

import os
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "crash"))

from crashworld import PATIENCE, CrashWorld, check, equal, options, run, say  # noqa: E402
from harness import tally  # noqa: E402

LANES = int(os.environ.get("TU_LANES", "2"))
CYCLES = -(-int(os.environ.get("TU_CYCLES", "500")) // LANES)  # in each lane
# Caches fill and the newest 100 jobs gather: three jobs a cycle.
WARM = min(40, CYCLES // 2)
LOOKS = 10  # between warm-up and end; the level is the middle one of three
PROCESSES = {"keeper": "port-keeper", "daemon": "timesten-upgraded", "PID 1": "systemd"}
# How much more than after the warm-up: memory in KiB (what malloc() keeps is no leak; a KiB for each cycle would be).
MORE = {"memory": 512, "descriptors": 4, "units": 4, "files": 8}

LOOK = r"""
for pid in 1 $(systemctl show -P MainPID 'timesten-server@*.service' timesten-upgraded.service); do
    [ "$pid" != 0 ] || continue
    echo "process $(cat /proc/$pid/comm) $(sed -n 's/^Pss: *\([0-9]*\).*/\1/p' /proc/$pid/smaps_rollup) $(ls /proc/$pid/fd | wc -l)"
done
echo "units $(systemctl list-units --all --plain --no-legend | wc -l)"
for place in /run /var/lib/timesten-upgrade /tmp /var/tmp /opt/TimesTen/*/info; do
    echo "files $place $(find $place -xdev ! -path '/run/log/*' ! -path '*/proc/*' 2>/dev/null | wc -l)"
done
"""


def look(world):
    """{what: number}."""
    world.bus.properties("Server", "main")  # the daemon is there to be looked at
    found = {}
    for line in world.shell(LOOK).out.splitlines():
        kind, *words = line.split()
        if kind == "process":
            name = next((name for name, comm in PROCESSES.items() if comm[:15] == words[0]), words[0])
            # Of several keepers the largest.
            for key, value in ((f"memory of {name}", words[1]), (f"descriptors of {name}", words[2])):
                found[key] = max(found.get(key, 0), int(value))
        else:
            found[" ".join([kind, *words[:-1]])] = int(words[-1])
    return found


def middle(looks):
    """Of each number the middle one."""
    return {key: sorted(one.get(key, 0) for one in looks)[len(looks) // 2] for key in looks[-1]}


def cycle(lane):
    bus = lane.world.bus

    def must_end(number, result):
        lane.number, lane.length = number, 0
        equal(lane.wait_record(timeout=300), result, f"job {number} of {lane.server}")

    must_end(bus.server(lane.server, "Upgrade", "sa{sv}", lane.new, 0, timeout=120)[0], "done")
    rollback = bus.server(lane.server, "Rollback", "a{sv}", *options({"allow-data-loss": ("b", "true")}), timeout=120)
    must_end(rollback[0], "done")
    words = ["a{sv}", 2, "databases", "as", 1, "orders", "exports", "b", "true"]
    must_end(bus.server(lane.server, "Clean", *words, timeout=120)[0], "done")


def test(world):
    for lane in world.lanes:
        lane.clients = world.start_clients(2, port=lane.port, think_ms=100, patience=PATIENCE)
    world.settle()
    seen, refused = [], 0
    began = time.monotonic()
    for number in range(1, CYCLES + 1):
        world.each(cycle)
        if number in (WARM - 2, WARM - 1, WARM) or number > CYCLES - 3 or number % max(1, CYCLES // LOOKS) == 0:
            seen.append((number, look(world)))
            say(f"  {number:5} {(time.monotonic() - began) / number:5.1f} s a cycle of {LANES} servers  " +
                "  ".join(f"{key} {value}" for key, value in seen[-1][1].items() if re.search("memory|desc|units|upgrade", key)))
    first, last = middle([one for number, one in seen if number <= WARM][-3:]), middle([one for _, one in seen][-3:])
    report = world.stop_clients()
    say(f"  {report}")
    equal(report.troubles(), refused, "connects or statements that failed")
    for lane in world.lanes:
        world.must_serve(lane.old, lane.server, lane.port)
    for key in sorted(first):
        limit = first[key] + MORE[key.split()[0]]
        say(f"  {key:45} {first[key]:8} after {WARM} cycles, {last.get(key, 0):8} after {CYCLES}")
        check(last.get(key, 0) <= limit, f"{key}: {first[key]} after {WARM} cycles, {last.get(key)} after {CYCLES}")
    tally("job", 3 * LANES * CYCLES, "in the soak", done=2 * LANES * CYCLES, back=LANES * CYCLES)


run(test, machine=CrashWorld, rows=20, server_lines=["DrainSec=0"], lanes=LANES)
