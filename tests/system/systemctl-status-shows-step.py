"""systemctl tells an administrator where a job is, and treats servers and instances as the services they are."""

import re

from harness import check, equal, run, wait_until


def test(world):
    gates = {"export": world.gate("tt60", "ttMigrate -c at=50"), "import": world.gate("tt70", "ttMigrate -r at=50")}
    world.start_clients(2)
    world.settle()
    number = world.upgrade()
    unit = f"timesten-job@{number}.service"
    percents = []
    for step, gate in gates.items():
        gate.wait()

        def told():
            text = world.unit(unit, "StatusText")
            return step in text.lower() and re.search(r"(\d+) ?%", text)
        percents.append(int(wait_until(told, 30, f"a status line that names the {step}").group(1)))
        gate.open()
    check(0 < percents[0] < percents[1] < 100, f"the percents in the middle of export and import: {percents}")
    world.must_end(number, "done")
    log = world.run("journalctl", "-q", "--no-pager", "-u", unit).out
    for step in ("hold", "export", "import", "commit", "resume"):
        check(step in log, f"journalctl -u {unit} does not tell of {step}:\n{log}")
    equal(world.unit(unit, "Result"), "success", "systemd's result of the job")
    check("Main PID" in world.systemctl("status", "timesten-server@main.service").out, "no status of the keeper")
    check("active (running)" in world.systemctl("status", "timesten@tt70.service").out, "7.0 is not an active service")
    world.stop_clients()

    world.systemctl("restart", "timesten@tt70.service")
    world.must_serve("tt70")
    world.systemctl("stop", "timesten@tt70.service")
    check(17000 not in world.listeners(), "systemctl stop left the main daemon there")
    world.systemctl("start", "timesten@tt70.service")
    world.must_serve("tt70")


run(test)
