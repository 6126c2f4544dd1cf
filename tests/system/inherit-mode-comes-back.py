"""Mode=inherit: after an import that fails, power cuts and a hold by hand the right TimesTen Server has the socket again."""

from bus import options
from harness import PORT, equal, run, wait_until


def has_socket(world, instance):
    world.must_serve(instance)
    wait_until(lambda: "ttcserver" in world.listeners()[PORT], 30, f"the TimesTen Server of {instance} to accept by itself")


def test(world):
    before = world.content("tt60", "orders")
    world.expect("upgrade-job: (Step import failed|Job \\d+ finished: failed)", "timesten-upgraded: Job .* failed",
                 "The host went down before the upgrade was committed", "Failed to send user credentials to PID1")
    has_socket(world, "tt60")
    world.start_clients(4)
    world.settle()
    world.faults("tt70", "ttMigrate -r exit=2")
    world.must_end(world.upgrade(), "failed")
    has_socket(world, "tt60")
    world.settle()

    world.bus.server("main", "Hold", "ta{sv}", 60_000_000, *options())
    equal(world.bus.properties("Server", "main")["State"], "held", "the state while held")
    late = world.start_clients(2)
    world.bus.server("main", "Resume", "a{sv}", *options())
    world.settle(late)
    report = world.stop_clients()
    equal(world.lost("tt60", report), [], "lost rows")
    equal(report.troubles(), 0, "connects or statements that failed")

    for step, instance, command in (("import", "tt70", "ttMigrate -r at=50"), ("stop-old-server", "tt60", "ttDaemonAdmin -stopserver")):
        gate = world.gate(instance, command)
        number = world.upgrade()
        gate.wait()
        equal(world.job(number)["Step"], step, "the step that is cut")
        world.cut_power()
        world.boot()
        equal(world.wait_job(number)["Result"], "failed", f"the job whose {step} was cut")
        has_socket(world, "tt60")
        world.faults(instance)
    equal(world.content("tt60", "orders"), before, "the database of 6.0")

    world.must_end(world.upgrade(), "done")
    has_socket(world, "tt70")
    world.cut_power()
    world.boot()
    has_socket(world, "tt70")
    world.systemctl("start", "timesten@tt60.service")
    equal(world.run("pgrep", "-af", "tt60/.*ttcserver", check=False).out, "", "6.0's server after the upgrade")
    equal(world.content("tt70", "orders"), before, "the rows on 7.0")


run(test, server_lines=["DrainSec=3", "Mode=inherit"])
