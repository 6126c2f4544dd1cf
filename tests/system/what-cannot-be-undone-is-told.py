"""Where an undo fails too, the error names both, the old release serves, and a retry ends it; a stranger on the new main
daemon's port is seen before anything is touched."""

from harness import ADMIN, DAEMON_PORTS, HOMES, check, equal, refused, run, say, wait_until

INFO = f"{HOMES['tt70']}/info"


def stranger_on_the_daemon_port(world):
    port = DAEMON_PORTS["tt70"]
    stranger = world.taken_port(port)
    refused(lambda: world.upgrade(), "ChecksFailed", "daemon-port")
    stranger.kill()
    stranger.wait()
    wait_until(lambda: port not in world.listeners(), 10, "the stranger to be gone")


def test(world):
    world.expect(r"upgrade-job: (Step (import|check) failed|Undoing step start-new-daemon failed)",
                 r"upgrade-job: Job \d+ finished: (needs-attention|failed)", r"timesten-upgraded: Job .* (needs-attention|failed)",
                 r"systemd: (Failed to start )?timesten-job@\d+")
    before = world.content("tt60", "orders")
    world.start_clients(4)
    world.settle()
    stranger_on_the_daemon_port(world)

    gate = world.gate("tt70", "ttMigrate -r exit=1 at=50")
    number = world.upgrade()
    gate.wait()
    # The option file of 7.0 cannot be replaced from now on.
    world.run("chown", "root:root", INFO)
    world.run("chmod", "755", INFO)
    gate.open()
    job = world.must_end(number, "needs-attention")
    name, message = job["Error"]
    say(f"  {message}")
    equal(name.rsplit(".", 1)[-1], "UtilityFailed", "the error")
    for word in ("ttMigrate", "orders", "Then step start-new-daemon could not be undone", INFO):
        check(word in message, f"the message does not name {word}: {message}")
    world.settle()

    world.run("chown", f"{ADMIN}:{ADMIN}", INFO)
    world.run("ttctl", "retry", number, check=False)
    job = world.must_end(number, "failed")
    check("ttMigrate" in job["Error"][1] and "could not be undone" not in job["Error"][1],
          f"the error after the retry: {job['Error'][1]}")
    check(world.unit("timesten@tt70.service") in ("inactive", "failed"), "the new daemon still runs")
    report = world.stop_clients()
    equal(world.lost("tt60", report), [], "rows that were acknowledged and are lost")
    equal(report.troubles(), 0, "connects or statements that failed")
    equal(world.content("tt60", "orders"), before, "the database of 6.0")
    world.must_serve("tt60")


run(test)
