"""The daemon's own writes, each failing once with EIO and with ENOSPC, and the daemon killed before and behind each of them.

It writes what was asked for: a job's request, the wish to cancel, the wish to go on. A write that fails is told to the caller,
with file and reason, and leaves nothing; whatever a killed daemon left is a whole request, which its successor begins, or none.
Each time the next call is served.
"""

import errno
import os
import re

from crashworld import CRASH, LIBRARY, LONG, STATE, BusError, CrashWorld, Failed, Tally, check, equal, options, run, say, wait_until
from scenario import SCENARIOS, begin, retry

UNIT = "timesten-upgraded.service"
NAME = "daemon"  # of its points
SAMPLE = 5  # every so manieth, without --long; no divisor of the variants of a point
# A job that is over in a second: it removes exports, of which there are none.
CLEAN = ("Clean", "a{sv}", *options({"exports": ("b", "true")}))


class DaemonWorld(CrashWorld):
    def __init__(self, name):
        super().__init__(name, lanes=1)
        self.expect("timesten-upgraded.service: ", "timesten-upgraded: ", "dbus-daemon: ")

    def boot(self, wait=True):
        if self.boots == 0:
            self.write(f"/etc/systemd/system/{UNIT}.d/crash.conf",
                       f"[Service]\nEnvironment=LD_PRELOAD={LIBRARY} CRASH_DIRECTORY={CRASH} CRASH_NAME={NAME}\nReadWritePaths=-{CRASH}\n")
        return super().boot(wait)

    def arm_daemon(self, **point):
        """For the daemon that the next call starts; without a point its calls are only counted."""
        self.systemctl("stop", UNIT)
        self.run("rm", "-rf", f"{CRASH}/{NAME}")
        self.arm(NAME, **point)

    def disarm_daemon(self):
        self.systemctl("stop", UNIT)
        self.run("rm", "-rf", f"{CRASH}/{NAME}")


def variants(points):
    """(how to arm, what it is)"""
    for name, what in points:
        for number in (errno.EIO, errno.ENOSPC):
            if number == errno.EIO or not re.match("sync|unlink|rmdir", what):
                yield {"at": name, "action": "fail", "errno": number}, f"{os.strerror(number)} at {what}"
        for when in ("before", "after"):
            yield {"at": name, "when": when}, f"killed {when} {what}"
        if what.startswith("write"):
            yield {"at": name, "when": "half"}, f"killed in the middle of {what}"


def chosen(points):
    everything = list(variants(points))
    # From the rename on it is there, and nobody has heard of it.
    return [one for place, one in enumerate(everything)
            if LONG or place % SAMPLE == 0 or re.match(r"killed after rename \S+/(request|cancel|retry)$", one[1])]


def files(world):
    """Files and directories of the state below jobs/, but the counter."""
    return set(world.shell(f"cd {STATE} && find jobs -mindepth 1 ! -name next-id").out.split())


class Request:
    """The job that is asked for is begun whole, or it is not there."""
    word = "a request"

    def __init__(self, world):
        self.world = world

    def prepare(self):
        self.before, self.known = files(self.world), set(self.world.jobs_on_disk())

    def call(self):
        self.world.bus.server("main", *CLEAN)

    def left(self):
        """What is there that was not: nothing, or a job that its next daemon brings to its end."""
        more = files(self.world) - self.before
        jobs = {number for number in self.world.jobs_on_disk() if f"jobs/{number}/request" in more}
        for number in jobs:
            equal(self.world.must_end(number, "done")["Kind"], "clean", "the kind of a job whose daemon was killed")
        return jobs, {path for path in more if not re.match(rf"jobs/({'|'.join(map(str, jobs)) or '-'})(/|$)", path)}

    def finish(self):
        """The next call is served."""
        self.call()
        self.world.must_end(max(self.world.jobs_on_disk()), "done")


