"""A new TimesTen Server that listens but does not serve is found out before any client meets it: 6.0 serves on."""

from harness import HOMES, check, equal, run, say, store

PRIVATE = 26002
CLIENTS = 8
CASES = [
    # what the new ttcserver does · options of Upgrade · error · words that its message must hold
    # (the second is an installation without ttIsqlCS: then ttStatus and a connect have to find it out)
    ("ttcserver garbage", {"outage-limit-usec": ("t", 18_000_000)}, "DeadlinePassed",
     ["ttIsqlCS", "orders", "nonsense", "220 mail.example", "tterrors.log"]),
    ("ttcserver crash-after=1", {}, "UtilityFailed", ["died", str(PRIVATE), "tterrors.log"]),
    ("ttcserver never-answer", {}, "UtilityFailed", ["ttIsqlCS", "orders", "time limit", str(PRIVATE), "tterrors.log"]),
    (None, {}, "UtilityFailed", ["somebody else", str(PRIVATE), "ss -ltnp", "PrivatePort="]),
]


def upgrade(world, fault, values):
    world.faults("tt70", *([fault] if fault else []))
    gate = None if fault else world.gate("tt60", "ttMigrate -c at=50")
    client = f"{HOMES['tt70']}/bin/ttIsqlCS"
    bare = fault and "crash" in fault
    if bare:
        world.run("mv", client, f"{client}.away")
    number = world.upgrade(values=values)
    stranger = None
    if gate:
        # Free when the checks look, taken when the server wants it.
        gate.wait()
        stranger = world.taken_port(PRIVATE)
        gate.open()
    job = world.must_end(number, "failed")
    if bare:
        world.run("mv", f"{client}.away", client)
        told = [line for line in world.journal() if "tt70 has no ttIsqlCS" in line["MESSAGE"]]
        check(told, "the journal does not tell that there was no ttIsqlCS")
    if stranger:
        stranger.kill()
        stranger.wait()
    return job


def test(world):
    world.write("/etc/timesten-upgrade/instances.d/tt70.conf", f"[Instance]\nHome={HOMES['tt70']}\nServerPort={PRIVATE}\n")
    world.bus.manager("Reload")
    world.systemctl("daemon-reload")
    before = world.content("tt60", "orders")
    world.expect(r"upgrade-job: (Step start-new-server failed|Check outage-limit|Job \d+ finished: failed)",
                 "timesten-upgraded: Job .* failed",
                 r"systemd: (Failed to start )?timesten-util-\d+-tt70-ttIsqlCS")
    # A server that never answers costs its whole limit, which is longer than an application waits.
    world.start_clients(CLIENTS, patience=120)
    world.settle()
    for fault, values, error, words in CASES:
        job = upgrade(world, fault, values)
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
    report = world.stop_clients()
    equal(world.lost("tt70", report), [], "lost rows")
    equal(report.troubles(), 0, "connects or statements that failed")
    equal(world.content("tt70", "orders"), before, "the rows after the good upgrade")
    fired = world.shell(f"cat {HOMES['tt70']}/.standin/fired").out
    check("ttcserver garbage count=1" in fired, "the last fault never reached a client")


run(test, rows=2000)
