"""Runs one job per point, as many side by side as there are lanes, with the worker killed there, and judges each."""

import os
import re
import time
from dataclasses import replace

from crashworld import LONG, Failed, Tally, check, say, wait_until


def steps_of(points):
    """The step that each line of the record is written in: {number of the line before a point: step}."""
    found, step = {0: "beginning"}, "plan"
    for name, what in points:
        told = re.match(r"record (\S+) (\S+)", what)
        if told:
            event, about = told.groups()
            step = "plan" if event == "plan" else about if about != "-" else event
            found[int(name.split(".")[0]) + 1] = step
    return found


def events_of(points):
    """The record's line that each phase begins with: {number of the line: (event, step)}."""
    found = {}
    for name, what in points:
        told = re.match(r"record (\S+) (\S+)", what)
        if told:
            found[int(name.split(".")[0]) + 1] = told.groups()
    return found


def line_of(name):
    return int(name.split(".")[0])


def variants(points):
    """(point, when, what) in order: each call before and after, each write also cut in half."""
    for name, what in points:
        for when in ("before", "after", "half"):
            if when != "half" or re.match("record|write", what):
                yield name, when, what


def sample(points, each):
    """EACH variants of every step, evenly apart, and everything around the rename that is the commit."""
    steps = steps_of(points)
    by_step = {}
    for one in variants(points):
        by_step.setdefault(steps.get(line_of(one[0]), "?"), []).append(one)
    found = []
    for place, rows in enumerate(by_step.values()):
        # Begun at another place in each step, so that before, after and half all have their turn.
        found += [rows[(place + (2 * n + 1) * len(rows) // (2 * each)) % len(rows)] for n in range(min(each, len(rows)))]
    found += [one for one in variants(points) if one[2].startswith("rename") and "/servers/" in one[2]]
    return [one for one in variants(points) if one in found]


def chosen(points, each):
    """What to run: TU_POINTS="47.3:before …" by hand, TU_PART="1/2" of all under --long (TU_SKIP=N: without the first N,
    TU_WHEN="before half": those alone), else the sample."""
    if os.environ.get("TU_POINTS"):
        wanted = [one.split(":") for one in os.environ["TU_POINTS"].split()]
        known = dict(points)
        return [(name, when, known.get(name, "?")) for name, when in wanted]
    if not LONG:
        return sample(points, each)
    part, parts = map(int, os.environ.get("TU_PART", "1/1").split("/"))
    # "Behind" comes last: between a call and the next one nobody else sees anything, so "before" the next has met it already.
    wanted = os.environ.get("TU_WHEN", "before half after").split()
    everything = sorted((one for one in variants(points) if one[1] in wanted), key=lambda one: one[1] == "after")
    return everything[part - 1::parts][int(os.environ.get("TU_SKIP", "0")):]


class Run:
    """What came of one lane of a wave."""

    def __init__(self, variant):
        self.variant, self.result, self.hit, self.failure = variant, None, False, None


def wave(world, scenario, rows, act=None, rebooted=False, resets=0, idle="kill"):
    """One job in each lane of ROWS ({lane: (point, when, what) or None}), which is killed at its point; with ACT it is stopped
    there instead, and ACT(runs) is called once all are. {lane: Run}; compared with references() where there are some. IDLE: for
    which action the points of an undisturbed one are counted."""
    runs = {lane: Run(variant) for lane, variant in rows.items()}
    known = set(world.jobs_on_disk())

    def guarded(part):
        def attempt(lane):
            if not runs[lane].failure:
                try:
                    part(lane)
                except Failed as failure:
                    runs[lane].failure = str(failure)
        world.each(attempt, list(rows))

    for lane, variant in rows.items():
        scenario.take_up(lane)
        scenario.prepare(lane)
        if variant:
            lane.arm(at=variant[0], when=variant[1], action="stop" if act else "kill")
        else:
            lane.arm(action=idle)
        lane.start_clients(scenario.clients)

    def ask(lane):
        lane.settle()
        if act:
            scenario.call_unheard(lane, known)
        else:
            scenario.call(lane)
        if scenario.then:
            scenario.then(lane)

    def end(lane):
        runs[lane].result = lane.wait_record()
        runs[lane].hit = bool(runs[lane].variant and lane.shots()) or runs[lane].hit
        if runs[lane].result != scenario.result:
            raise Failed(f"ended {runs[lane].result!r}, wanted {scenario.result!r}: {lane.record_lines()[-1][:600]}")
        lane.judge(scenario, runs[lane].result, world.before, rebooted, resets)

    guarded(ask)
    if act:
        act(runs)
    guarded(end)
    good = [lane.server for lane in rows if not runs[lane].failure]
    references = world.references.get(scenario.name)
    if references and good:
        for server, wrong in world.compare(good, references, rebooted).items():
            next(run for lane, run in runs.items() if lane.server == server).failure = wrong
    return runs


def expected(world, scenario, lane, result):
    """(the scenario, what lies about in its lane) for a job with this RESULT: one that did not come to its own was undone."""
    beginning, reference = world.beginnings[scenario.beginning], world.references[scenario.name][lane.server]
    if result == scenario.result:
        return scenario, reference
    own = {line for line in reference if re.match(r"(state|run) (\./)?jobs?/N(/(request|record|cancel))?$", line)}
    # A beginning has nothing in /run, whatever led to it.
    before = {line for line in beginning.look[lane.server] if not line.startswith("run ")}
    return replace(scenario, release=beginning.serving, loses=False, destroys=False, stops=False,
                   replicates=scenario.beginning == "followed"), before | own


def must_hold(runs):
    for lane, run in runs.items():
        check(not run.failure, f"{lane.server}: {run.failure}")


def count_points(world, scenario, action="kill"):
    """The points for ACTION of an undisturbed job, which is run in every lane, and what it leaves as the reference for its
    scenario."""
    world.restore(scenario.beginning)
    began = time.monotonic()
    must_hold(wave(world, scenario, {lane: None for lane in world.lanes}, idle=action))
    took = time.monotonic() - began
    # Units of a job are gone a moment after its end.
    found = wait_until(lambda: world.look_without_units(), 10, f"the units of an undisturbed {scenario.name} to be gone", 0.2)
    for lane in world.lanes:
        if scenario.end in ("undone", "cancelled"):
            # What was undone leaves its own record, and nothing else that was not there before.
            before = world.beginnings[scenario.beginning].look[lane.server]
            own = {line for line in found[lane.server] if re.match(r"(state|run) (\./)?jobs?/N\b", line)}
            check(found[lane.server] - own == before,
                  f"{scenario.name} left {sorted(found[lane.server] - own - before)}, took {sorted(before - found[lane.server])}")
    world.references[scenario.name] = found
    # A slow moment makes the worker look once more; what every run has is the shortest list.
    points = min((lane.points() for lane in world.lanes), key=len)
    if scenario.since:
        first = next(line for line, event in events_of(points).items() if event == scenario.since)
        points = [point for point in points if line_of(point[0]) >= first - 1]
    say(f"  {scenario.name}, undisturbed: {len(points)} points, {len(list(variants(points)))} variants, {scenario.result} in {took:.1f} s")
    return points


def waves_of(world, rows):
    for place in range(0, len(rows), len(world.lanes)):
        yield dict(zip(world.lanes, rows[place:place + len(world.lanes)]))


def sweep(world, scenario, rows):
    """Kills the worker at each of ROWS. A point that a run did not come to (a slow moment numbers the calls behind it otherwise)
    is tried once more."""
    tally = Tally()
    again = []
    for last in (False, True):
        for lanes in waves_of(world, again if last else rows):
            began = time.monotonic()
            world.restore(scenario.beginning)
            for run in wave(world, scenario, lanes).values():
                name, when, what = run.variant
                if run.failure:
                    tally.fail(f"{scenario.name} {when} {name} {what}: {run.failure}")
                elif run.hit or last:
                    tally.add(run.result, run.hit)
                else:
                    again.append(run.variant)
                if os.environ.get("TU_VERBOSE"):
                    say(f"    {name} {when} {what}: {run.failure or run.result}{'' if run.hit else ', not met'}")
            if os.environ.get("TU_VERBOSE"):
                say(f"    {len(lanes)} lanes in {time.monotonic() - began:.1f} s")
    tally.say(scenario.name, ends={scenario.result: scenario.end})
    return tally
