"""A new TimesTen Server that listens but does not serve is found out before any client meets it: 6.0 serves on."""

from harness import HOMES, check, equal, run, say, store

PRIVATE = 26002
CLIENTS = 8


def onto_a_taken_port(world, values):
    """Free when the checks look, taken when the server wants it."""
    world.shell(f"sed -i '/^-server /d' {HOMES['tt70']}/info/ttendaemon.options")  # it does not start with its daemon
    gate = world.gate("tt70", "timestend")
    number = world.upgrade(values=values)
    gate.wait()
    with world.taken_port(PRIVATE):
        gate.open()
        return world.must_end(number, "failed")


def without_client(world, values):
    """On an installation that has no ttIsqlCS."""
    client = f"{HOMES['tt70']}/bin/ttIsqlCS"
    world.run("mv", client, f"{client}.away")
    job = world.must_end(world.upgrade(values=values), "failed")
    world.run("mv", f"{client}.away", client)
    told = [line for line in world.journal() if "tt70 has no ttIsqlCS" in line["MESSAGE"]]
    check(told, "the journal does not tell that there was no ttIsqlCS")
    return job


def upgrade(world, values):
    return world.must_end(world.upgrade(values=values), "failed")


CASES = [
    # what the new ttcserver does · how it is upgraded · options of Upgrade · error · words that its message must hold
    ("ttcserver garbage", upgrade, {"outage-limit-usec": ("t", 18_000_000)}, "DeadlinePassed",
     ["ttIsqlCS", "orders", "nonsense", "220 mail.example", "tterrors.log"]),
    # ttStatus and a connect have to find it out.
    ("ttcserver crash-after=1", without_client, {}, "UtilityFailed", ["died", str(PRIVATE), "tterrors.log"]),
    ("ttcserver never-answer", upgrade, {}, "UtilityFailed", ["ttIsqlCS", "orders", "time limit", str(PRIVATE), "tterrors.log"]),
    (None, onto_a_taken_port, {}, "UtilityFailed", ["somebody else", str(PRIVATE), "ss -ltnp", "PrivatePort="]),
]


def test(world):
    world.write("/etc/timesten-upgrade/instances.d/tt70.conf", f"[Instance]\nHome={HOMES['tt70']}\nServerPort={PRIVATE}\n")
    world.bus.manager("Reload")
    world.systemctl("daemon-reload")
    before = world.content("tt60", "orders")
    world.expect(r"upgrade-job: (Step start-new-(daemon|server) failed|Check outage-limit|Job \d+ finished: failed)",
                 "timesten-upgraded: Job .* failed",
                 r"systemd: (Failed to start )?timesten-util-\d+-tt70-ttIsqlCS")
    # A server that never answers costs its whole limit, which is longer than an application waits.
    world.start_clients(CLIENTS, patience=120)
    world.settle()
    for fault, act, values, error, words in CASES:
        world.faults("tt70", *([fault] if fault else []))
        job = act(world, values)
        name, message = job["Error"]
        say(f"  {fault or 'the port is taken'}: held {job['HeldUSec'] / 1e6:.1f} s: {message}")
        equal(name.rsplit(".", 1)[-1], error, f"the error of a job whose new server does {fault!r}")
        for word in ["tt70"] + words:
            check(word in message, f"the message does not name {word}: {message}")
        world.must_serve("tt60")
        world.settle()
        left = world.shell(f"ls {store('tt70', 'orders')}.ds0 2>/dev/null", check=False).out
        equal(left, "", "a database of the new release that nobody uses")
    # One wrong answer is no reason to give up: a server may still be loading.
    world.faults("tt70", "ttcserver garbage count=1")
    world.must_end(world.upgrade(), "done")
    world.settle()
    world.end_clients("tt70")
    equal(world.content("tt70", "orders"), before, "the rows after the good upgrade")
    fired = world.shell(f"cat {HOMES['tt70']}/.standin/fired").out
    check("ttcserver garbage count=1" in fired, "the last fault never reached a client")


run(test, kind="fault", rows=2000)
