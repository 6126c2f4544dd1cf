"""logind holds a shutdown back while clients wait, and no longer; one that comes anyway ends well at the next boot; and
without logind an upgrade goes as ever."""

from harness import check, equal, run, say, wait_until

DELAY = "/etc/systemd/logind.conf.d/delay.conf"


def locks(world):
    """Our locks as systemd-inhibit lists them: {mode: the whole line}."""
    lines = [line for line in world.run("systemd-inhibit", "--list", "--no-pager", "--no-legend").out.splitlines()
             if "timesten-upgrade" in line]
    return {line.split()[-1]: line for line in lines}


def delay(world, seconds):
    world.write(DELAY, f"[Login]\nInhibitDelayMaxSec={seconds}\n")
    world.systemctl("restart", "systemd-logind.service")


def shut_down(world):
    # At a SIGTERM they look for the fate of their last row for a minute.
    world.run("pkill", "-KILL", "-x", "ttclient")
    # -i as an administrator who insists would: from 257 on the lock of mode block binds root, too.
    world.run("systemctl", "poweroff", "-i", "--no-block", check=False)


def come_back(world):
    """The next boot, and the steps that had ended before it."""
    world.nspawn.wait(90)
    world.forget()
    record = sorted((world.root / "var/lib/timesten-upgrade/jobs").glob("*/record"), key=lambda path: int(path.parent.name))[-1]
    ended = [line.split()[4] for line in record.read_text().splitlines() if line.split()[3] == "end"]
    world.clients = []
    world.boot()
    return ended


def without_logind(world):
    """Undone, so that the next case begins where this one did."""
    world.systemctl("mask", "--now", "--runtime", "systemd-logind.service")
    world.faults("tt70", "ttMigrate -r exit=1")
    number = world.upgrade()
    world.must_end(number, "failed")
    told = [line for line in world.journal() if "would not be delayed" in line["MESSAGE"]]
    equal(len(told), 1, "how often it was told that there is no logind")
    world.faults("tt70")
    world.systemctl("unmask", "--runtime", "systemd-logind.service")
    world.systemctl("start", "systemd-logind.service")


def shut_down_anyway(world):
    delay(world, 1)
    world.start_clients(4)
    world.settle()
    gate = world.gate("tt70", "ttMigrate -r at=30")
    number = world.upgrade()
    gate.wait()
    wait_until(lambda: len(locks(world)) == 2, 10, "both locks")
    shut_down(world)
    check("import" not in come_back(world), "the import ended")
    job = world.must_end(number, "failed")
    check("went down" in job["Error"][1], f"the error does not tell of the host: {job['Error']}")
    world.faults("tt70")
    world.must_serve("tt60")


def shut_down_delayed(world):
    delay(world, 60)
    equal(locks(world), {}, "locks of ours before the upgrade")
    world.start_clients(4)
    world.settle()
    gate = world.gate("tt70", "ttMigrate -r at=30")
    number = world.upgrade()
    gate.wait()
    held = wait_until(lambda: len(locks(world)) == 2 and locks(world), 10, "both locks")
    for line in held.values():
        say(f"  {line}")
        check("shutdown" in line and f"ttctl cancel {number}" in line and "main" in line, f"the lock does not say why: {line}")
    equal(sorted(held), ["block", "delay"], "the locks' modes")
    shut_down(world)
    # logind has been told by now, and waits.
    gate.open()
    ended = come_back(world)
    check("resume" in ended, f"the host went down in the window, after {ended}")
    world.must_end(number, "done")
    world.must_serve("tt70")
    equal(locks(world), {}, "locks of ours after the upgrade")


def test(world):
    world.expect(r"upgrade-job: (Step (import|-) failed|Job \d+ finished: failed|Job \d+ goes back)", "timesten-upgraded: Job .* failed",
                 r"systemd: timesten", r"systemd-logind", r"systemd: (Failed to start )?systemd-logind", "dbus-daemon: ")
    world.wait_running()
    equal(world.unit("systemd-logind.service"), "active", "systemd-logind of this machine")
    without_logind(world)
    shut_down_anyway(world)
    shut_down_delayed(world)


run(test)
