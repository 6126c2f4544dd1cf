"""A higher version of the package goes in under load and inside a job: no connect is refused, no session cut, the job is done."""

import shutil

import roots
from harness import check, equal, package, run, say, wait_until

UNITS = ("timesten-server@main.socket", "timesten-server@main.service", "timesten@tt60.service")


def higher(world, step):
    """The package under test, made again as a higher version: /root/STEP.deb of the machine; gives that version."""
    place = world.layer.place / f"package-{step}"
    roots.run("dpkg-deb", "-R", package(), place)
    control = place / "DEBIAN/control"
    version = roots.run("dpkg-deb", "-f", package(), "Version").strip() + f"+{step}"
    control.write_text("".join(f"Version: {version}\n" if line.startswith("Version:") else line
                               for line in control.read_text().splitlines(True)))
    # A program that is another file, too, as after a real new build.
    with open(place / "usr/libexec/timesten-upgrade/upgrade-job", "ab") as program:
        program.write(b"\n")
    roots.run("dpkg-deb", "--root-owner-group", "-Znone", "-b", place, f"{world.root}/root/{step}.deb")
    shutil.rmtree(place)
    return version


def install(world, step, version):
    """As an administrator would."""
    world.run("dpkg", "-i", f"/root/{step}.deb", timeout=120)
    equal(world.run("dpkg-query", "-W", "-f", "${Version}", "timesten-upgrade").out, version, "the version that is installed")


def test(world):
    # Each is higher than the one before: the letters count in Debian's order.
    versions = {step: higher(world, step) for step in ("b", "c", "d")}
    world.expect(r"systemd: timesten-job@\d+.service: (Main process exited|Failed with result)")
    # The port is held for as long as dpkg takes, twice.
    world.start_clients(6, patience=240)
    world.settle()
    before = {unit: world.unit(unit, "InvocationID") for unit in UNITS}
    install(world, "b", versions["b"])
    world.settle()
    equal({unit: world.unit(unit, "InvocationID") for unit in UNITS}, before, "the invocations of the units")

    stop = world.gate("tt60", "ttDaemonAdmin -stopserver")
    number = world.upgrade(values={"hold-limit-usec": ("t", 300_000_000)})
    stop.wait()
    check(world.keeper("state") in ("hold", "drain"), "the port is not on hold")
    refused = world.run("dpkg", "-r", "timesten-upgrade", check=False)
    check(refused.status != 0 and f"timesten-job@{number}" in refused.err + refused.out,
          f"a removal in the middle of a job should be refused and name it: {refused}")
    export = world.gate("tt60", "ttMigrate -c at=50")
    install(world, "c", versions["c"])
    say("  while the port is held: installed")
    stop.open()
    export.wait()
    install(world, "d", versions["d"])
    say("  inside the export: installed, and the worker killed, so that the new version's goes on")
    unit = f"timesten-job@{number}.service"
    worker = world.unit(unit, "MainPID")
    world.run("kill", "-9", worker)
    wait_until(lambda: world.unit(unit, "MainPID") not in ("0", worker), 30, "a new worker")
    export.open()
    world.must_end(number, "done")
    world.settle()
    report = world.end_clients("tt70")
    check(report.cut <= 6, f"more sessions were cut than the upgrade itself cuts: {report.cut}")
    equal({unit: world.unit(unit, "InvocationID") for unit in UNITS[:2]}, {unit: before[unit] for unit in UNITS[:2]},
          "the invocations of socket and keeper")

    wait_until(lambda: world.unit(f"timesten-job@{number}.service") == "inactive", 20, "the worker to leave")
    world.run("dpkg", "-r", "timesten-upgrade")
    wait_until(lambda: 16002 not in world.listeners(), 10, "the port to be closed by a removal")


run(test, kind="fault")