class Wish:
    """A file beside the request of a job."""

    def __init__(self, world):
        self.world, self.lane = world, world.lanes[0]

    def left(self):
        there = {path for path in files(self.world) - self.before if not re.search(r"/(record|request)$", path)}
        wishes = {path for path in there if path.endswith(f"/{self.file}")}
        return wishes, there - wishes


class Cancel(Wish):
    word, file = "a cancel", "cancel"

    def prepare(self):
        lane = self.lane
        self.world.restore("begin")
        self.gate = self.world.gate(lane.old, "ttMigrate -c")
        lane.number = self.world.upgrade()
        self.gate.wait()
        self.before = files(self.world)

    def call(self):
        self.world.bus.job(self.lane.number, "Cancel", "a{sv}", 0)

    def finish(self):
        if self.lane.ended() is None and not self.left()[0]:
            self.call()
        equal(self.lane.wait_record(), "cancelled", "the result of a job that was cancelled")


class Retry(Wish):
    word, file = "a retry", "retry"

    def prepare(self):
        self.world.restore("attention")
        SCENARIOS["retry"].take_up(self.lane)
        self.before = files(self.world)

    def call(self):
        path, interface, method, *words = retry(self.lane)
        self.world.bus.call(path, interface, method, *words)

    def finish(self):
        # What was heard is gone on with by the next daemon, which its next caller starts.
        if not self.left()[0] and len(self.lane.record_lines()) == self.lane.length:
            self.call()
        self.world.bus.properties("Job", self.lane.number)
        equal(self.lane.wait_record(), "done", "the result of a job that was gone on with")


KINDS = {"request": Request, "cancel": Cancel, "retry": Retry}


def one_run(world, kind, how, what):
    kind.prepare()
    world.arm_daemon(**how)
    refusal = None
    try:
        kind.call()
    except BusError as error:
        refusal = str(error)
    hit = bool(world.shots(NAME))
    world.disarm_daemon()
    there, more = kind.left()
    if how.get("action") == "fail":
        words = os.strerror(how["errno"])
        # A cancel that was seen is one, though nobody knows whether a power cut would leave it.
        heard = isinstance(kind, Cancel) and there
        check(not hit or heard or refusal and words in refusal and STATE in refusal, f"the caller was told {refusal!r}")
        check(not there or heard or not refusal, f"refused, but {there} is there")
        check(not more, f"left behind: {more}")
    else:
        check(not hit or refusal or how["when"] == "after", "answered by a daemon that was killed")
        # Of a killed writer a temporary file or an empty directory may stay, and the counter's.
        check(not [path for path in more if not re.search(r"/\.#\w+(-\w+)?\w{6}$|^jobs/\d+$|/\.#next-id\w{6}$", path)], f"half: {more}")
    kind.finish()
    return "refused" if refusal and not there else "done", hit


def sweep(world, kind):
    kind.prepare()
    world.arm_daemon()
    kind.call()
    points = world.points(NAME)
    kind.finish()
    world.disarm_daemon()
    check(len(points) >= 4, f"{kind.word} is written by {points}")
    say(f"  {kind.word}: {len(points)} durable writes, {len(list(variants(points)))} variants")
    tally = Tally()
    for how, what in chosen(points):
        try:
            result, hit = one_run(world, kind, how, what)
            tally.add(result, hit)
            if os.environ.get("TU_VERBOSE"):
                say(f"    {how['at']} {what}: {result}{'' if hit else ', not met'}")
        except Failed as failure:
            tally.fail(f"{kind.word}, {what}: {failure}")
    check(tally.missed == 0, f"{tally.missed} points of {kind.word} were not met")
    tally.say(f"writes of {kind.word}", "fault", {"done": "done", "refused": "refused"})
    return tally


def test(world):
    begin(world, "begin")
    begin(world, "attention")
    world.restore("begin")
    for tally in [sweep(world, KINDS[word](world)) for word in os.environ.get("TU_SCENARIOS", " ".join(KINDS)).split()]:
        tally.check()


run(test, machine=DaemonWorld)
