"""A worker killed behind each step of a confirmation, in one job, brings it to its end: nothing is left of the replication,
nobody is refused, no row is lost, and the main daemon runs without the compatibility option. A power cut before the commit
leaves the server as it was, and it can be confirmed again."""

from crashworld import CRASH, OneLane, Tally, check, equal, run, wait_until
from online import OnlineWorld

STEPS = ("check", "commit", "forget-deadline", "end-replication", "stop-previous-daemon", "backwards-compat")
HOUR = 3600 * 10**6


class ConfirmWorld(OneLane, OnlineWorld):
    def __enter__(self):
        super().__enter__()
        self.expect(r"upgrade-job: Check (way-back|backwards-compat|agent-policy)", "went down before the confirm")
        return self


def confirm(world):
    """Asks as a person would, whatever becomes of the worker; the number of the job."""
    known = set(world.jobs_on_disk())
    asked = world.popen("ttctl", "confirm", "main", "--backwards-compat-off", "--no-wait")
    world.lane.number = wait_until(lambda: world.lane.find_job(known), 60, "a job on the disk")
    return asked


def cut(world, tally):
    """The host goes when everything is checked and nothing is decided."""
    world.lane.arm(match="record begin commit", when="after", action="stop")
    confirm(world)
    wait_until(world.lane.shots, 60, "the worker to stop at its commit")
    world.stop_clients_abruptly()
    world.cut_power()
    world.boot()
    equal(world.lane.wait_record(120), "failed", "a confirmation that a power cut met before its commit")
    equal(world.bus.properties("Server", "main")["Confirmation"], "unconfirmed", "what it leaves")
    equal(world.unit("timesten-confirm@main.timer"), "active", "the timer after the boot")
    tally.add("failed")


def killed(world, tally):
    world.shell(f"rm -rf {CRASH}/main")
    world.lane.arm(match="record end ", when="after", times=len(STEPS))
    clients = world.start_clients(4, release="7.0.6")
    world.settle()
    confirm(world)
    equal(world.lane.wait_record(240), "done", "a confirmation whose worker dies at each step")
    equal(len(world.lane.shots()), len(STEPS), "deaths")
    world.must_serve("tt70", release="7.0.6")
    report = world.stop_clients(clients)
    equal(world.lost("tt70", report), [], "rows that were acknowledged and are lost")
    equal(report.refused + report.reset, 0, "connects that failed")
    for _ in STEPS:
        tally.add("done")


def test(world):
    tally = Tally()
    world.must_end(world.online(**{"confirm-within": ("t", HOUR)}), "done")
    world.start_clients(2)
    world.settle()
    cut(world, tally)
    killed(world, tally)
    told = world.bus.properties("Server", "main")
    equal((told["Confirmation"], told["ConfirmBy"], told["Instance"]), ("confirmed", 0, "tt70"), "the server")
    world.is_untouched("tt70")
    equal(world.unit("timesten-confirm@main.timer"), "inactive", "the timer")
    check("-insecure-backwards-compat" not in world.read("/opt/TimesTen/tt70/info/ttendaemon.options"), "the option is left")
    world.must_serve("tt70", release="7.0.6")
    tally.say("confirmations", ends={"done": "done", "failed": "undone"})


run(test, machine=ConfirmWorld, rows=300, server_lines=["DrainSec=1"])
