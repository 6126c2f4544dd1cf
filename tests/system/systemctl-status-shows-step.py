"""systemctl tells an administrator where a job is, and treats servers and instances as the services they are."""

import re

from harness import SLOW, check, equal, run, wait_until


def test(world):
    world.tune("tt60", SLOW)
    world.start_clients(2)
    world.settle()
    number = world.upgrade()
    unit = f"timesten-job@{number}.service"
    seen = set()

    def watch():
        text = world.unit(unit, "StatusText")
        if text:
            seen.add(text)
        return world.job(number)["State"] == "finished"
    wait_until(watch, 120, "the job to end", 0.1)
    world.must_end(number, "done")
    check(any("export" in text.lower() for text in seen), f"no status line names the export: {sorted(seen)}")
    percents = [int(value) for text in seen for value in re.findall(r"(\d+) ?%", text)]
    check(len(set(percents)) >= 3, f"hardly any percents in the status lines: {sorted(seen)}")
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
