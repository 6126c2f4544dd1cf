"""Runs one job per point, with the worker killed there, and judges each."""

import os
import re
import time

from crashworld import LONG, BusError, Failed, Tally, check, say


def events_of(points):
    """The record's line that each phase begins with: {number of the line: (event, step)}."""
    found = {}
    for name, what in points:
        told = re.match(r"record (\S+) (\S+)", what)
        if told:
            found[int(name.split(".")[0]) + 1] = told.groups()
    return found


def variants(points):
    """(point, when, what) in order: each call before and after, each write also cut in half."""
    for name, what in points:
        for when in ("before", "after", "half"):
            if when != "half" or re.match("record|write", what):
                yield name, when, what


def sample(points, count, always):
    """COUNT variants for ./check: those whose words match ALWAYS, and of the rest every n-th, so each step has some."""
    everything = [one for one in variants(points) if not one[2].startswith("record plan")]
    fixed = [one for one in everything if always(one)]
    rest = [one for one in everything if not always(one)]
    stride = max(1, len(rest) // max(1, count - len(fixed)))
    return [one for one in everything if one in fixed or one in rest[::stride]]


def chosen(points, count, always):
    """What to run: TU_POINTS="47.3:before …" by hand, TU_PART="1/2" of all under --long (TU_SKIP=N: without the first N),
    else the sample."""
    if os.environ.get("TU_POINTS"):
        wanted = [one.split(":") for one in os.environ["TU_POINTS"].split()]
        known = dict(points)
        return [(name, when, known.get(name, "?")) for name, when in wanted]
    if not LONG:
        return sample(points, count, always)
    part, parts = map(int, os.environ.get("TU_PART", "1/1").split("/"))
    return list(variants(points))[part - 1::parts][int(os.environ.get("TU_SKIP", "0")):]


def one_run(world, name, when, allowed, values=None):
    """One job with the worker killed at the point; how it ended, and whether the point was met."""
    world.arm(at=name, when=when)
    clients = world.start_clients(3, reconnect_every=8, think_ms=10)
    world.settle(clients)
    try:
        number = world.upgrade(values=values)
    except BusError as error:
        raise Failed(f"Upgrade was refused: {error}") from None
    job = world.wait_job(number, timeout=60)
    check(job["Result"] in allowed, f"ended {job['Result']!r}: {job['Error']}")
    hit = bool(world.shots())
    world.judge(number, job["Result"], clients)
    return job["Result"], hit


def sweep(world, points, prepare, allowed, what):
    """ALLOWED(point) says which results a run may have."""
    tally = Tally()
    for name, when, text in points:
        began = time.monotonic()
        try:
            prepare(world)
            result, hit = one_run(world, name, when, allowed(name))
            tally.add(result, time.monotonic() - began, hit)
            if os.environ.get("TU_VERBOSE"):
                say(f"    {name} {when} {text}: {result}, {time.monotonic() - began:.1f} s{'' if hit else ', not met'}")
        except Failed as failure:
            tally.failures.append(f"{when} {name} {text}: {failure}")
            say(f"    {tally.failures[-1]}")
            check(len(tally.failures) < 20, f"too many failures: {tally.failures[0]}")
        world.reset()
    tally.say(what)
    return tally
