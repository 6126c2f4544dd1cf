"""While the worker is stopped at the begin of a step, something else dies or begins anew: daemon, keeper, bus, PID 1.

The upgrade goes on and is done, nobody is refused and no row is lost. A ttMigrate that is killed fails its step: that upgrade
is undone.
"""

import os
import time

from crashworld import HOMES, LONG, CrashWorld, Failed, Tally, check, equal, run, say, wait_until
from sweep import events_of

KEEPER = "timesten-server@main.service"
DAEMON = "timesten-upgraded.service"


def kill_unit(unit):
    def act(world):
        before = world.unit(unit, "MainPID")
        if before != "0":
            world.run("kill", "-9", before)
    return act


def systemctl(*words):
    return lambda world: world.systemctl(*words)


# What happens, and how many connects of three clients may die of it where the port is open: a keeper has accepted them.
EVENTS = {
    "the daemon is killed": (kill_unit(DAEMON), 0),
    "the keeper is killed": (kill_unit(KEEPER), 3),
    "PID 1 executes itself anew": (systemctl("daemon-reexec"), 0),
    "systemd reloads its configuration": (systemctl("daemon-reload"), 0),
    "the bus is restarted": (systemctl("restart", "dbus.service"), 0),
}
# Beyond the begins of the steps: questions to PID 1 whose answer is then under way.
UNDER_WAY = ["pid1 StartUnit timesten@tt70", "pid1 StartTransientUnit timesten-util-", "pid1 Reload"]
UTILITIES = [("tt60", "export", "ttMigrate", "failed"), ("tt70", "import", "ttMigrate", "failed")]


def one(world, at, when, event):
    act, resets = EVENTS[event]
    world.arm(at=at, when=when, action="stop")
    clients = world.start_clients(3, reconnect_every=8, think_ms=10)
    world.settle(clients)
    number = world.upgrade_unheard()
    world.wait_shot()
    act(world)
    world.go_on()
    result = world.wait_record(number)
    equal(result, "done", "the result")
    world.judge(number, result, clients, resets=resets)
    return result


def utility_killed(world, instance, step, name, wanted):
    world.tune(instance, {"migrate-rows-per-second": 200})
    clients = world.start_clients(3, reconnect_every=8, think_ms=10)
    world.settle(clients)
    number = world.upgrade_unheard()
    pattern = f"{HOMES[instance]}/bin/{name}"
    wait_until(lambda: world.run("pgrep", "-f", pattern, check=False).status == 0, 30, f"{name} of {step} to run")
    time.sleep(0.3)
    world.run("pkill", "-9", "-f", pattern)
    result = world.wait_record(number)
    world.tune(instance, {})
    equal(result, wanted, "the result")
    world.judge(number, result, clients)
    return result


def output_removed(world, line):
    """What was printed is gone before it could be compared: nothing may be committed."""
    world.arm(at=f"{line}.1", when="after", action="stop")
    clients = world.start_clients(3, reconnect_every=8, think_ms=10)
    world.settle(clients)
    number = world.upgrade_unheard()
    world.wait_shot()
    world.shell(f"rm /run/timesten-upgrade/job/{number}/*port-orders.out")
    world.go_on()
    result = world.wait_record(number)
    equal(result, "failed", "the result")
    world.judge(number, result, clients)
    return result


def plan(points):
    """(what it is called, function of the world). The short form gives each step one of the events in turn."""
    events = events_of(points)
    begins = [(line, step) for line, (event, step) in events.items() if event == "begin" and step != "check"]
    found = []
    for place, (line, step) in enumerate(begins):
        chosen = list(EVENTS) if LONG else [list(EVENTS)[place % len(EVENTS)]]
        found += [(f"{event} in {step}", lambda world, line=line, event=event: one(world, f"{line}.1", "after", event))
                  for event in chosen]
    end = next(line for line, (event, _) in events.items() if event == "finish")
    points = [one for one in points if int(one[0].split(".")[0]) < end]  # behind it their number is a matter of luck
    asked = [point for kind in UNDER_WAY
             for point in [one for one in points if one[1].startswith(kind)][-1 if not LONG else 0:]]
    found += [(f"PID 1 executes itself anew while it works on {what}",
               lambda world, name=name: one(world, name, "after", "PID 1 executes itself anew")) for name, what in asked]
    found += [(f"{name} is killed in {step}", lambda world, row=(instance, step, name, wanted): utility_killed(world, *row))
              for instance, step, name, wanted in UTILITIES]
    verify = next(line for line, event in events.items() if event == ("begin", "verify"))
    found.append(("what export and import printed is removed", lambda world: output_removed(world, verify)))
    return found


def test(world):
    # A killed keeper or daemon is told by systemd; the journal is not what is tested here.
    # Nor is what daemon and worker have to say in the moment in which the bus ends.
    world.expect(r"timesten-(server@main|upgraded)\.service: ", r"Failed to start", r"systemd: timesten-util-.*: ", "dbus",
                 r"port-keeper: ", r"systemd-logind|polkitd", "timesten-upgraded: The connection to the bus was lost",
                 "timesten-upgraded: Cannot tell the bus that .*: Transport endpoint is not connected",
                 "upgrade-job: Cannot ask systemd to run .*: (Connection reset by peer|Transport endpoint is not connected)")
    world.remember()
    points = world.count_points("done")
    world.reset()
    runs = plan(points)
    if LONG:
        part, parts = map(int, os.environ.get("TU_PART", "1/1").split("/"))
        runs = runs[part - 1::parts]
    if os.environ.get("TU_POINTS"):
        runs = [one for one in runs if os.environ["TU_POINTS"] in one[0]]
    tally = Tally()
    for what, act in runs:
        began = time.monotonic()
        try:
            result = act(world)
            tally.add(result, time.monotonic() - began)
            if os.environ.get("TU_VERBOSE"):
                say(f"    {what}: {result}, {time.monotonic() - began:.1f} s")
        except Failed as failure:
            tally.failures.append(f"{what}: {failure}")
            say(f"    {tally.failures[-1]}")
            check(len(tally.failures) < 10, "too many failures")
        world.reset()
    tally.say("in an upgrade", "kill")


run(test, machine=CrashWorld)
