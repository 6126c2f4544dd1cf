"""The file system of the state really fills up, and really goes read-only after an error, in the middle of an upgrade: 6.0
serves at once, the job tells why, and after the administrator's fsck and reboot nothing is left to do."""

import os

from crashworld import STATE, check, equal, run, say, skip, wait_until
from disk import command, why_not
from diskworld import DiskWorld


class StateWorld(DiskWorld):
    """The state on an ext4 of its own, which goes read-only at its first error, as distributions have it."""

    def __init__(self, name):
        super().__init__(name, "ext4", {"state": [STATE]})

    def boot(self, wait=True):
        super().boot(wait)
        self.mount_strictly()
        return self

    @property
    def disk(self):
        return self.disks.disks[0]

    def mount_strictly(self):
        command("mount", "-o", "remount,errors=remount-ro", self.disk.top)

    def break_disk(self):
        """As a bad block in its metadata would."""
        device = os.path.basename(self.disk.device)
        with open(f"/sys/fs/ext4/{device}/trigger_fs_error", "w") as trigger:
            trigger.write("by a test")

    def repair_disk(self):
        """What an administrator does: fsck while the machine is down."""
        self.poweroff()
        self.disk.let_go()
        done = os.waitstatus_to_exitcode(os.system(f"e2fsck -fy {self.disk.image} >/dev/null 2>&1"))
        check(done in (0, 1), f"e2fsck ended with {done}")
        self.disk.mount()
        self.boot()


def under_way(world):
    """A job in the middle of its import, and clients."""
    clients = world.start_clients(3, patience=90)
    world.settle(clients)
    gate = world.gate("tt70", "ttMigrate -r at=50")
    number = world.lanes[0].number = world.upgrade()
    gate.wait()
    return clients, gate, number


def must_have_lost_nothing(world, clients):
    world.settle(clients)
    report = world.stop_clients(clients)
    equal((world.lost("tt60", report), report.troubles()), ([], 0), f"lost rows and troubles ({report})")


def full(world):
    clients, gate, number = under_way(world)
    world.shell(f"fallocate -l $(($(stat -f -c %a {STATE}) * $(stat -f -c %S {STATE}) - 1048576)) {STATE}/filler;"
                f" dd if=/dev/zero of={STATE}/filler2 bs=4k 2>/dev/null; dd if=/dev/zero of={STATE}/filler3 bs=512 2>/dev/null; true")
    gate.open()
    # The end itself may fit into the room that the record still has, or has to wait for more.
    wait_until(lambda: any(f"Job {number} finished: failed" in line["MESSAGE"] for line in world.journal("_COMM=upgrade-job")), 120,
               "the job to be undone")
    world.settle(clients)
    world.shell(f"rm {STATE}/filler*")
    equal(world.lanes[0].wait_record(60), "failed", "the result on a full disk")
    message = world.job(number)["Error"][1]
    say(f"  full: {message}")
    check("No space left" in message and STATE in message, f"the error: {message}")
    must_have_lost_nothing(world, clients)
    world.must_serve("tt60")


def read_only(world):
    clients, gate, number = under_way(world)
    world.break_disk()
    check("Read-only" in world.shell(f"touch {STATE}/x", check=False).err, "the disk is not read-only")
    gate.open()
    wait_until(lambda: any("goes back meanwhile" in line["MESSAGE"] for line in world.journal("_COMM=upgrade-job")), 60,
               "the worker to tell that it cannot write")
    must_have_lost_nothing(world, clients)
    answer = world.ttclient()
    check("6.0.8" in answer.out + answer.err, f"a new client was not served by 6.0: {answer}")
    world.repair_disk()
    equal(world.lanes[0].wait_record(120), "failed", "the result after the reboot")
    say(f"  read-only: {world.job(number)['Error'][1]}")
    wait_until(lambda: world.ttclient("--sql", "select count(*) from items", check=False).status == 0, 60, "6.0 to answer")
    world.must_serve("tt60")


def test(world):
    world.expect("upgrade-job: (Cannot|Whether the commit|Job|Step)", "upgrade-job: .*(Read-only|No space left)",
                 "timesten-upgraded: ", r"systemd: timesten-job@\d+", "systemd-journald: ", "timesten-generator")
    full(world)
    read_only(world)
    world.faults("tt70")
    world.must_end(world.upgrade(), "done")
    world.must_serve("tt70")


reason = why_not("ext4")
if reason:
    skip(reason)
run(test, kind="fault", machine=StateWorld)
