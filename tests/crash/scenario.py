"""What a job can be asked to do while things die: one row for each way, forward and back.

A scenario begins at a state of all lanes (`beginning`), breaks what it wants broken, asks the bus for one thing, may do one thing
more while the job runs, and has exactly one result, whenever the worker dies.
"""

import hashlib
from dataclasses import dataclass
from typing import Callable

from bus import NAME, ROOT, options
from container import wait_until
from crashworld import DATABASE, STATE, BusError, Failed, check
from sweep import must_hold, wave


class Refused(Failed):
    """What was asked for never began."""


@dataclass(frozen=True)
class Scenario:
    name: str
    beginning: str
    ask: Callable    # lane → (path, interface, method, signature, words…); None: what is begun asks by itself
    result: str
    release: str     # which serves in the end: "old" or "new"
    end: str         # what tests/tally calls this end
    prepare: Callable = lambda lane: None
    unit: str = None  # begun where nobody asks: its name, before that of the server
    then: Callable = None  # what is done while it runs, and waits for its step
    since: tuple = None  # the record's (event, step) from which on its points are its own
    loses: bool = False  # rows since the switch, knowingly
    goes_on: bool = False  # with the job of its beginning
    destroys: bool = False  # the old database, as was asked
    replicates: bool = False  # one release still follows the other in the end
    stops: bool = False  # the old main daemon
    clients: str = "6.0.8"  # their own release
    decides: str = None  # the call (a pattern) whose sync decides that it ends so also where the host goes down; None: all do

    def take_up(self, lane):
        """Before it asks: the lane's job, where it goes on with that of its beginning."""
        if self.goes_on:
            lane.number = next(job for job, owner in lane.world.jobs.items() if owner == (lane.server, self.beginning))
            lane.length = len(lane.record_lines())

    def call(self, lane):
        """Asks and hears the answer."""
        if not self.ask:
            return self.call_unheard(lane, set(lane.world.jobs_on_disk()))
        path, interface, method, *words = self.ask(lane)
        try:
            answer = lane.world.bus.call(path, interface, method, *words, timeout=120)
        except BusError as error:
            raise Refused(f"{method} was refused: {error}") from None
        lane.number = answer[0] if answer else lane.number

    def call_unheard(self, lane, known):
        if self.ask:
            path, interface, method, *words = self.ask(lane)
            lane.world.popen("busctl", "call", NAME, path, interface, method, *words)
        else:
            lane.world.systemctl("start", f"{self.unit}@{lane.server}.service")
        lane.number = lane.number or wait_until(lambda: lane.find_job(known), 30, f"a job of {lane.server} on the disk")


def server(lane):
    return f"{ROOT}/server/{lane.server}", f"{NAME}.Server"


def upgrade(lane):
    return *server(lane), "Upgrade", "sa{sv}", lane.new, *options()


def rollback(lane):
    return *server(lane), "Rollback", "a{sv}", *options({"allow-data-loss": ("b", "true")})


def upgrade_online(lane):
    return *server(lane), "Upgrade", "sa{sv}", lane.new, *options({"method": ("s", "online")})


def rollback_online(lane):
    return *server(lane), "Rollback", "a{sv}", *options()


def upgrade_in_place(lane):
    return *server(lane), "Upgrade", "sa{sv}", lane.new, *options({"method": ("s", "in-place")})


def fail_load(lane):
    lane.world.faults(lane.new, "timestensubd fail")


def confirm(lane):
    return *server(lane), "Confirm", "a{sv}", *options({"backwards-compat-off": ("b", "true")})


def clean(lane):
    return *server(lane), "Clean", "a{sv}", 2, "databases", "as", 1, DATABASE, "exports", "b", "true"


def retry(lane):
    return f"{ROOT}/job/{lane.number}", f"{NAME}.Job", "Retry", "a{sv}", *options()


# What RESTORE takes away; as in tests/system/online.py.
QUICK = {"replication-state-seconds": 0.2, "replication-retry-seconds": 0.2, "agent-restart-seconds": 0.2}


def quick(lane):
    for instance in (lane.old, lane.new):
        lane.world.tune(instance, QUICK)


