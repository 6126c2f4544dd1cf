"""Without polkit, or with one that never answers, who needs it is told so in time, and nobody else notices."""

from bus import NAME, ROOT, BusError, options
from harness import Failed, check, equal, run, say

POLKIT = "polkit.service"


def ask_as_guest(world, interactive):
    """An Upgrade by somebody whom polkit would have to know; the process that waits for the answer."""
    return world.popen("busctl", "--timeout=60", f"--allow-interactive-authorization={interactive}", "call", NAME,
                       f"{ROOT}/server/main", f"{NAME}.Server", "Upgrade", "sa{sv}", "tt70", "0", user="guest")


def must_be_told(what, process):
    _, said = process.communicate(timeout=90)
    said = said.strip().splitlines()[-1]
    say(f"  {what}: {said}")
    check(process.returncode != 0 and "polkit did not answer" in said and "polkit.service" in said, f"{what}: {said}")


def root_works(world):
    """Reads and changes of root, who needs no polkit."""
    check(world.bus.manager("ListServers")[0], "the list of servers")
    world.bus.server("main", "Hold", "ta{sv}", 60_000_000, *options())
    equal(world.bus.properties("Server", "main")["State"], "held", "the state after a Hold of root")
    world.bus.server("main", "Resume", "a{sv}", *options())


def test(world):
    world.start_clients(4)
    world.settle()
    # Started by its first question.
    try:
        world.upgrade(user="guest")
        raise Failed("a guest may upgrade, so this proves nothing")
    except BusError as error:
        check("polkit did not answer" not in error.message, f"with polkit: {error}")

    world.systemctl("mask", "--runtime", "--now", POLKIT)
    must_be_told("polkit is not there", ask_as_guest(world, "no"))
    must_be_told("polkit is not there, and the caller would type", ask_as_guest(world, "yes"))
    root_works(world)
    world.systemctl("unmask", "--runtime", POLKIT)
    world.systemctl("start", POLKIT)

    polkitd = world.unit(POLKIT, "MainPID")
    world.run("kill", "-STOP", polkitd)
    silent, typing = ask_as_guest(world, "no"), ask_as_guest(world, "yes")
    root_works(world)
    check(silent.poll() is None and typing.poll() is None, "the guest's calls ended before root's")
    number = world.upgrade()
    must_be_told("polkit is silent", silent)
    must_be_told("polkit is silent, and the caller would type", typing)
    world.must_end(number, "done")
    world.run("kill", "-CONT", polkitd)
    try:
        world.bus.server("main", "Hold", "ta{sv}", 60_000_000, *options(), user="guest")
        raise Failed("a guest may hold the port")
    except BusError as error:
        check("polkit did not answer" not in error.message, f"with polkit again: {error}")
    world.settle()
    world.end_clients("tt70")


run(test, kind="fault")
