"""Each write, sync and rename of the state fails once, with EIO and with ENOSPC: the job ends done or undone by itself, and
says which file it was."""

import errno
import os

from badworld import LONG, BadWorld, BusError, Failed, Tally, check, run, say

def variants(points):
    """(point, errno, what), but for the many lines of the plan: a sync cannot find the disk full."""
    for name, what in points:
        for number in (errno.EIO, errno.ENOSPC):
            if not what.startswith("record plan") and (number == errno.EIO or not what.startswith("sync")):
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
    return [one for one in everything if one in fixed or one in rest[::max(1, len(rest) // 12)]]


def one_run(world, name, number, what):
    world.arm(number, at=name)
    clients = world.start_clients(3, reconnect_every=8, think_ms=10)
    world.settle(clients)
    try:
        job_number = world.upgrade()
    except BusError as error:
        if not world.shots():
            raise Failed(f"refused without a failure: {error}") from None
        world.stop_and_check(clients, "failed")
        return "refused", True
    job = world.wait_job(job_number, timeout=90)
    check(job["Result"] in ("done", "failed"), f"ended {job['Result']!r}: {job['Error']}")
    hit = bool(world.shots())
    if job["Result"] == "failed":
        words = os.strerror(number)
        check(words in job["Error"][1] and "/var/lib/timesten-upgrade" in job["Error"][1],
              f"the error names neither file nor reason: {job['Error']}")
    world.judge(job_number, job["Result"], clients)
    return job["Result"], hit


def test(world):
    world.expect("upgrade-job: (Cannot|Whether the commit)", r"upgrade-job: .*Input/output error", r"upgrade-job: .*No space left",
                 "timesten-upgraded: ", r"systemd: timesten-job@\d+")
    world.remember()
    points = world.count_points("done")
    world.reset()
    tally = Tally()
    for name, number, what in chosen(points):
        try:
            result, hit = one_run(world, name, number, what)
            tally.add(result, hit)
            if os.environ.get("TU_VERBOSE"):
                say(f"    {name}:{number} {what}: {result}{'' if hit else ', not met'}")
        except Failed as failure:
            tally.fail(f"{name}:{number} {os.strerror(number)} at {what}: {failure}")
        world.reset()
    tally.say("durable writes that fail", "fault", {"done": "done", "failed": "undone", "refused": "refused"})
    tally.check()


run(test, machine=BadWorld)
