"""Mode=inherit: after an import that fails, power cuts and a hold by hand the right TimesTen Server has the socket again."""

from bus import options
from harness import PORT, check, equal, run, wait_until


def has_socket(world, instance):
    world.must_serve(instance)
    wait_until(lambda: "ttcserver" in world.listeners()[PORT], 30, f"the TimesTen Server of {instance} to accept by itself")


def upgrade_while_it_is_revived(world):
    """Whoever waits calls for help after two seconds: the new server may be started in the moment in which it was stopped to
    be started on the public port."""
    stop = world.gate("tt70", "ttDaemonAdmin -stopserver")
    number = world.upgrade()
    stop.wait()
    look = world.gate("tt70", "ttStatus")
    stop.open()
    look.wait()
    world.utility("tt70", "ttDaemonAdmin", "-startserver", check=False)
    wait_until(lambda: "ttcserver" in world.listeners()[PORT], 30, "the TimesTen Server of tt70 to have the socket")
    look.open()
    world.must_end(number, "done")
    world.faults("tt70")
    events = [event for _, event, step, _ in world.record(number) if step == "resume" and event != "note"]
    equal(events, ["plan", "begin", "end"], "the step resume")


def cut_in(world, step, reach, options=None):
    """The job has brought the server back before it ends: no client had to ask for it."""
    number = world.upgrade(values=options)
    reach()
    wait_until(lambda: world.job(number)["Step"] == step, 60, f"the step {step}")
    world.stop_clients_abruptly()
    world.cut_power()
    world.boot()
    equal(world.wait_job(number)["Result"], "failed", f"the job whose {step} was cut")
    check("ttcserver" in world.listeners()[PORT], f"the TimesTen Server of tt60 does not accept after the undo of {step}")
    has_socket(world, "tt60")


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
    world.end_clients("tt60")

    gate = world.gate("tt70", "ttMigrate -r at=50")
    cut_in(world, "import", gate.wait)
    world.faults("tt70")
    # Nothing had stopped the server; but at the boot its daemon starts while the port is held, so it cannot have it.
    world.write("/etc/systemd/system/timesten-job@.service.d/late.conf",
                "".join(["[Unit]\n"] + [f"{order}=timesten@tt60.service timesten-server@main.service\n" for order in ("Wants", "After")]))
    world.start_clients(1, reconnect_every=0)
    world.settle()
    cut_in(world, "drain", lambda: None, {"drain-usec": ("t", 120_000_000)})
    equal(world.content("tt60", "orders"), before, "the database of 6.0")

    upgrade_while_it_is_revived(world)
    has_socket(world, "tt70")
    world.cut_power()
    world.boot()
    has_socket(world, "tt70")
    world.systemctl("start", "timesten@tt60.service")
    equal(world.run("pgrep", "-af", "tt60/.*ttcserver", check=False).out, "", "6.0's server after the upgrade")
    equal(world.content("tt70", "orders"), before, "the rows on 7.0")


run(test, server_lines=["DrainSec=3", "Mode=inherit"])
