"""A user whom polkit does not know may read everything and change nothing; a rule opens what it names."""

from bus import NAME, ROOT, options
from harness import BusError, Failed, check, equal, run

REFUSALS = {"NotAuthorized", "AccessDenied", "InteractiveAuthorizationRequired", "AuthFailed"}
CONTROL = "/run/timesten-upgrade/control/main"


def state(world):
    return (world.shell("find /etc/timesten-upgrade /var/lib/timesten-upgrade -type f -exec sha256sum {} +", check=False).out,
            sorted(world.listeners()), world.bus.manager("ListJobs"),
            {unit: world.unit(unit, "InvocationID") for unit in ("timesten@tt60.service", "timesten-server@main.service")})


def must_be_refused(what, call):
    try:
        answer = call()
    except BusError as error:
        check(error.nick in REFUSALS, f"{what}: refused, but by {error}")
        return
    raise Failed(f"{what} by an unprivileged user was answered: {answer}")


def test(world):
    world.must_serve("tt60")
    before = state(world)

    def server(method, signature, *words):
        return lambda: world.bus.server("main", method, signature, *words, user="guest")
    must_be_refused("Check", server("Check", "sa{sv}", "tt70", *options()))
    must_be_refused("Plan", server("Plan", "sa{sv}", "tt70", *options()))
    must_be_refused("Upgrade", server("Upgrade", "sa{sv}", "tt70", *options()))
    must_be_refused("Clean", server("Clean", "a{sv}", 1, "exports", "b", "true"))
    must_be_refused("Hold", server("Hold", "ta{sv}", 5_000_000, *options()))
    must_be_refused("Resume", server("Resume", "a{sv}", *options()))
    must_be_refused("Reload", lambda: world.bus.manager("Reload", user="guest"))
    for unit in ("timesten-server@main.socket", "timesten-server@main.service", "timesten@tt60.service"):
        check(world.run("systemctl", "stop", unit, user="guest", check=False).status != 0, f"systemctl stop {unit}")
    for word in ("hold 5000000", "refuse", "cut", "open 127.0.0.1:9"):
        answer = world.say_to_keeper(CONTROL, word, user="guest")
        check(not answer.startswith("ok"), f"the keeper obeyed {word!r} of an unprivileged user: {answer}")
    check(world.say_to_keeper(CONTROL, "status").startswith("ok"), "the keeper does not answer root, so this proves nothing")
    equal(state(world), before, "files, listeners, jobs and units after the attempts")

    # A job to cancel, held open in its export.
    gate = world.gate("tt60", "ttMigrate -c")
    number = world.upgrade()
    gate.wait()
    job = world.bus.manager("GetJob", "t", number)[0]
    must_be_refused("Cancel", lambda: world.bus.call(job, f"{NAME}.Job", "Cancel", "a{sv}", *options(), user="guest"))
    gate.open()
    world.must_end(number, "done")

    for call in (lambda: world.bus.manager("ListServers", user="guest"), lambda: world.bus.manager("ListInstances", user="guest"),
                 lambda: world.bus.manager("ListJobs", user="guest"),
                 lambda: [world.bus.properties("Server", "main", user="guest")],
                 lambda: world.bus.call(ROOT, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", user="guest"),
                 lambda: world.bus.call(ROOT, "org.freedesktop.DBus.Introspectable", "Introspect", user="guest")):
        check(call()[0], "reading gave nothing")

    world.write("/etc/polkit-1/rules.d/50-test.rules",
                'polkit.addRule(function(action, subject) { if (action.id == "org.timesten.upgrade1.hold" && '
                'subject.user == "guest") return polkit.Result.YES; });\n')
    world.systemctl("restart", "polkit.service")
    world.bus.server("main", "Hold", "ta{sv}", 30_000_000, *options(), user="guest")
    equal(world.bus.properties("Server", "main")["State"], "held", "the state after a permitted Hold")
    world.bus.server("main", "Resume", "a{sv}", *options(), user="guest")
    must_be_refused("Upgrade, which the rule does not name", server("Upgrade", "sa{sv}", "tt60", *options()))


run(test)
