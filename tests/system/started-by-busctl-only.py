"""One `busctl call` upgrades; `busctl monitor` and `systemctl status` are enough to follow it."""

import json

from harness import Reader, check, equal, run, wait_until
from bus import NAME, ROOT, plain


def test(world):
    gate = world.gate("tt60", "ttMigrate -c at=50")
    world.start_clients(3)
    world.settle()
    process = world.popen("busctl", "--json=short", "monitor", NAME)
    monitor = Reader(process)
    told = Reader(process, process.stderr)
    wait_until(lambda: "Monitoring" in told.text(), 30, "busctl monitor to listen")
    answer = world.run("busctl", "call", "--timeout=30", NAME, f"{ROOT}/server/main", f"{NAME}.Server", "Upgrade",
                       "sa{sv}", "tt70", "0").out.split()
    equal(answer[0], "to", "the signature of the answer")
    number = int(answer[1])
    gate.wait()
    status = world.run("systemctl", "status", f"timesten-job@{number}.service", check=False).out
    check("Status:" in status, f"systemctl status shows no status line:\n{status}")
    gate.open()
    world.must_end(number, "done")
    wait_until(lambda: '"JobRemoved"' in monitor.text(), 60, "JobRemoved on the bus")
    messages = [json.loads(line) for _, line in monitor.lines if line.startswith("{")]
    signals = [one for one in messages if one.get("type") == "signal"]
    names = [one["member"] for one in signals]
    for wanted in ("JobNew", "PrepareForUpgrade", "JobRemoved", "PropertiesChanged", "InterfacesAdded"):
        check(wanted in names, f"the monitor saw no {wanted}: {sorted(set(names))}")
    prepare = [plain(one["payload"]) for one in signals if one["member"] == "PrepareForUpgrade"]
    equal(prepare, [["main", True], ["main", False]], "PrepareForUpgrade")
    removed = [plain(one["payload"]) for one in signals if one["member"] == "JobRemoved"]
    equal(removed[0][2:], ["main", "done"], "JobRemoved")
    progress = []
    for one in signals:
        if one["member"] == "PropertiesChanged":
            interface, changed = plain(one["payload"])[:2]
            if interface == f"{NAME}.Job" and "Progress" in changed:
                progress.append(changed["Progress"])
    check(len(progress) >= 3, f"hardly any progress on the bus: {progress}")
    equal(progress, sorted(progress), "the progress, which may only grow")
    world.settle()
    world.end_clients("tt70")


run(test)