def pass_deadline(lane):
    """The time is over in which somebody could have confirmed."""
    quick(lane)
    path = f"{STATE}/servers/{lane.server}"
    text = lane.world.read(path).split("\n", 1)[1].rstrip("\n") + "\nConfirmBy=1000000\n"
    lane.world.write(path, f"#sum={hashlib.sha256(text.encode()).hexdigest()[:16]}\n{text}")


def fail_import_online(lane):
    quick(lane)
    fail_import(lane)


def fail_import(lane):
    lane.world.faults(lane.new, "ttMigrate -r exit=1 at=50")


def slow_import(lane):
    lane.world.tune(lane.new, {"migrate-rows-per-second": 60})


def cancel(lane):
    # Behind the one line that it writes before its long work, so that the record has as many lines in each run.
    wait_until(lambda: lane.has_recorded("note", "import"), 60, "the import to be at work")
    lane.world.bus.job(lane.number, "Cancel", "a{sv}", *options())


RENAME = r"^rename \S+/servers/"

SCENARIOS = {one.name: one for one in [
    Scenario("upgrade", "begin", upgrade, "done", "new", "done", decides=RENAME),
    Scenario("undo", "begin", upgrade, "failed", "old", "undone", prepare=fail_import, since=("fail", "import")),
    # Of itself; what makes it fail comes from outside.
    Scenario("undo-as-it-is", "begin", upgrade, "failed", "old", "undone"),
    Scenario("cancel", "begin", upgrade, "cancelled", "old", "cancelled", prepare=slow_import, then=cancel,
             since=("begin", "import"), decides="^record fail import"),
    Scenario("rollback", "upgraded", rollback, "done", "old", "back", loses=True, decides=RENAME),
    Scenario("online", "begin", upgrade_online, "done", "new", "done", prepare=quick, replicates=True, decides=RENAME),
    Scenario("online-undo", "begin", upgrade_online, "failed", "old", "undone", prepare=fail_import_online,
             since=("fail", "import")),
    Scenario("online-rollback", "followed", rollback_online, "done", "old", "back", prepare=quick, decides=RENAME),
    # Afterwards the old release has stopped, and the new one has its database.
    Scenario("in-place", "begin", upgrade_in_place, "done", "new", "done", destroys=True, decides=RENAME),
    Scenario("in-place-undo", "begin", upgrade_in_place, "failed", "old", "undone", prepare=fail_load, since=("fail", "take-over")),
    # Asked by nobody: its time is over.
    Scenario("revert", "followed", None, "done", "old", "back", prepare=pass_deadline, unit="timesten-revert", decides=RENAME),
    Scenario("confirm", "followed", confirm, "done", "new", "done", prepare=quick, stops=True, clients="7.0.6", decides=RENAME),
    Scenario("retry", "attention", retry, "done", "new", "done", goes_on=True),
    Scenario("clean", "upgraded", clean, "done", "new", "done", destroys=True, decides="^record end commit"),
]}


# Beginnings

def make_upgraded(world):
    """Every lane was upgraded once, under clients, so that their table is in both releases."""
    world.restore("begin")
    must_hold(wave(world, SCENARIOS["upgrade"], {lane: None for lane in world.lanes}))
    world.remember("upgraded", "new")


def make_attention(world):
    """In every lane an upgrade was committed, and then its worker died four times in one step."""
    world.restore("begin")

    def spoil(lane):
        lane.arm(match="record begin retire-old", when="after", times=4)
        SCENARIOS["upgrade"].call(lane)
        result = lane.wait_record(120)
        check(result == "needs-attention", f"a job whose worker died four times behind the commit ended {result}")
    world.each(spoil)
    world.remember("attention", "new", state="needs-attention")


def make_followed(world):
    """Every lane was upgraded by replication, and its old release follows the new one."""
    world.restore("begin")
    must_hold(wave(world, SCENARIOS["online"], {lane: None for lane in world.lanes}))
    world.remember("followed", "new")


BEGINNINGS = {"upgraded": make_upgraded, "followed": make_followed, "attention": make_attention}


def begin(world, name):
    if "begin" not in world.beginnings:
        world.remember()
    if name not in world.beginnings:
        BEGINNINGS[name](world)
