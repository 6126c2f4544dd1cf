"""A step after the commit that cannot be done asks for a person while 7.0 serves; mended and retried, the job is done."""

from harness import HOMES, check, equal, options, refused, run

INFO = f"{HOMES['tt60']}/info"


def test(world):
    world.expect("upgrade-job: Step retire-old failed", r"upgrade-job: Job \d+ finished: needs-attention",
                 "timesten-upgraded: Job .* needs-attention")
    world.start_clients(4)
    world.settle()
    gate = world.gate("tt70", "ttMigrate -r")
    number = world.upgrade()
    gate.wait()
    world.lock_options("tt60")
    gate.open()
    job = world.must_end(number, "needs-attention")
    equal(job["Error"][0].rsplit(".", 1)[-1], "UtilityFailed", "the error")
    check(INFO in job["Error"][1], f"the message does not name the directory: {job['Error']}")
    tries = [event for _, event, step, _ in world.record(number) if (event, step) == ("begin", "retire-old")]
    equal(len(tries), 8, "how often it was tried")
    told = world.bus.properties("Server", "main")
    equal((told["State"], told["Instance"]), ("needs-attention", "tt70"), "the server")
    world.settle()

    refused(lambda: world.bus.job(number, "Retry", "a{sv}", *options({"force": ("b", "true")})), "InvalidOption", "force")
    world.unlock_options("tt60")
    done = world.run("ttctl", "retry", number, check=False)
    equal(done.status, 0, f"ttctl retry: {done}")
    job = world.job(number)
    equal((job["State"], job["Result"], job["Error"]), ("finished", "done", ["", ""]), "the job after it")
    equal([state for _, _, state in job["Steps"]], ["done"] * len(job["Steps"]), "its steps")
    check("server" not in world.shell(f"grep -E '^ *-server' {INFO}/ttendaemon.options", check=False).out,
          "6.0's server is still configured")
    refused(lambda: world.bus.job(number, "Retry", "a{sv}", *options()), "NotPossible", "done")
    world.settle()
    world.end_clients("tt70")
    world.must_serve("tt70")
    check(not world.run("ls", f"/var/lib/timesten-upgrade/jobs/{number}").out.count("retry"), "the wish is still there")


run(test)
