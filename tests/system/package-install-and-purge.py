"""dpkg brings the package onto a running machine and takes it away without a trace."""

import shutil

from bus import Bus
from harness import Container, check, clean_root, equal, package, run


def everything(machine):
    return set(machine.shell("find / -xdev -not -path '/proc/*' -not -path '/sys/*' -not -path '/run/*' -not -path '/tmp/*' "
                             "-not -path '/var/log/*' -not -path '/var/lib/dpkg/*' -not -path '/var/cache/*' "
                             "-not -path '/var/lib/systemd/*'").out.splitlines())


def test(machine):
    machine.boot()
    before = everything(machine)
    shutil.copy(package(), machine.root / "root/product.deb")
    machine.run("dpkg", "-i", "/root/product.deb")
    bus = Bus(machine)
    equal(bus.manager("ListServers"), [[]], "servers on a new machine")
    machine.run("getent", "passwd", "timesten-upgrade")
    equal(machine.run("ttctl", "list").status, 0, "ttctl list")
    # Grown by the package's own sysctl file; a container's network has a value of its own.
    check(int(machine.read("/proc/sys/net/core/somaxconn")) >= 4096, "net.core.somaxconn")
    catalog = machine.run("journalctl", "--list-catalog").out
    check("timesten-upgrade" in catalog, "the journal's catalog has no entry of the package")
    for again in ("install", "upgrade"):
        machine.run("dpkg", "-i", "/root/product.deb")
    verify = machine.shell("systemd-analyze verify --man=no timesten-upgraded.service 2>&1", check=False)
    check("timesten" not in verify.out, f"systemd-analyze verify: {verify.out}")
    machine.run("dpkg", "-r", "timesten-upgrade")
    check(machine.run("busctl", "call", "org.timesten.Upgrade1", "/", "org.freedesktop.DBus.Peer", "Ping",
                      check=False).status != 0, "the service answers after its removal")
    machine.run("dpkg", "-P", "timesten-upgrade")
    machine.run("rm", "/root/product.deb")
    left = everything(machine) - before
    left = {path for path in left if not path.startswith(("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow",
                                                          "/etc/.pwd.lock", "/var/lib/polkit-1"))}
    equal(left, set(), "files left after the purge")
    equal(machine.run("systemctl", "is-system-running").out.strip(), "running", "the machine")
    bad = [line["MESSAGE"] for line in machine.journal("-p", "err", "-b")]
    equal(bad, [], "errors in the journal")


run(test, machine=lambda name: Container(name, layers=[clean_root()]))
