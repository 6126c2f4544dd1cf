"""A wrong file, key, name or target is a clear error with its remedy, and stops no other server."""

from bus import options
from harness import check, equal, refused, run


def test(world):
    world.expect("timesten-generator|timesten-upgraded: .*(servers|instances)\\.d", "upgrade-job: Check configuration")
    world.declare_server("second", 16102, ["orders"], "tt60", "DrainSec=never")
    world.declare_server("third", 16202, ["orders"], "tt60", "Colour=red")
    world.declare_server("fourth", 16302, ["orders"], "nowhere")
    world.declare_server("fifth", 16002, ["orders"], "tt60")
    world.write("/etc/timesten-upgrade/instances.d/broken.conf", "[Instance]\nHome\n")
    world.bus.manager("Reload")
    world.systemctl("daemon-reload")
    bus = world.bus

    message = refused(lambda: bus.manager("GetServer", "s", "second"), "InvalidConfiguration", "second.conf", "DrainSec")
    check("second.conf:5" in message or ":5:" in message, f"no line number: {message}")
    refused(lambda: bus.manager("GetServer", "s", "third"), "InvalidConfiguration", "third.conf", "Colour", "Known keys")
    refused(lambda: bus.manager("GetServer", "s", "fourth"), "InvalidConfiguration", "nowhere")
    refused(lambda: bus.manager("GetInstance", "s", "broken"), "InvalidConfiguration", "broken.conf:2")
    refused(lambda: bus.manager("GetServer", "s", "nobody"), "NoSuchServer", "nobody")
    refused(lambda: bus.manager("GetInstance", "s", "nobody"), "NoSuchInstance", "nobody")
    refused(lambda: bus.manager("GetJob", "t", 4711), "NoSuchJob", "4711")
    refused(lambda: world.upgrade(target="nobody"), "NoSuchInstance", "nobody")
    refused(lambda: world.upgrade(target="tt60"), "NotPossible", "tt60")
    refused(lambda: world.upgrade(values={"colour": ("s", "red")}), "InvalidOption", "colour")
    refused(lambda: world.upgrade(values={"parallel": ("s", "many")}), "InvalidOption", "parallel")
    refused(lambda: world.upgrade(values={"method": ("s", "magic")}), "InvalidOption", "magic")
    refused(lambda: bus.server("main", "Hold", "ta{sv}", 1_000_000, *options({"colour": ("s", "red")})),
            "InvalidOption", "colour")
    equal(bus.manager("ListJobs"), [[]], "jobs after nothing but wrong requests")

    names = [one[0] for one in bus.manager("ListServers")[0]]
    check("main" in names, f"main is not listed: {names}")
    told = world.run("ttctl", "upgrade", "main", "tt60", check=False)
    check(told.status == 14 and "tt60" in told.err, f"ttctl should exit with 14 (NotPossible): {told}")

    world.start_clients(2)
    world.settle()
    world.must_end(world.upgrade(), "done")
    world.settle()
    world.end_clients("tt70")


run(test)
