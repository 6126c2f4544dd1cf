"""After a finished upgrade and a reboot, 7.0 serves on the port; 6.0's server does not, even when its daemon runs."""

from harness import HOMES, equal, run


def test(world):
    world.start_clients(4)
    world.settle()
    number = world.upgrade()
    world.must_end(number, "done")
    world.settle()
    report = world.stop_clients()
    equal(report.troubles(), 0, "connects or statements that failed")
    for cut in ("an orderly reboot", "a power cut"):
        if cut == "a power cut":
            world.cut_power()
            world.boot()
        else:
            world.reboot()
        world.must_serve("tt70")
        equal(world.lost("tt70", report), [], f"lost rows after {cut}")
        world.systemctl("start", "timesten@tt60.service")
        options = world.shell(f"grep -E '^ *-server' {HOMES['tt60']}/info/ttendaemon.options", check=False).out
        equal(options, "", f"the server in 6.0's options after {cut}")
        equal((len(world.servers("tt60")), len(world.servers("tt70"))), (0, 1), f"servers of 6.0 and 7.0 after {cut}")
        world.must_serve("tt70")
        job = world.job(number)
        equal((job["State"], job["Result"], job["To"]), ("finished", "done", "tt70"), f"the job after {cut}")


run(test)
