"""A worker that was killed comes back and an administrator, an instance's file or the new server is gone: no endless restarts,
and whatever can be served is served."""

import time

from crashworld import ADMIN, HOMES, CrashWorld, check, equal, run, say, wait_until

INSTANCE = "/etc/timesten-upgrade/instances.d/tt70.conf"


def stop_at(world, match):
    world.arm(match=match, when="after", action="stop")
    clients = world.start_clients(3)
    world.settle(clients)
    number = world.upgrade_unheard()
    world.wait_shot()
    return number, clients


def kill_worker(world):
    world.systemctl("kill", "-s", "KILL", "timesten-job@*.service")


def must_tell(world, number, *words):
    message = world.job(number)["Error"][1]
    say(f"  {message}")
    for word in words:
        check(word in message, f"the error does not tell {word!r}: {message}")


def starts(world, number):
    return sum(event == "start" for _, event, _, _ in world.record(number))


def user_gone(world):
    """The user is missing while the port is held and the old server is still up: undone, but for what only the user could do."""
    number, clients = stop_at(world, "record begin drain")
    world.shell(f"cp -a /etc/passwd /root/ && sed -i '/^{ADMIN}:/d' /etc/passwd")
    kill_worker(world)
    result = world.wait_record(number, 120)
    world.run("cp", "-a", "/root/passwd", "/etc/passwd")
    equal(result, "needs-attention", "the result of a job whose administrator is gone")
    must_tell(world, number, ADMIN, "user does not exist", "start-new-daemon could not be undone")
    check(starts(world, number) < 4, f"the worker was started {starts(world, number)} times")
    world.settle(clients)  # the port is open to 6.0
    world.must_serve_by(clients)
    equal(world.run("ttctl", "retry", number, check=False).status != 0, True, "ttctl retry ends with the job's failure")
    equal(world.wait_record(number), "failed", "the result after a retry with the user back")
    check("could not be undone" not in world.job(number)["Error"][1], "an old trouble is told after it is gone")
    world.judge(number, "failed", clients)
    world.reset()


def file_gone(world):
    """The new instance's declaration is taken away: nobody can go on, and a person is asked to put it back."""
    number, clients = stop_at(world, "record begin announce")
    text = world.read(INSTANCE)
    world.run("rm", INSTANCE)
    kill_worker(world)
    equal(world.wait_record(number, 120), "needs-attention", "the result of a job whose instance is not declared any more")
    must_tell(world, number, "tt70")
    world.settle(clients)
    world.write(INSTANCE, text)
    world.run("ttctl", "reload")
    done = world.run("ttctl", "retry", number, check=False)
    equal(done.status, 0, f"the exit status of ttctl retry: {done}")
    world.judge(number, "done", clients)
    world.reset()


def server_died(world):
    """The new server dies behind the commit: it is started again while its clients wait."""
    number, clients = stop_at(world, "record begin resume")
    world.shell(f"for p in $(pgrep -x ttcserver); do case $(readlink /proc/$p/exe) in {HOMES['tt70']}/*) kill -9 $p;; esac; done")
    wait_until(lambda: "ttcserver" not in world.listeners().get(world.new_port(), ()), 10, "the new server to be gone")
    world.go_on()
    equal(world.wait_record(number), "done", "the result of a job whose new server died behind its commit")
    told = [line for line in world.journal() if "started again" in line["MESSAGE"]]
    check(told, "the journal does not tell that the server was started again")
    world.judge(number, "done", clients)
    world.reset()


class GoneWorld(CrashWorld):
    def new_port(self):
        text = self.read(f"{HOMES['tt70']}/info/ttendaemon.options")
        return int(next(line.split()[1] for line in text.splitlines() if line.startswith("-server ")))

    def must_serve_by(self, clients):
        began = time.monotonic()
        self.settle(clients)
        say(f"  clients wrote on after {time.monotonic() - began:.1f} s")


def test(world):
    world.remember()
    world.count_points("done")
    world.reset()
    world.expect("upgrade-job: Job .* cannot be gone on with", "systemd: timesten-util-.*: (Failed|Main process exited)",
                 r"systemd: (Failed to start )?timesten-util", r"\(.*\): timesten-util-.*: Failed")
    server_died(world)
    file_gone(world)
    user_gone(world)


run(test, machine=GoneWorld)
