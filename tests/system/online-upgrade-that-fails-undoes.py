"""Whatever fails in an upgrade by replication, 6.0 serves on with all rows, nobody is refused, and nothing of it is left."""

import os

from harness import HOMES, PORT, check, equal, refused, run, say, tally
from online import OnlineWorld
from undo import must_undo

ONLINE = {"method": ("s", "online")}
LONG = os.environ.get("TU_LONG") == "1"


def findings(world, **more):
    """Errors and warnings of the check: {id: message}."""
    found = world.bus.server("main", "Check", "sa{sv}", "tt70", 1, "method", "s", "online", timeout=60)[0]
    return {one[1]: one[3] for one in found if one[0] in ("error", "warning")}


def the_check_tells(world):
    """Each thing that replication cannot bear, before anything is touched."""
    ini = {name: world.read(f"{HOMES[name]}/info/sys.odbc.ini") for name in ("tt60", "tt70")}
    equal(set(findings(world)), {"backwards-compat"}, "what is wrong with a world as it should be")
    world.write(f"{HOMES['tt70']}/info/sys.odbc.ini", ini["tt70"].replace("/orders70", "/other/orders60").replace("TIMESTEN8", "AL32UTF8"))
    world.sql("tt60", "orders", "create table keyless (a integer);")
    world.write(f"{HOMES['tt60']}/.standin/peers", "orders ELSEWHERE otherhost 17100 Start\n")
    found = findings(world)
    for wrong, word in {"replication-names": "ORDERS60", "replication-character-set": "AL32UTF8", "existing-scheme": "ELSEWHERE",
                        "tables-without-key": ".KEYLESS"}.items():
        check(word in found.get(wrong, ""), f"{wrong} does not tell {word}: {found}")
    refused(lambda: world.online(), "ChecksFailed", "replication-names", "existing-scheme", "tables-without-key")
    world.write(f"{HOMES['tt60']}/.standin/peers", "")
    world.sql("tt60", "orders", "drop table keyless;")
    for name, text in ini.items():
        world.write(f"{HOMES[name]}/info/sys.odbc.ini", text)
    equal(set(findings(world)), {"backwards-compat"}, "what is wrong with a world that was mended")


def much_is_written(world):
    """During the import, so that more log is held for 7.0 than may be."""
    gate = world.gate("tt70", "ttMigrate -r at=50")

    def act(number):
        gate.wait()
        for n in range(1, 6):
            world.sql("tt60", "orders", f"insert into items select id + {n}00000, name, amount from items where id <= 2000;")
        gate.open()
    return act


def at_the_window(world, instance, fault):
    """From the proof of the new server on, which is past all that looks at replication before the hold."""
    def act(number):
        world.wait_step(number, "start-new-server")
        world.faults(instance, fault)
    return act


def a_table_is_made(world):
    gate = world.gate("tt70", "ttMigrate -r at=50")

    def act(number):
        gate.wait()
        world.sql("tt60", "orders", "create table late (a integer not null primary key);", "insert into late values (1);")
        gate.open()
    return act


def cases(world):
    """Name, fault from the beginning on (instance, line), what is done meanwhile, error, words of its message."""
    yield "no copy", ("tt60", "ttRepAdmin -duplicate exit=1"), None, "UtilityFailed", ["ttRepAdmin -duplicate", "tt60"]
    yield "a table that only 6.0 has", None, a_table_is_made(world), "NotPossible", [".LATE", "tt70"]
    world.sql("tt60", "orders", "drop table late;")
    yield "too much log", None, much_is_written(world), "NotPossible", ["ORDERS70", "failed", "ReplicationLogFiles="]
    yield ("a row is confirmed and not applied, in the window", None, at_the_window(world, "tt70", "timestenrepd skip"),
           "UtilityFailed", ["marked row", "orders", "tt70"])
    yield ("nothing is sent any more, in the window", None, at_the_window(world, "tt60", "timestenrepd stall"),
           "DeadlinePassed", ["ttRepSubscriberWait", "orders", "tt70"])
    if LONG:
        lines = [line if "LogFiles" not in line else "ReplicationLogFiles=2000" for line in world.server_lines]
        world.declare_server("main", PORT, world.databases, "tt60", *lines)
        world.run("ttctl", "reload")
        yield "nothing is ever sent", ("tt60", "timestenrepd stall"), None, "DeadlinePassed", ["lag does not shrink", "orders"]
        yield "all is confirmed and not applied", ("tt70", "timestenrepd skip"), None, "DeadlinePassed", ["marked row", "orders"]
        yield "the new agent never listens", ("tt70", "timestenrepd exit=1"), None, "UtilityFailed", ["did not come up", "orders", "tt70"]
        yield "no import", ("tt70", "ttMigrate -r exit=2"), None, "UtilityFailed", ["ttMigrate -r"]


def test(world):
    world.expect(r"upgrade-job: (Step \S+ failed|Check \S+|Job \d+ finished: failed|.*It is tried again)",
                 r"timesten-upgraded: Job .* failed", r"systemd: Failed to start timesten-",
                 r"systemd: timesten-(util|job)\S+: (Main process|Failed with)")
    for name in ("tt60", "tt70"):  # small log files, so that many are soon held
        world.shell(f"sed -i 's/^DatabaseCharacterSet/LogFileSize=0.05\\n&/' {HOMES[name]}/info/sys.odbc.ini")
    world.start_clients(8)
    world.settle()
    the_check_tells(world)
    count = 0
    for what, fault, during, error, words in cases(world):
        if fault:
            world.faults(*fault)
        must_undo(world, what, error, words, ONLINE, during)
        for instance in ("tt60", "tt70"):
            world.faults(instance)
        world.is_untouched("tt60")
        count += 1
    before = world.content("tt60", "orders")
    world.must_end(world.online(), "done")
    world.settle()
    report = world.stop_clients()
    equal(world.lost("tt70", report), [], "rows that were acknowledged and are not in tt70")
    equal(report.troubles(), 0, f"connects and statements that failed: {report}")
    equal(world.content("tt70", "orders"), before, "the rows after a later, good upgrade")
    say(f"  {count} failures were undone")
    tally("fault", count, "online-upgrade-that-fails-undoes", undone=count)


run(test, OnlineWorld, server_lines=["DrainSec=1", "HoldLimitSec=15", "ReplicationLogFiles=6"])
