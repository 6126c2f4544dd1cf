"""A generator that dies in a daemon-reload takes nothing away: the port, the keeper and the instances stay as they are; the
worker reloads until it came to its end; and a boot at which it died looks again by itself."""

from harness import PORT, SLOW, check, equal, run, say, wait_until

WRAPPER = "/etc/systemd/system-generators/timesten-generator"
# Dies so often as the file says: at once, or in the middle, by a signal when a file gets longer than 500 bytes.
SCRIPT = f"""#!/bin/bash
if [ -e /etc/generator-dies-at-boot ] && [ ! -e /run/generator-died ]; then
    touch /run/generator-died
    kill -9 $$
fi
read -r how often 2>/dev/null </run/generator-dies
if [ "${{often:-0}}" -gt 0 ]; then
    echo "$how $((often - 1))" >/run/generator-dies
    [ "$how" = half ] || kill -9 $$
    exec prlimit --core=0 --fsize=500 /usr/lib/systemd/system-generators/timesten-generator "$@"
fi
exec /usr/lib/systemd/system-generators/timesten-generator "$@"
"""


def let_die(world, how, often=1):
    world.write("/run/generator-dies", f"{how} {often}\n")


def left(world):
    return int(world.read("/run/generator-dies").split()[1])


def look(world):
    """What would hurt if it were gone."""
    return {
        "who listens": "systemd" in world.listeners().get(PORT, ()),
        "the socket": world.unit("timesten-server@main.socket", "Listen"),
        "its guard": world.unit("timesten-server@main.socket", "RefuseManualStop"),
        "the keeper": world.unit("timesten-server@main.service", "Environment"),
        **{f"{what} of {instance}": world.unit(f"timesten@{instance}.service", what)
           for instance in ("tt60", "tt70") for what in ("User", "Restart", "PIDFile")},
    }


def killed_while_held(world):
    gate = world.gate("tt70", "ttMigrate -r at=50")
    number = world.upgrade()
    gate.wait()
    before = look(world)
    check(before["who listens"] and before["User of tt70"] == "ttadmin" and before["its guard"] == "yes", f"before: {before}")
    for how in ("at-once", "half"):
        let_die(world, how)
        world.systemctl("daemon-reload")
        equal(left(world), 0, "how often the generator is still to die")
        check(world.run("test", "-e", "/run/systemd/generator/timesten-upgrade.ran", check=False).status != 0,
              f"the generator came to its end ({how})")
        equal(look(world), before, f"what there is after a reload without a generator ({how})")
    # The keeper gets its socket from systemd once more.
    keeper = world.unit("timesten-server@main.service", "MainPID")
    world.run("kill", "-9", keeper)
    wait_until(lambda: world.unit("timesten-server@main.service", "MainPID") not in ("0", keeper), 20, "the keeper to be back")
    # After the commit the worker wants to know that the generator came to its end.
    let_die(world, "half", 2)
    gate.open()
    world.must_end(number, "done")
    equal(left(world), 0, "how often the generator is still to die")
    check(any("did not come to its end" in line["MESSAGE"] for line in world.journal("_COMM=upgrade-job")),
          "the worker did not notice that the generator had died")
    backend = world.unit("timesten-server@main.service", "Environment")
    check(backend != before["the keeper"], f"a keeper that starts anew would lead to the old release: {backend}")


def told_by_reload(world):
    """Once more is enough where it dies once; where it always does, whoever asked is told."""
    let_die(world, "half")
    world.run("ttctl", "reload")
    equal(left(world), 0, "how often the generator is still to die")
    before = look(world)
    let_die(world, "at-once", 100)
    told = world.run("ttctl", "reload", check=False)
    check(told.status != 0 and "timesten-generator never came to its end" in told.err and "then ttctl reload" in told.err,
          f"what ttctl says of a generator that always dies: {told}")
    equal(look(world), before, "what there is after reloads without a generator")
    let_die(world, "half", 0)
    world.run("ttctl", "reload")


def killed_at_boot(world):
    world.write("/etc/generator-dies-at-boot", "")
    world.reboot()
    check(world.run("test", "-e", "/run/generator-died", check=False).status == 0, "the generator did not die at boot")
    equal(world.unit("timesten-reload.service"), "active", "the second look")
    wait_until(lambda: world.ttclient("--sql", "select count(*) from items", check=False).status == 0, 30, "main to answer")
    world.must_serve("tt70")


def test(world):
    world.expect("system-generators/timesten-generator (terminated by signal|failed)", "timesten-server@main.service: ",
                 r"systemd: .*\(sd-gens\)|\(sd-executor\)|generators? failed")
    world.write(WRAPPER, SCRIPT, 0o755)
    world.tune("tt70", SLOW)
    clients = world.start_clients(4)
    world.settle(clients)
    told_by_reload(world)
    killed_while_held(world)
    world.settle(clients)
    report = world.stop_clients(clients)
    equal((world.lost("tt70", report), report.troubles()), ([], 0), f"lost rows and troubles ({report})")
    killed_at_boot(world)
    say("  a generator killed 9 times in reloads and once at boot: nobody was refused")


run(test, kind="fault")
