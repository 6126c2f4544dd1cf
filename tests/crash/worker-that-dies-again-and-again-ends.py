"""A worker that dies in the same step each time gives up after four begins; an undo that kills it each time, too; behind
the commit it asks for a person, whose retry goes on."""

from crashworld import CrashWorld, Tally, check, equal, run
from scenario import SCENARIOS, begin
from sweep import waves_of

FAULT = "ttMigrate -r exit=1"
CASES = [  # the point, how often, a fault, the result, words of its error
    ("record begin export", 3, None, "done", ()),
    ("record begin export", 4, None, "failed", ("export", "4 times")),
    ("record begin resume", 3, None, "done", ()),
    ("record begin retire-old", 4, None, "needs-attention", ("retire-old", "4 times", "ttctl retry")),
    ("record undo import", 3, FAULT, "failed", ()),
    # Given up is only this step: the port is open again, and a person is asked to look.
    ("record undo import", 4, FAULT, "needs-attention", ("import",)),
]


def ask(lane, case):
    match, times, fault, _, _ = case
    lane.world.faults(lane.new, *([fault] if fault else []))
    lane.arm(match=match, when="after", times=times)
    lane.settle()
    SCENARIOS["upgrade"].call_unheard(lane, lane.known)


def judge(lane, case):
    match, times, fault, wanted, words = case
    result = lane.wait_record()
    equal(result, wanted, f"the result of a job whose worker dies {times} times at {match!r}")
    equal(len(lane.shots()), times, f"deaths at {match!r}")
    message = lane.world.job(lane.number)["Error"][1]
    for word in words:
        check(word in message, f"the error does not tell {word!r}: {message}")
    if result == "needs-attention" and fault:  # what could not be undone is left, but clients are served
        lane.check_clients(lane.old)
        return result
    if result == "needs-attention":
        lane.settle()
        lane.length = len(lane.record_lines())
        equal(lane.world.run("ttctl", "retry", lane.number, check=False).status, 0, "the exit status of ttctl retry")
        result = lane.wait_record()
    lane.judge(SCENARIOS["upgrade" if result == "done" else "undo"], result, lane.world.before)
    return result


def test(world):
    begin(world, "begin")
    tally = Tally()
    for lanes in waves_of(world, CASES):
        world.restore()
        known = set(world.jobs_on_disk())
        for lane in lanes:
            lane.known = known
            lane.start_clients()
        world.each(lambda lane: ask(lane, lanes[lane]), lanes)
        for result in world.each(lambda lane: judge(lane, lanes[lane]), lanes):
            tally.add(result)
    # That a person is asked is what must come of an undo that cannot be done.
    tally.say("again and again in one step", ends={"done": "done", "failed": "undone", "needs-attention": "undone"})


run(test, machine=CrashWorld)
