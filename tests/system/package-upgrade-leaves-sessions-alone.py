"""A new version of the package goes in under load: no connect is refused, no session is cut, no keeper restarts."""

import shutil

from harness import SLOW, check, equal, package, run, wait_until

UNITS = ("timesten-server@main.socket", "timesten-server@main.service", "timesten@tt60.service")


def test(world):
    shutil.copy(package(), world.root / "root/product.deb")
    world.start_clients(6)
    world.settle()
    before = {unit: world.unit(unit, "InvocationID") for unit in UNITS}
    for _ in range(3):
        world.run("dpkg", "-i", "/root/product.deb", timeout=120)
        world.settle()
    equal({unit: world.unit(unit, "InvocationID") for unit in UNITS}, before, "the invocations of the units")

    world.tune("tt60", SLOW)
    number = world.upgrade()
    world.wait_step(number, "export")
    refused = world.run("dpkg", "-r", "timesten-upgrade", check=False)
    check(refused.status != 0 and f"timesten-job@{number}" in refused.err + refused.out,
          f"a removal in the middle of a job should be refused and name it: {refused}")
    world.run("dpkg", "-i", "/root/product.deb", timeout=120)
    world.must_end(number, "done")
    world.settle()
    report = world.stop_clients()
    equal(world.lost("tt70", report), [], "lost rows")
    equal(report.troubles(), 0, "connects or statements that failed")
    check(report.cut <= 6, f"more sessions were cut than the upgrade itself cuts: {report.cut}")

    wait_until(lambda: world.unit(f"timesten-job@{number}.service") == "inactive", 20, "the worker to leave")
    world.run("dpkg", "-r", "timesten-upgrade")
    wait_until(lambda: 16002 not in world.listeners(), 10, "the port to be closed by a removal")


run(test)
