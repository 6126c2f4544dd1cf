"""A new main daemon that cannot start, dies, never answers or answers wrongly, or whose user is gone, costs nobody a connect."""

import os

from harness import DAEMON_PORTS, HOMES, check, define_instance, equal, run, say
from undo import must_be_as_before, must_undo
from world import ADMINS

define_instance("other", "7.0.6", 18000, "ttother")
CASES = [
    # name · what 7.0 does · error · words that its message must hold
    ("the new daemon crashes at once", "timestend crash", "UtilityFailed", ["timesten@tt70.service", "systemctl status"]),
    ("the new daemon ends at once", "timestend exit=1", "UtilityFailed", ["timesten@tt70.service", "systemctl status"]),
]
# A minute each, because a daemon may have to recover its databases before it answers.
LONG_CASES = [
    ("the new daemon never answers", "timestend deaf", "UtilityFailed", ["timesten@tt70.service", "systemctl status"]),
    ("the new daemon answers wrongly", 'ttStatus exit=0 output="220 mail.example ready"', "UtilityFailed",
     ["tt70", "main daemon", "tterrors.log"]),
]


def its_port_is_taken(world):
    with world.taken_port(DAEMON_PORTS["tt70"]):
        must_undo(world, "the new daemon's port is taken", "ChecksFailed", ["tt70", str(DAEMON_PORTS["tt70"])])


def user_is_missing(world):
    """The other installation of 7.0 has an administrator of its own, who is not there, or goes in the middle of a job."""
    admin = ADMINS["other"]
    entry = world.run("getent", "passwd", admin).out
    world.shell(f"sed -i '/^{admin}:/d' /etc/passwd")
    must_undo(world, "the owner of the new instance is nobody", "InvalidConfiguration", [HOMES["other"], "has no name", "Admin="],
              target="other")
    world.write("/etc/timesten-upgrade/instances.d/other.conf", f"[Instance]\nHome={HOMES['other']}\nAdmin={admin}\n")
    world.bus.manager("Reload")
    must_undo(world, "the new instance's user is missing", "ChecksFailed",
              ["administrator-exists (other)", admin, "Create the user"], target="other")
    world.shell("cat >>/etc/passwd", input=entry)

    def vanish(number):
        gate.wait()
        world.shell(f"sed -i '/^{admin}:/d' /etc/passwd")
        gate.open()
    gate = world.gate("tt60", "ttMigrate -c")
    job = must_undo(world, "the new instance's user vanishes", "NotPossible", ["other", admin, "does not exist"], target="other",
                    during=vanish, result="needs-attention")
    world.faults("tt60")
    world.shell("cat >>/etc/passwd", input=entry)
    world.run("ttctl", "retry", job["Id"], check=False)
    world.must_end(job["Id"], "failed")


def it_crashes_after_a_second(world):
    """systemd starts it again; where a utility missed it meanwhile, the job is undone. Gives the result."""
    world.faults("tt70", "timestend crash-after=1 count=1")
    # So slowly that it dies in the import at the latest.
    world.tune("tt70", {"migrate-rows-per-second": 1500})
    job = world.wait_job(world.upgrade())
    what = "the new daemon crashes after a second"
    say(f"  {what}: {job['Result']}: {job['Error'][1]}")
    check(world.unit("timesten@tt70.service", "NRestarts") != "0" or job["Result"] == "failed", f"{what}: it did not crash")
    if job["Result"] == "failed":
        check("tt70" in job["Error"][1], f"{what}: {job['Error'][1]}")
        must_be_as_before(world, what)
    else:
        equal(job["Result"], "done", f"the job where {what}")
    world.faults("tt70")
    world.tune("tt70", {})
    return job["Result"]


def test(world):
    before = world.content("tt60", "orders")
    world.expect(r"systemd: (Failed to start )?timesten@(tt70|other).service",
                 r"upgrade-job: (Step (start-new-daemon|import|check) failed|Undoing step start-new-daemon failed|Check )",
                 r"upgrade-job: Job \d+ finished: (failed|needs-attention)",
                 r"systemd: (Failed to start )?timesten-job@\d+", r"timesten-upgraded: (Job .* (failed|needs-attention)|Cannot read instance other)",
                 # A unit whose user is missing.
                 r"\(.*\): timesten[-@].*(Failed to determine user credentials|Failed at step USER)",
                 r"systemd: (Failed to start )?timesten-util-")
    world.start_clients(4)
    world.settle()
    for what, fault, error, words in CASES + (LONG_CASES if os.environ.get("TU_LONG") == "1" else []):
        world.faults("tt70", fault)
        must_undo(world, what, error, words)
        world.faults("tt70")
    its_port_is_taken(world)
    user_is_missing(world)
    if it_crashes_after_a_second(world) == "failed":
        world.must_end(world.upgrade(), "done")
    world.settle()
    world.end_clients("tt70")
    equal(world.content("tt70", "orders"), before, "the rows after a later, good upgrade")


run(test, kind="fault", instances=("tt60", "tt70", "other"))
