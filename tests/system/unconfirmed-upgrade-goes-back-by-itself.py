"""What nobody confirms in time goes back by itself with every row, also where the time was over while the host was down; and
what is confirmed stays, without a way back that loses nothing. All of it can be done with busctl alone, as the manual says."""

import hashlib
import re

from harness import SOURCE, check, equal, options, refused, run, say, wait_until
from online import OnlineWorld

HOUR = 3600 * 10**6
BACKING = "var/lib/timesten-upgrade/servers/main"
TIMER = "timesten-confirm@main.timer"
TIMES = f"/run/systemd/system/{TIMER}.d/50-deadline.conf"


def confirmation(world):
    server = world.bus.properties("Server", "main")
    return server["Confirmation"], server["ConfirmBy"]


def went_back(world):
    """Waits until it did; the number of the job, whom it was asked by."""
    wait_until(lambda: world.bus.properties("Server", "main")["Instance"] == "tt60", 120, "the server to go back", 0.3)
    number = world.bus.manager("ListJobs")[0][-1][0]
    job = world.must_end(number, "done")
    equal((job["Kind"], job["Method"], job["StartedByUID"]), ("rollback", "online", 0), "the job that goes back")
    equal(confirmation(world), ("", 0), "what is left to confirm")
    wait_until(lambda: world.unit("timesten-revert@main.service") == "inactive", 60, "who asked for it to end", 0.3)
    return number


def later(world, usec):
    """The host is down: the upgrade was confirmed to be confirmed that much earlier."""
    path = world.root / BACKING
    text = re.sub(r"^(Since|ConfirmBy)=(\d+)$", lambda one: f"{one[1]}={int(one[2]) - usec}",
                  path.read_text().split("\n", 1)[1], flags=re.M)
    path.write_text(f"#sum={hashlib.sha256(text.encode()).hexdigest()[:16]}\n{text}")


def by_hand(world):
    """The calls of timesten-upgrade-online(7), as they stand there."""
    page = (SOURCE / "docs/timesten-upgrade-online.7").read_text()
    blocks = [one.replace("\\-", "-").replace("\\(aq", "'").replace("\\e\n", "\\\n")
              for one in re.findall(r'^\.\\" calls\n(.*?)^\.\\" end', page, re.M | re.S)]
    look, upgrade, watch, see, back, clean, confirm = blocks
    world.shell(look, timeout=120)
    equal(world.shell(upgrade, timeout=120).out.strip(), 'to 1 "/org/timesten/Upgrade1/job/1"', "the answer to Upgrade")
    world.must_end(1, "done")
    check('s "finished"' in world.shell(watch).out and 's "done"' in world.shell(watch).out, "what is watched")
    check('s "unconfirmed"' in world.shell(see).out, "what is to be seen")
    world.sql("tt70", "orders", "insert into items values (70070, 'after the switch', 7);")
    equal(world.shell(back, timeout=120).out.split()[1], "2", "the number of the way back")
    world.must_end(2, "done")
    equal(world.sql("tt60", "orders", "select amount from items where id = 70070;"), ["7"], "the row of after the switch")
    equal(world.shell(clean, timeout=120).out.split()[1], "3", "the number of the clean")
    world.must_end(3, "done")
    return confirm


def said(world):
    """What is told by who asks for the way back."""
    return [one["MESSAGE"] for one in world.journal("-t", "revert-unconfirmed")]


def wait_until_said(world, words):
    wait_until(lambda: any(words in line for line in said(world)), 60, f"the journal to tell: {words}", 0.3)


def goes_back_in_time(world):
    """The time is soon over: it is asked for again where the bus is away, where the rollback fails, by the next one where who asked
    is killed, and while another job is at work."""
    world.start_clients(4)
    world.settle()
    world.must_end(world.online(**{"confirm-within": ("t", 5 * 10**6)}), "done")
    world.faults("tt60", "ttAdmin -repStart exit=1")
    world.systemctl("mask", "--runtime", "dbus.socket", "dbus.service")  # else who asks would bring it back
    world.systemctl("stop", "dbus.socket", "dbus.service")
    wait_until_said(world, "The service cannot be asked: ")
    world.systemctl("unmask", "--runtime", "dbus.socket", "dbus.service")
    world.systemctl("start", "dbus.socket", "dbus.service")
    wait_until_said(world, "its rollback ended failed: ")
    failed = world.bus.manager("ListJobs")[0][-1][0]
    world.must_end(failed, "failed")
    told = world.run("ttctl", "status", "main").out
    for words in ("goes back to tt60 now", f"{failed}, failed: UtilityFailed", "ttctl confirm main"):
        check(words in told, f"ttctl status does not tell {words}: {told}")
    world.must_serve("tt70")

    world.faults("tt60")
    gate = world.gate("tt70", "ttRepAdmin -wait")
    world.systemctl("kill", "--signal=KILL", "timesten-revert@main.service")
    world.bus.server("main", "Rollback", "a{sv}", *options({"allow-data-loss": ("b", "true")}), timeout=60)
    wait_until_said(world, "works on server main already")
    gate.open()
    went_back(world)
    world.faults("tt70")
    world.settle()
    world.end_clients("tt60")
    world.must_serve("tt60")
    world.is_untouched("tt60")
    check("Nobody has confirmed the upgrade of server main in time" in said(world)[0], f"what the journal tells: {said(world)}")
    for line in said(world):
        say(f"  {line}")


