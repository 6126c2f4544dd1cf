"""A worker that was killed comes back and an administrator, an instance's file or the new server is gone: no endless restarts,
and whatever can be served is served."""

import time

from crashworld import ADMIN, HOMES, CrashWorld, check, equal, run, say, wait_until
from scenario import SCENARIOS, begin

INSTANCE = "/etc/timesten-upgrade/instances.d/tt70.conf"


def stop_at(world, match):
    lane = world.lanes[0]
    world.restore()
    lane.arm(match=match, when="after", action="stop")
    lane.start_clients()
    lane.settle()
    SCENARIOS["upgrade"].call_unheard(lane, set(world.jobs_on_disk()))
    wait_until(lane.shots, 60, "the worker to come to the point", 0.02)
    return lane


def kill_worker(world):
    world.systemctl("kill", "-s", "KILL", "timesten-job@*.service")


def must_tell(lane, *words):
    message = lane.world.job(lane.number)["Error"][1]
    say(f"  {message}")
    for word in words:
        check(word in message, f"the error does not tell {word!r}: {message}")


def retry(lane):
    """The exit status of ttctl retry; the record's next end is waited for anew."""
    lane.length = len(lane.record_lines())
    return lane.world.run("ttctl", "retry", lane.number, check=False).status


def user_gone(world):
    """The user is missing while the port is held and the old server is still up: undone, but for what only the user could do."""
    lane = stop_at(world, "record begin drain")
    world.shell(f"cp -a /etc/passwd /root/ && sed -i '/^{ADMIN}:/d' /etc/passwd")
    kill_worker(world)
    result = lane.wait_record(120)
    world.run("cp", "-a", "/root/passwd", "/etc/passwd")
    equal(result, "needs-attention", "the result of a job whose administrator is gone")
    must_tell(lane, ADMIN, "user does not exist", "start-new-daemon could not be undone")
    starts = sum(event == "start" for _, event, _, _ in world.record(lane.number))
    check(starts < 4, f"the worker was started {starts} times")
    began = time.monotonic()
    lane.settle()  # the port is open to 6.0
    say(f"  clients wrote on after {time.monotonic() - began:.1f} s")
    check(retry(lane) != 0, "ttctl retry does not end with the job's failure")
    equal(lane.wait_record(), "failed", "the result after a retry with the user back")
    check("could not be undone" not in world.job(lane.number)["Error"][1], "an old trouble is told after it is gone")
    lane.judge(SCENARIOS["undo"], "failed", world.before)


def file_gone(world):
    """The new instance's declaration is taken away: nobody can go on, and a person is asked to put it back."""
    lane = stop_at(world, "record begin announce")
    text = world.read(INSTANCE)
    world.run("rm", INSTANCE)
    kill_worker(world)
    equal(lane.wait_record(120), "needs-attention", "the result of a job whose instance is not declared any more")
    must_tell(lane, "tt70")
    lane.settle()
    world.write(INSTANCE, text)
    world.run("ttctl", "reload")
    equal(retry(lane), 0, "the exit status of ttctl retry")
    lane.judge(SCENARIOS["upgrade"], lane.wait_record(), world.before)


def new_port(world):
    text = world.read(f"{HOMES['tt70']}/info/ttendaemon.options")
    return int(next(line.split()[1] for line in text.splitlines() if line.startswith("-server ")))


def server_died(world):
    """The new server dies behind the commit: it is started again while its clients wait."""
    lane = stop_at(world, "record begin resume")
    world.shell(f"for p in $(pgrep -x ttcserver); do case $(readlink /proc/$p/exe) in {HOMES['tt70']}/*) kill -9 $p;; esac; done")
    wait_until(lambda: "ttcserver" not in world.listeners().get(new_port(world), ()), 10, "the new server to be gone")
    world.go_on()
    equal(lane.wait_record(), "done", "the result of a job whose new server died behind its commit")
    told = [line for line in world.journal() if "started again" in line["MESSAGE"]]
    check(told, "the journal does not tell that the server was started again")
    lane.judge(SCENARIOS["upgrade"], "done", world.before)


def test(world):
    begin(world, "begin")
    world.expect("upgrade-job: Job .* cannot be gone on with", "systemd: timesten-util-.*: (Failed|Main process exited)",
                 r"systemd: (Failed to start )?timesten-util", r"\(.*\): timesten(-util-|@).*: Failed",
                 # Stopped all the same, without the command that only its user could run.
                 r"systemd: timesten@tt70.service: (Control process exited|Failed with result)")
    server_died(world)
    file_gone(world)
    user_gone(world)


run(test, kind="fault", machine=CrashWorld, lanes=1)
