"""No limit of systemd or the kernel resets or refuses a client that waits: start limit, trigger limit, a stop or a restart of
the socket, the length of the queue, reload and re-execution of PID 1, and the keeper's death, all during one hold.

Each of them closes the port, or loses those who wait, where the unit or the sysctl that stands against it is taken away.
"""

import re
import time

from bus import options
from harness import check, equal, run, say, wait_until

CLIENTS = 8
KEEPER, SOCKET = "timesten-server@main.service", "timesten-server@main.socket"
BROKEN = "/run/systemd/system/timesten-server@main.service.d/99-test.conf"


def held(world):
    return world.bus.properties("Server", "main")["Held"]


def queue(world):
    """Length and limit of the socket's queue, as the kernel says by sock_diag."""
    line = world.run("ss", "-Hltn", "sport = :16002").out.split()
    return int(line[1]), int(line[2])


def all_wait(world, after):
    wait_until(lambda: queue(world)[0] == CLIENTS, 30, f"all clients to wait after {after}")
    equal(world.unit(SOCKET, "ActiveState"), "active", f"the socket after {after}")
    say(f"  {after}: {CLIENTS} still wait")


def kill_keeper(world):
    before = world.unit(KEEPER, "MainPID")
    world.run("kill", "-9", before)
    wait_until(lambda: world.unit(KEEPER, "MainPID") not in ("0", before), 60, "a new keeper")


def starts_that_fail(world):
    return world.run("journalctl", "-u", KEEPER, "-o", "cat", "--no-pager").out.count("Main process exited, code=exited, status=1")


def crash_on_start(world):
    """Each trigger starts a keeper that dies at once, and who waits triggers again: far more than 20 times in 2 s."""
    world.write(BROKEN, "[Service]\nType=simple\nRestart=no\nExecStart=\nExecStart=/bin/false\n")
    world.systemctl("daemon-reload")
    world.systemctl("stop", KEEPER)
    wait_until(lambda: starts_that_fail(world) > 25, 120, "many starts to fail")
    equal(world.unit(SOCKET, "Result"), "success", "the socket's result while its service cannot start")
    world.run("rm", BROKEN)
    world.systemctl("daemon-reload")
    wait_until(lambda: world.unit(KEEPER, "ActiveState") == "active", 60, "the keeper to start again")


def refused_by_systemd(world, *words):
    result = world.run("systemctl", *words, check=False)
    check(result.status != 0 and "refused" in result.err.lower(), f"systemctl {' '.join(words)} was not refused: {result}")


def test(world):
    world.expect(r"timesten-server@main\.service: (Main process exited|Failed with result)", "Failed to start timesten-server@main",
                 r"Stopping timesten-server@main\.service, but it can still be activated")
    for key, wanted in (("TriggerLimitIntervalUSec", "0"), ("TriggerLimitBurst", "0"), ("FlushPending", "no"), ("Backlog", "65535")):
        equal(world.unit(SOCKET, key), wanted, f"{key} of the socket")
    equal(world.unit(KEEPER, "StartLimitIntervalUSec"), "0", "the keeper's start limit")
    equal(world.run("cat", "/proc/sys/net/ipv4/tcp_abort_on_overflow").out.strip(), "0", "tcp_abort_on_overflow")
    world.must_serve("tt60")

    world.bus.server("main", "Hold", "ta{sv}", 300_000_000, *options())
    began = time.time()
    world.start_clients(CLIENTS, patience=300)
    all_wait(world, "the hold")
    for _ in range(8):  # the default lets five starts in 10 s pass
        kill_keeper(world)
    all_wait(world, "eight deaths of the keeper")
    crash_on_start(world)
    all_wait(world, "a keeper that dies at each start")
    world.systemctl("daemon-reload")
    all_wait(world, "daemon-reload")
    world.systemctl("daemon-reexec")
    all_wait(world, "daemon-reexec")
    world.systemctl("stop", KEEPER)  # who waits starts it again
    wait_until(lambda: world.unit(KEEPER, "ActiveState") == "active", 30, "the keeper to be activated")
    all_wait(world, "a stop of the keeper")

    world.run("sysctl", "-q", "-w", "net.core.somaxconn=1000")
    kill_keeper(world)
    wait_until(lambda: queue(world)[1] == 1000, 20, "the queue to be as long as the kernel allows")
    world.run("sysctl", "-q", "-w", "net.core.somaxconn=65535")
    kill_keeper(world)
    wait_until(lambda: queue(world)[1] == 65535, 20, "the queue to be widened on the live socket")
    all_wait(world, "another length of the queue")
    wait_until(lambda: held(world) == CLIENTS, 20, "the bus to tell how many wait")
    told = world.bus.properties("Server", "main")
    check(abs(told["HoldSince"] / 1e6 - began) < 10, f"the age of the hold is lost: {told['HoldSince']}, it began at {began}")
    equal(told["Sessions"], 0, "sessions let through")
    row = next(line for line in world.run("ttctl", "status").out.splitlines() if line.startswith("main "))
    check(re.search(rf" held .* {CLIENTS} .*left$", row), f"ttctl status does not tell of the hold: {row}")

    world.bus.server("main", "Resume", "a{sv}", *options())
    world.settle()
    during_a_job(world)
    world.end_clients("tt70")


def during_a_job(world):
    """While a job is at work nobody can stop or restart the socket, and no stop job of it stands in PID 1's queue."""
    world.run("sysctl", "-q", "-w", "net.ipv4.tcp_abort_on_overflow=1")
    checks = world.run("ttctl", "check", "main", "tt70", check=False)
    check("tcp_abort_on_overflow" in checks.out + checks.err, f"a kernel that resets who finds no room is not told: {checks}")
    world.run("sysctl", "-q", "-w", "net.ipv4.tcp_abort_on_overflow=0")
    gate = world.gate("tt60", "ttMigrate -c")
    number = world.upgrade()
    gate.wait()
    for words in (("restart", SOCKET), ("stop", SOCKET), ("stop", "--no-block", SOCKET), ("try-restart", SOCKET)):
        refused_by_systemd(world, *words)
    check(SOCKET not in world.run("systemctl", "list-jobs", check=False).out, "a job of the socket waits")
    gate.open()
    world.must_end(number, "done")
    world.settle()
    say("  during a job: the socket can be neither stopped nor restarted")


run(test)
