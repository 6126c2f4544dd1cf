"""Where an undo fails too, the error names both, the old release serves, and a retry ends it; a stranger on the new main
daemon's port is seen before anything is touched."""

from harness import DAEMON_PORTS, HOMES, check, equal, refused, run, say

INFO = f"{HOMES['tt70']}/info"


def test(world):
    world.expect(r"upgrade-job: (Step (import|check) failed|Undoing step start-new-daemon failed)",
                 r"upgrade-job: Job \d+ finished: (needs-attention|failed)", r"timesten-upgraded: Job .* (needs-attention|failed)",
                 r"systemd: (Failed to start )?timesten-job@\d+")
    before = world.content("tt60", "orders")
    world.start_clients(4)
    world.settle()
    with world.taken_port(DAEMON_PORTS["tt70"]):
        refused(lambda: world.upgrade(), "ChecksFailed", "daemon-port")

    gate = world.gate("tt70", "ttMigrate -r exit=1 at=50")
    number = world.upgrade()
    gate.wait()
    world.lock_options("tt70")
    gate.open()
    job = world.must_end(number, "needs-attention")
    name, message = job["Error"]
    say(f"  {message}")
    equal(name.rsplit(".", 1)[-1], "UtilityFailed", "the error")
    for word in ("ttMigrate", "orders", "Then step start-new-daemon could not be undone", INFO):
        check(word in message, f"the message does not name {word}: {message}")
    world.settle()

    world.unlock_options("tt70")
    world.run("ttctl", "retry", number, check=False)
    job = world.must_end(number, "failed")
    check("ttMigrate" in job["Error"][1] and "could not be undone" not in job["Error"][1],
          f"the error after the retry: {job['Error'][1]}")
    check(world.unit("timesten@tt70.service") in ("inactive", "failed"), "the new daemon still runs")
    world.end_clients("tt60")
    equal(world.content("tt60", "orders"), before, "the database of 6.0")
    world.must_serve("tt60")


run(test, kind="fault")
