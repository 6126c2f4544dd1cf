"""A worker that can open nothing any more, forward or on the way back, ends by itself and the next one goes on: no hang until
its watchdog, and nothing that it could not read is taken for empty."""

from harness import check, equal, options, run, say, wait_until


def starve(world, number):
    """Leaves the worker what it has open, and not one descriptor more; its process."""
    pid = world.unit(f"timesten-job@{number}.service", "MainPID")
    world.run("prlimit", "--pid", pid, "--nofile=3:3")
    return pid


def must_be_followed(world, number, pid):
    wait_until(lambda: world.unit(f"timesten-job@{number}.service", "MainPID") not in ("0", pid), 30,
               "the next worker to come, well before the watchdog")
    lines = [line["MESSAGE"] for line in world.journal("-u", f"timesten-job@{number}.service")]
    check(any("cannot open any file" in line for line in lines), f"the worker did not tell: {lines}")
    check(not any("Watchdog" in line for line in lines), f"the watchdog had to end the worker: {lines}")


def on_the_way_back(world):
    data = world.gate("tt70", "ttMigrate -r at=50")
    back = world.gate("tt60", "ttDaemonAdmin -startserver")
    number = world.upgrade()
    data.wait()
    world.bus.job(number, "Cancel", "a{sv}", *options())
    back.wait()
    pid = starve(world, number)
    must_be_followed(world, number, pid)
    back.open()
    data.open()
    world.must_end(number, "cancelled")
    world.must_serve("tt60")
    world.faults("tt60")


def on_the_way_forward(world):
    gate = world.gate("tt70", "ttMigrate -r at=50")
    number = world.upgrade()
    gate.wait()
    pid = starve(world, number)
    must_be_followed(world, number, pid)
    gate.open()
    world.must_end(number, "done")
    world.must_serve("tt70")
    starts = sum(event == "start" for _, event, _, _ in world.record(number))
    equal(starts, 2, "how many workers there were")


def test(world):
    world.expect(r"systemd: timesten-job@\d+\.service: (Main process exited|Failed with result|Scheduled restart)",
                 "upgrade-job: .*(Too many open files|cannot open any file)", r"upgrade-job: (Job \d+|Step|Undoing)",
                 r"systemd: timesten-util-.*: (Main process exited, code=killed, status=15/TERM|Failed with result 'signal')",
                 r"systemd: Failed to start timesten-util-")
    clients = world.start_clients(3)
    world.settle(clients)
    on_the_way_back(world)
    world.settle(clients)
    on_the_way_forward(world)
    world.settle(clients)
    report = world.stop_clients(clients)
    equal((world.lost("tt70", report), report.troubles()), ([], 0), f"lost rows and troubles ({report})")
    say("  2 workers without descriptors were followed by others")


run(test, kind="fault")