def goes_back_after_a_reboot(world):
    world.run("ttctl", "clean", "main", "--databases=orders", timeout=120)
    world.must_end(world.online(**{"confirm-within": ("t", HOUR)}), "done")
    state, by = confirmation(world)
    equal(state, "unconfirmed", "what an upgrade leaves")
    check("goes back to tt60 in 59min" in world.run("ttctl", "status", "main").out, "ttctl status does not tell")
    equal(world.unit(TIMER), "active", "the timer")
    times = world.read(TIMES)  # they count from the timer's start
    check("OnCalendar=" not in times, f"a clock that is set would bring it forward: {times}")
    world.systemctl("daemon-reload")
    equal(world.read(TIMES), times, "when the timer goes off after a daemon-reload")
    world.start_clients(4)
    world.settle()
    report = world.stop_clients()
    world.systemctl("disable", "--now", "timesten@tt60.service", "timesten@tt70.service", check=False)
    world.poweroff()
    later(world, 2 * HOUR)
    world.boot()
    went_back(world)
    check(by > 0, "no time was told")
    equal(world.lost("tt60", report), [], "rows that were written while it was unconfirmed")
    world.must_serve("tt60")
    world.is_untouched("tt60")


def stays_when_confirmed(world, confirm):
    world.run("ttctl", "clean", "main", "--databases=orders", timeout=120)
    world.must_end(world.online(**{"confirm-within": ("t", HOUR)}), "done")
    refused(lambda: world.upgrade(target="tt60"), "NotPossible", "ttctl confirm main")
    world.start_clients(4)
    world.settle()
    number = int(world.shell(confirm, timeout=120).out.split()[1])
    world.must_end(number, "done")
    check("Done: main stays with tt70" in world.run("ttctl", "job", number).out, "what ttctl says")
    world.settle()
    world.end_clients("tt70")
    equal(confirmation(world), ("confirmed", 0), "what is left to confirm")
    equal(world.unit(TIMER), "inactive", "the timer")
    equal(world.unit("timesten@tt60.service"), "inactive", "the main daemon that nobody has enabled")
    world.is_untouched("tt70")
    world.must_serve("tt70")

    # What is left to do is done as it is told.
    left = world.job(number)["LeftToDo"]
    equal(len(left), 1, f"what is left to do: {left}")
    check("-insecure-backwards-compat" in left[0], f"what is left to do: {left}")
    world.shell(left[0].split("any more: ")[1], timeout=120)
    options_of = world.read("/opt/TimesTen/tt70/info/ttendaemon.options")
    check("-insecure-backwards-compat" not in options_of, f"the option is still there: {options_of}")
    world.must_serve("tt70", release="7.0.6")

    message = refused(lambda: world.bus.server("main", "Rollback", "a{sv}", 0, timeout=60), "ChecksFailed", "data-loss")
    say(f"  refused: {message}")
    number = world.bus.server("main", "Rollback", "a{sv}", *options({"allow-data-loss": ("b", "true")}), timeout=60)[0]
    equal(world.must_end(number, "done")["Method"], "offline", "the method of a rollback after the confirmation")
    world.must_serve("tt60")


def test(world):
    world.expect(r"upgrade-job: Check (data-loss|way-back|backwards-compat|irreversible|agent-policy)",
                 r"upgrade-job: Step check failed: data-loss", r"upgrade-job: Job \d+ finished: failed",
                 r"systemd: Failed to start timesten-job@", r"systemd: timesten-job@\d+.service: Failed with result",
                 # The bus that is away, the rollback that fails, and who asks for it.
                 r"dbus", r"systemd-logind|polkit", r"timesten-upgraded: The connection to the bus was lost",
                 r"upgrade-job: Step start-agents failed: ", r"timesten-upgraded: Job \d+ on server main ended: failed",
                 r"systemd: timesten-(revert@main|upgraded)\.service: ")
    confirm = by_hand(world)
    goes_back_in_time(world)
    goes_back_after_a_reboot(world)
    stays_when_confirmed(world, confirm)


run(test, OnlineWorld, kind="online", server_lines=["DrainSec=1"])
