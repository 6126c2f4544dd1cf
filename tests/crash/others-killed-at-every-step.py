"""While the workers are stopped at the begin of a step, something else dies or begins anew: daemon, keeper, bus, PID 1.

The upgrades go on and are done, nobody is refused and no row is lost. A ttMigrate that is killed fails its step: that upgrade
is undone; so does the loss of what it printed.
"""

import os

from crashworld import HOMES, LONG, CrashWorld, Failed, Tally, check, run, say, wait_until
from scenario import SCENARIOS, begin
from sweep import count_points, events_of, line_of, wave, waves_of

DAEMON = "timesten-upgraded.service"


def kill_unit(world, unit):
    process = world.unit(unit, "MainPID")
    if process != "0":
        world.run("kill", "-9", process, check=False)


def systemctl(*words):
    return lambda world, lanes: world.systemctl(*words, timeout=120)


# What happens, and how many connects of a lane's clients may die of it where the port is open: a keeper has accepted them.
EVENTS = {
    "the daemon is killed": (lambda world, lanes: kill_unit(world, DAEMON), 0),
    "the keeper is killed": (lambda world, lanes: [kill_unit(world, f"timesten-server@{lane.server}.service") for lane in lanes], 3),
    "PID 1 executes itself anew": (systemctl("daemon-reexec"), 0),
    "systemd reloads its configuration": (systemctl("daemon-reload"), 0),
    "the bus is restarted": (systemctl("restart", "dbus.service"), 0),
}
# Beyond the begins of the steps: questions to PID 1 whose answer is then under way.
UNDER_WAY = ["pid1 StartUnit timesten@tt70", "pid1 StartTransientUnit timesten-util-", "pid1 Reload"]


def stopped_then(world, event):
    """For wave(): all workers of the lanes stand, EVENT happens, all go on."""
    def act(runs):
        lanes = [lane for lane, run in runs.items() if not run.failure]
        for lane in lanes:
            wait_until(lane.shots, 60, f"the worker of {lane.server} to come to its point", 0.02)
        event(world, lanes)
        world.go_on()
    return act


def gates(world, lanes):
    """A lane's ttMigrate is killed in the export, the next one's in the import."""
    rows = {}
    for place, lane in enumerate(lanes):
        instance, command = ((lane.old, "ttMigrate -c"), (lane.new, "ttMigrate -r"))[place % 2]
        rows[lane] = (instance, world.gate(instance, f"{command} at=50"))
    return rows


def utilities_killed(world):
    """ttMigrate is killed in its middle, in the export and in the import."""
    world.restore()
    lanes = world.lanes[:2]
    waiting = gates(world, lanes)

    def act(runs):
        for lane, (instance, gate) in waiting.items():
            gate.wait()
            world.run("pkill", "-9", "-f", f"{HOMES[instance]}/bin/ttMigrate")
    return wave(world, SCENARIOS["undo-as-it-is"], {lane: None for lane in lanes}, act)


def output_removed(world, line):
    """What was printed is gone before it could be compared: nothing may be committed."""
    world.restore()
    lane = world.lanes[0]

    def removed(world, lanes):
        world.shell(f"rm /run/timesten-upgrade/job/{lane.number}/*port-orders.out")
    return wave(world, SCENARIOS["undo-as-it-is"], {lane: (f"{line}.1", "after", "begin verify")}, stopped_then(world, removed))


def order_lost(world, points):
    """The keeper dies when the worker is connected to it and has not said its word."""
    world.restore()
    name = next(name for name, what, *_ in points if what.startswith("connect ") and "/control/" in what)
    act, resets = EVENTS["the keeper is killed"]
    return wave(world, SCENARIOS["upgrade"], {world.lanes[0]: (name, "after", "connect")}, stopped_then(world, act), resets=resets)


def places(points):
    """Where workers are stopped: the begin of each step, and questions under way."""
    events = events_of(points)
    found = [(f"{line}.1", "after", f"begin {step}") for line, (event, step) in events.items() if event == "begin" and step != "check"]
    end = next(line for line, (event, _) in events.items() if event == "finish")
    for kind in UNDER_WAY:
        asked = [point for point in points if point[1].startswith(kind) and line_of(point[0]) < end]
        found += [(name, "after", what) for name, what in (asked if LONG else asked[-1:])]
    return found


def plan(world, points):
    """(event, {lane: place}): each event with each place; in the short form each place once, the events in turn."""
    rows = list(waves_of(world, places(points)))
    for number, lanes in enumerate(rows):
        for event in EVENTS if LONG else [list(EVENTS)[number % len(EVENTS)]]:
            yield event, lanes
    for number in range(len(rows), len(EVENTS)) if not LONG else []:  # an event that had no turn yet
        yield list(EVENTS)[number], rows[number % len(rows)]


def book(tally, what, runs):
    for run in runs.values():
        if run.failure:
            tally.fail(f"{what}, {run.variant}: {run.failure}")
        else:
            tally.add(run.result)
        if os.environ.get("TU_VERBOSE"):
            say(f"    {what}, {run.variant}: {run.failure or run.result}")


def test(world):
    # A killed keeper or daemon is told by systemd; the journal is not what is tested here.
    # Nor is what daemon and worker have to say in the moment in which the bus ends.
    world.expect(r"timesten-(server@main\w?|upgraded)\.service: ", r"Failed to start", r"timesten-util-.*: ", "dbus",
                 r"port-keeper: ", r"systemd-logind|polkitd", "timesten-upgraded: The connection to the bus was lost",
                 "upgrade-job: (Cannot ask systemd to run|Cannot reach systemd) .*",
                 "timesten-upgraded: .*(Connection reset by peer|Transport endpoint is not connected|Connection timed out)")
    scenario = SCENARIOS["upgrade"]
    begin(world, scenario.beginning)
    points = count_points(world, scenario)
    tally = Tally()
    runs = list(plan(world, points))
    if LONG:
        part, parts = map(int, os.environ.get("TU_PART", "1/1").split("/"))
        runs = runs[part - 1::parts]
    for event, lanes in runs:
        act, resets = EVENTS[event]
        world.restore()
        book(tally, event, wave(world, scenario, lanes, stopped_then(world, act), resets=resets))
    book(tally, "ttMigrate is killed", utilities_killed(world))
    book(tally, "the keeper is killed before it hears an order", order_lost(world, points))
    verify = next(line for line, event in events_of(points).items() if event == ("begin", "verify"))
    book(tally, "what export and import printed is removed", output_removed(world, verify))
    tally.say("in an upgrade", "kill")
    tally.check()


run(test, machine=CrashWorld)
