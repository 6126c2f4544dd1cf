"""Each condition of the host that a check looks at is found; what may be skipped is skipped in the job as well; what can be
repaired is shown, repaired, gone, and can be taken back."""

import re

from bus import options, refused
from harness import check, equal, run, say
from world import HOMES, PORT

FINE = {"backwards-compat"}  # of two such releases, always
SYSCTL = "/proc/sys/"
LIVE = {"net/core/somaxconn": "128", "net/ipv4/tcp_abort_on_overflow": "1", "net/ipv4/ip_local_port_range": "16000 60999",
        "kernel/shmmax": "4096", "kernel/shmall": "1", "kernel/shmmni": "1"}
REPAIRED = {"somaxconn", "tcp-abort-on-overflow", "ephemeral-ports", "shared-memory-segment", "shared-memory-total",
            "shared-memory-segments", "memory-lock", "remove-ipc", "stale-pid-file", "old-server-port"}
LEFT = {"huge-pages", "huge-pages-group", "overcommit", "memory"}  # which nobody but a person should mend
UNIT = "timesten@tt70.service"
PID = f"{HOMES['tt70']}/info/timestend.pid"
OPTION_FILE = f"{HOMES['tt60']}/info/ttendaemon.options"


def findings(world, **values):
    """Errors and warnings: {id: message}."""
    told = world.bus.server("main", "Check", "sa{sv}", "tt70", *options(values), timeout=120)[0]
    return {one[1]: one[3] for one in told if one[0] in ("error", "warning")}


def plant(world):
    world.shell("mount -o remount,rw /proc/sys")  # of a container that may set what is its own
    for name, value in LIVE.items():
        world.shell(f"echo '{value}' >{SYSCTL}{name}")
    world.write("/root/meminfo", "MemTotal: 2000 kB\nMemAvailable: 100 kB\nCommitLimit: 1000 kB\nCommitted_AS: 990 kB\n"
                "HugePages_Total: 4\nHugePages_Free: 0\nHugepagesize: 2048 kB\n")
    world.write("/root/overcommit", "2\n")
    world.shell("mount --bind /root/meminfo /proc/meminfo && mount --bind /root/overcommit /proc/sys/vm/overcommit_memory")
    world.shell("rm /etc/systemd/logind.conf.d/50-timesten.conf")
    world.write(f"/etc/systemd/system/{UNIT}.d/20-low.conf", "[Service]\nLimitMEMLOCK=4K\n")
    world.systemctl("daemon-reload")
    world.shell(f"echo 99999999 >{PID}; chown ttadmin: {PID}; sed -i 's/^-server .*/-server {PORT}/' {OPTION_FILE}")


def test(world):
    equal(set(findings(world)), FINE, "what is wrong with a world as it should be")
    own = re.search(r"^-server (\d+)$", world.read(OPTION_FILE), re.M)[1]
    plant(world)
    found = findings(world)
    equal(set(found), FINE | REPAIRED | LEFT, "what is found of what was planted")
    for name, words in {"stale-pid-file": "99999999", "old-server-port": f"port {PORT}", "memory-lock": "4.0", "somaxconn": "128",
                        "huge-pages-group": "ttadmin"}.items():
        check(words in found[name], f"{name} does not tell {words}: {found[name]}")
    say(f"  {len(found)} conditions are found")

    # Skipped and chosen
    chosen = world.bus.server("main", "Check", "sa{sv}", "tt70", 1, "only", "as", 2, "somaxconn", "way-back", timeout=120)[0]
    equal([row[:2] for row in chosen if row[1] != "method"], [["warning", "somaxconn"], ["warning", "way-back"]], "what is chosen")
    world.expect("upgrade-job: (Step check|Job 1 .*) failed", r"systemd: timesten-job@1.service: (Main process exited|Failed with result)",
                 r"systemd: Failed to start timesten-job@1.service", "timesten-upgraded: Job 1 ")
    refused(lambda: world.bus.server("main", "Upgrade", "sa{sv}", "tt70", 0, timeout=60), "ChecksFailed", "tcp-abort-on-overflow")

    # Repaired: told, done, gone, and once only
    told = world.bus.server("main", "Repair", "sa{sv}", "tt70", 1, "dry-run", "b", "true", timeout=120)[0]
    equal({row[0] for row in told}, REPAIRED, "what would be repaired")
    equal(set(findings(world)), FINE | REPAIRED | LEFT, "what is found when repairs were only told")
    shown = world.run("ttctl", "check", "main", "tt70", "--fix", timeout=240).out
    for row in told:
        check(shown.count(row[3]) == 2, f"the repair of {row[0]} is not shown before and after: {shown}")
    equal(set(findings(world)), FINE | LEFT, "what is found when all was repaired")
    equal(world.bus.server("main", "Repair", "sa{sv}", "tt70", 0, timeout=120)[0], [], "what is left to repair")
    equal(re.search(r"^-server (\d+)$", world.read(OPTION_FILE), re.M)[1], own, "the port in the option file")
    equal(world.unit(UNIT, "LimitMEMLOCK"), "infinity", "the memory that the unit may lock")
    journal = " ".join(line["MESSAGE"] for line in world.journal("-t", "upgrade-job"))
    check("Repair of check somaxconn: net.core.somaxconn was 128, is 65535" in journal, "the journal does not tell a repair")

    # Taken back as it was told
    undo = next(row[4] for row in told if row[0] == "tcp-abort-on-overflow")
    world.shell(undo)
    equal(set(findings(world)), FINE | LEFT | {"tcp-abort-on-overflow"}, "what is found when a repair was taken back")

    # A job skips what its request says
    number = world.bus.server("main", "Upgrade", "sa{sv}", "tt70", 1, "skip", "as", 1, "tcp-abort-on-overflow", timeout=60)[0]
    world.wait_job(number)
    check("tcp-abort-on-overflow" in world.read(f"/var/lib/timesten-upgrade/jobs/{number}/request"), "the request does not tell it")
    journal = " ".join(line["MESSAGE"] for line in world.journal("-u", f"timesten-job@{number}.service"))
    check("Check tcp-abort-on-overflow (main): It was skipped" in journal, "the journal does not tell that it was skipped")
    world.must_serve("tt70", release="7.0.6")


run(test)
