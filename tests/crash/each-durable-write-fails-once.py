"""Each write, sync and rename of the state fails once, with EIO and with ENOSPC, in an upgrade and in a clean: the job ends done
or undone by itself, and says which file it was."""

import errno
import os
import re

from crashworld import LONG, STATE, CrashWorld, Failed, Tally, check, run, say
from scenario import SCENARIOS, Refused, begin
from sweep import count_points, expected, waves_of

WORDS = os.environ.get("TU_SCENARIOS", "upgrade clean rollback" if LONG else "upgrade clean").split()
SAMPLE = 12  # of each scenario, beside those of the commit


def variants(points):
    """(point, errno, what), but for the many lines of the plan: a sync cannot find the disk full."""
    for name, what in points:
        for number in (errno.EIO, errno.ENOSPC):
            if not what.startswith("record plan") and (number == errno.EIO or not re.match("sync|unlink|rmdir", what)):
                yield name, number, what


def chosen(points):
    if os.environ.get("TU_POINTS"):
        known = dict(points)
        return [(one.split(":")[0], int(one.split(":")[1]), known.get(one.split(":")[0], "?"))
                for one in os.environ["TU_POINTS"].split()]
    everything = list(variants(points))
    if LONG:
        part, parts = map(int, os.environ.get("TU_PART", "1/1").split("/"))
        return everything[part - 1::parts]
    # Everything of the commit itself with EIO, and every n-th of the others.
    fixed = [one for one in everything if "/servers" in one[2] and one[1] == errno.EIO]
    rest = [one for one in everything if one not in fixed]
    return [one for one in everything if one in fixed or one in rest[::max(1, len(rest) // SAMPLE)]]


def one_run(world, scenario, lane, variant, known):
    """(result, the scenario that it came to, what must lie about)"""
    name, number, what = variant
    scenario.take_up(lane)
    scenario.prepare(lane)
    lane.arm(at=name, action="fail", errno=number)
    lane.start_clients()
    lane.settle()
    try:
        scenario.call(lane)
    except Refused as refusal:
        check(lane.shots(), f"refused without a failure: {refusal}")
        check(os.strerror(number) in str(refusal) and STATE in str(refusal), f"the refusal names neither file nor reason: {refusal}")
        lane.check_clients(getattr(lane, world.beginnings[scenario.beginning].serving))
        lane.number = lane.find_job(known)  # what it leaves is its own
        return "refused", None
    result = lane.wait_record()
    check(result in (scenario.result, "failed"), f"ended {result!r}: {lane.record_lines()[-1][:600]}")
    if result == "failed":
        words = world.job(lane.number)["Error"][1]
        check(os.strerror(number) in words and STATE in words, f"the error names neither file nor reason: {words}")
    came_to, reference = expected(world, scenario, lane, result)
    lane.judge(came_to, result, world.before)
    return result, reference


def wave(world, scenario, rows, tally):
    """One run in each lane of ROWS."""
    def attempt(lane):
        try:
            return one_run(world, scenario, lane, rows[lane], known)
        except Failed as failure:
            return failure, None
    world.restore(scenario.beginning)
    known = set(world.jobs_on_disk())
    ends = dict(zip(rows, world.each(attempt, list(rows))))
    references = {lane.server: reference for lane, (_, reference) in ends.items() if reference}
    wrong = world.compare(list(references), references)
    for lane, (result, _) in ends.items():
        name, number, what = rows[lane]
        trouble = wrong.get(lane.server) or (result if isinstance(result, Failed) else None)
        if trouble:
            tally.fail(f"{scenario.name} {name}:{number} {os.strerror(number)} at {what}: {trouble}")
        else:
            tally.add(result, bool(lane.shots()))
        if os.environ.get("TU_VERBOSE"):
            say(f"    {name}:{number} {what}: {trouble or result}{'' if lane.shots() else ', not met'}")


def sweep(world, scenario):
    begin(world, scenario.beginning)
    tally = Tally()
    for rows in waves_of(world, chosen(count_points(world, scenario, "fail"))):
        wave(world, scenario, rows, tally)
    tally.say(f"durable writes of {scenario.name} that fail", "fault", {scenario.result: scenario.end, "failed": "undone", "refused": "refused"})
    return tally


def test(world):
    world.expect("upgrade-job: (Cannot|Whether the commit)", r"upgrade-job: .*Input/output error", r"upgrade-job: .*No space left",
                 "timesten-upgraded: ", r"systemd: timesten-job@\d+")
    for tally in [sweep(world, SCENARIOS[word]) for word in WORDS]:
        tally.check()


run(test, machine=CrashWorld)
