"""The power goes right after a line of the record, in its middle, or inside the commit; the next boot needs nobody.

Before the commit stands on the disk the old release serves and the job is undone, after it the new one serves and the job is
done. Clients that come right after the boot wait; none is refused and no committed row is gone.
"""

import os
import re
import time

from crashworld import LONG, PORT, STATE, CrashWorld, Failed, Tally, check, equal, run, say, wait_until
from sweep import events_of, variants


def cuts(points):
    """Before the first line, behind each line of the record (its sync is the first call after it), in the middle of each, and around each call of
    the commit."""
    events = events_of(points)
    commit = next(line for line, event in events.items() if event == ("begin", "commit"))
    # A request that no worker has begun yet: its record is not even there.
    found = [("0.1", "before", "the worker's first call")]
    for name, when, what in variants(points):
        line = int(name.split(".")[0])
        if what.startswith("record plan") or events.get(line, ("plan",))[0] == "plan":
            continue
        behind = name.endswith(".1") and when == "after"
        torn = when == "half" and what.startswith("record") and (LONG or line in (commit, commit - 1))
        inside = line == commit and what.startswith(("write", "sync", "rename")) and when != "half"
        if behind or torn or inside:
            found.append((name, when, f"{what} (after {' '.join(events[line])})"))
    return found


def rows(world, instance):
    return set(world.sql(instance, "orders", "select ID, SEQ from written;"))


def one_cut(world, name, when):
    world.arm(at=name, when=when, action="stop")
    clients = world.start_clients(3, reconnect_every=8, think_ms=10)
    world.settle(clients)
    number = world.upgrade_unheard()
    world.wait_shot()
    committed = "main" in world.shell(f"ls {STATE}/servers").out.split()
    there = rows(world, "tt60") | (rows(world, "tt70") if committed else set())
    world.cut_power()
    world.clients = []
    began = time.monotonic()
    world.boot(wait=False)
    wait_until(lambda: PORT in world.listeners(), 30, "the port to be there after the boot")
    clients = world.start_clients(3, reconnect_every=8, think_ms=10)
    result = world.wait_record(number)
    world.settle(clients)
    served = time.monotonic() - began
    equal(result, "done" if committed else "failed", f"the result (committed: {committed})")
    world.wait_running()
    world.judge(number, result, clients, rebooted=True)
    missing = there - rows(world, "tt70" if committed else "tt60")
    check(not missing, f"{len(missing)} rows that were committed before the cut are gone")
    return result, served


def test(world):
    world.remember()
    points = world.count_points("done")
    world.reset()
    chosen = cuts(points)
    if os.environ.get("TU_POINTS"):
        wanted = os.environ["TU_POINTS"].split()
        chosen = [one for one in chosen if f"{one[0]}:{one[1]}" in wanted]
    elif LONG:
        part, parts = map(int, os.environ.get("TU_PART", "1/1").split("/"))
        chosen = chosen[part - 1::parts]
    else:
        # Every step once, by its begin, and what surrounds the rename.
        wanted = re.compile(r"after begin (hold|import|verify|resume)|rename")
        chosen = chosen[:1] + [one for one in chosen if wanted.search(one[2]) and one[1] == "after"]
    tally, slowest = Tally(), 0
    for name, when, what in chosen:
        began = time.monotonic()
        try:
            result, served = one_cut(world, name, when)
            slowest = max(slowest, served)
            tally.add(result, time.monotonic() - began)
            if os.environ.get("TU_VERBOSE"):
                say(f"    {name} {when} {what}: {result}, every client served {served:.1f} s after the boot began")
        except Failed as failure:
            tally.failures.append(f"{when} {name} {what}: {failure}")
            say(f"    {tally.failures[-1]}")
            check(len(tally.failures) < 10 and world.alive(), "too many failures")
        world.reset()
    say(f"  every client was served at most {slowest:.1f} s after a boot began")
    tally.say("of an upgrade", "power-cut")


run(test, machine=CrashWorld)
