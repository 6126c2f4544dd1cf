"""22.1 under tt_tt221.service gets another installation by ttInstanceModify while clients wait, and its old one again."""

import roots
from harness import ADMIN, HOMES, World, check, define_instance, equal, refused, run, say
from inplace import must_end_in_place, policy

OLD, NEW = "tt221", "tt221new"
UNIT = "tt_tt221.service"
HOME = "/opt/TimesTen/tt221"
define_instance(OLD, "22.1.1.18.0", 6624)
define_instance(NEW, "22.1.1.27.0", 6624)
HOMES[NEW] = HOME
ENDURING = ("enduring", "True")


class VendorWorld(World):
    """One instance under the vendor's unit, declared once with each of two installations."""

    def __init__(self, name, **more):
        super().__init__(name, instances=(OLD, NEW), server_lines=["DrainSec=1"], **more)

    def install_instance(self, name, *words, **more):
        release = {OLD: "22.1.1.18.0", NEW: "22.1.1.27.0"}[name]
        if name == OLD:
            super().install_instance(OLD, server_port=16002, declare=False)
            for who, command in ((ADMIN, "ttInstanceModify -systemd"), ("root", "setuproot -install -systemd")):
                roots.in_root(self.root, "runuser", "-u", who, "--", "sh", "-c", f"{HOME}/bin/{command}")
        else:
            roots.in_root(self.root, "/tmp/standin/install", "--build", "/tmp/standin", "--unpack", "/", "/opt/TimesTen",
                          release, ADMIN)
        self.write(f"/etc/timesten-upgrade/instances.d/{name}.conf",
                   f"[Instance]\nHome={HOME}\nUnit={UNIT}\nInstallation=/opt/TimesTen/tt{release}\n")

    def declare_server(self, name, port, databases, instance, *lines, **more):
        super().declare_server(name, port, databases, OLD, *lines, **more)

    def create_databases(self):
        super().create_databases(OLD, UNIT)

    def utility(self, instance, name, *words, check=True, timeout=120):
        return self.run(f"{HOME}/bin/ttenv", name, *words, user=ADMIN, check=check, timeout=timeout)

    def ttclient(self, *words, release=None, **more):
        return super().ttclient(*words, release="22.1.1.18.0", **more)

    def start_clients(self, count, **more):
        return super().start_clients(count, release="22.1.1.18.0", **more)

    def release(self):
        return self.utility(OLD, "ttVersion", "version").out.strip()


def loads(world):
    return [line["MESSAGE"] for line in world.journal() if "is loaded from its files" in line["MESSAGE"]]


def test(world):
    world.expect("upgrade-job: Step (check|take-over) failed", r"upgrade-job: Job \d+ finished: failed",
                 "systemd: Failed to start timesten-job@", r"systemd: timesten-job@\d+.service: Failed with result")
    unit = world.read(f"/lib/systemd/system/{UNIT}")
    before = world.content(OLD, "orders")
    world.utility(OLD, "ttAdmin", "-ramPolicy", "enduring", "-ramLoad", "orders")
    plain = world.utility(OLD, "ttDaemonAdmin", "-stopserver", check=False)
    check(plain.status != 0 and "systemctl" in plain.out + plain.err, f"not the vendor's unit is in control: {plain}")

    lists = "/opt/TimesTen/tt22.1.1.27.0/info/upgrade.json"
    text = world.read(lists)
    world.write(lists, text.replace('"inverse": true', '"inverse": false'))
    refused(lambda: world.upgrade(target=NEW, values={"method": ("s", "in-place")}), "ChecksFailed", "way-back-in-place", "inverse")
    world.write(lists, text)

    world.start_clients(3)
    world.settle()
    world.faults(OLD, "ttIsql exit=1")
    job = world.must_end(world.upgrade(target=NEW), "failed")
    check("ttIsql" in job["Error"][1], f"the error does not tell why: {job['Error']}")
    world.faults(OLD)
    world.settle()
    world.end_clients(OLD)
    world.must_serve(OLD)
    equal(world.release(), "22.1.1.18.0", "the release that runs after the undo")
    equal(policy(world, OLD), ENDURING, "RAM policy after the undo")
    undone = len(loads(world))  # the release that failed had used up the segment

    world.start_clients(6)
    world.settle()
    number = world.upgrade(target=NEW)
    report = must_end_in_place(world, number, NEW)
    equal(world.release(), "22.1.1.27.0", "the release that runs")
    equal(policy(world, NEW), ENDURING, "RAM policy afterwards")
    equal(world.content(NEW, "orders"), before, "rows that were there before")

    equal(len(loads(world)), undone, "loads where the shared memory was kept")

    # An installation that needs more of it: the segment is of no use, and no row is lost.
    world.shell("echo overhead=9 >>/opt/TimesTen/tt22.1.1.18.0/.standin/instance")
    world.start_clients(6)
    world.settle()
    world.must_end(world.bus.server("main", "Rollback", "a{sv}", 0, timeout=60)[0], "done")
    world.settle()
    world.end_clients(OLD)
    world.must_serve(OLD)
    equal(world.release(), "22.1.1.18.0", "the release that runs after the rollback")
    equal(len(loads(world)), undone + 1, "loads where the shared memory had another size")
    equal(policy(world, OLD), ENDURING, "RAM policy after the rollback")
    equal(world.lost(OLD, report), [], "rows of the clients before")
    equal(world.read(f"/lib/systemd/system/{UNIT}"), unit, "the vendor's unit")
    equal(world.unit(UNIT, "StartLimitIntervalUSec"), "0", "its start limit")


run(test, VendorWorld)
