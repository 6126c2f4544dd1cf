"""Two machines that see each other: db1 and db2, a network between them that can be cut, ssh from one to the other, and the
databases of both replicating to each other as an administrator of TimesTen 6.0 would have it.

A Pair is a context manager like the World it has two of. The network is a veth pair of the two machines alone.
"""

import contextlib
import subprocess

from container import equal, wait_until
from world import World

HOSTS = ("db1", "db2")
ADDRESSES = {"db1": "10.99.0.1", "db2": "10.99.0.2"}
LINK = "pair0"
REPLICATION_PORTS = {"db1": 20001, "db2": 20002}  # of the first database; those of each further one are 10 higher
STRANGER = "02:00:00:00:00:99"  # a hardware address that nobody has
QUICK = {"replication-state-seconds": 0.25, "agent-restart-seconds": 0.1, "replication-retry-seconds": 0.1,
         "replication-link-seconds": 2, "agent-start-seconds": 0}

# What ttclient makes; both stores must have it before they replicate.
WRITTEN = ("create table written (ID integer not null, SEQ integer not null, PAYLOAD varchar(64) not null, "
           "CHECKSUM integer not null, primary key (ID, SEQ));")


class Pair:
    def __init__(self, name, kind=World, **more):
        self.worlds = []
        for host in HOSTS:
            world = kind(f"{name[:34]}-{host}", **more)
            world.hostname = host
            self.worlds.append(world)
        self.worlds[1].slotless = True
        self.worlds[1].client_number = 100  # their rows come to both
        self.db1, self.db2 = self.worlds
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        try:
            for world in self.worlds:
                self.stack.enter_context(world)
            self.join()
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *error):
        return self.stack.__exit__(*error)

    def other(self, world):
        return self.db2 if world is self.db1 else self.db1

    # The network

    def ip(self, world, *words):
        world.run("ip", *words)

    def join(self):
        """Lays the cable; again after a machine was off, because it goes with either of them."""
        subprocess.run(["nsenter", "-t", str(self.db1.pid), "-n", "ip", "link", "add", LINK, "type", "veth", "peer", "name", LINK,
                        "netns", str(self.db2.pid)], check=True)
        for world in self.worlds:
            self.ip(world, "address", "add", f"{ADDRESSES[world.hostname]}/24", "dev", LINK)
            self.ip(world, "link", "set", LINK, "up")
            names = "".join(f"{address} {host}\n" for host, address in ADDRESSES.items())
            world.write("/etc/hosts", f"127.0.0.1 localhost\n::1 localhost\n{names}")
        self.await_network()

    def reaches(self, world):
        """Whether the other machine answers at all: a port that nobody has is refused by it."""
        host = self.other(world).hostname
        done = world.run("perl", "-e", "use IO::Socket::INET; IO::Socket::INET->new(PeerAddr => $ARGV[0], Timeout => 1);"
                         "print $!{ECONNREFUSED} ? 'yes' : 'no'", f"{ADDRESSES[host]}:9", check=False)
        return done.out == "yes"

    def await_network(self):
        for world in self.worlds:
            wait_until(lambda world=world: self.reaches(world), 60, f"{world.hostname} to reach the other machine")

    def cut(self, silently=False):
        """No packet goes through. SILENTLY: nobody is told; else the link is down, and each side sees that."""
        if silently:
            for world in self.worlds:
                self.ip(world, "neighbour", "replace", ADDRESSES[self.other(world).hostname], "lladdr", STRANGER, "nud",
                        "permanent", "dev", LINK)
        else:
            self.ip(self.db1, "link", "set", LINK, "down")
        for world in self.worlds:
            equal(self.reaches(world), False, f"{world.hostname} reaches the other machine over a network that is cut")

    def mend(self):
        self.ip(self.db1, "link", "set", LINK, "up")
        for world in self.worlds:
            world.run("ip", "neighbour", "del", ADDRESSES[self.other(world).hostname], "dev", LINK, check=False)
        self.await_network()

    # ssh

    def let_in(self, guest, host, user="root"):
        """From now on root of GUEST may be USER of HOST."""
        host.write("/etc/default/locale", "")  # a minimal Debian has none, and sshd says so as an error
        host.systemctl("start", "ssh.service")
        guest.shell("[ -f /root/.ssh/id_ed25519 ] || ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519")
        home = "/root" if user == "root" else f"/home/{user}"
        host.shell(f"mkdir -p -m 700 {home}/.ssh && cat >>{home}/.ssh/authorized_keys && chown -R {user}: {home}/.ssh",
                   input=guest.read("/root/.ssh/id_ed25519.pub"))
        guest.shell("cat >>/root/.ssh/known_hosts",
                    input=f"{host.hostname} {host.read('/etc/ssh/ssh_host_ed25519_key.pub')}")

    # Replication

    def scheme(self, database="orders", name="REP"):
        """Both ways, static ports, as both sides must be told."""
        one, two = HOSTS
        higher = 10 * self.db1.databases.index(database)
        return (f'create replication TT.{name} element E1 datastore master {database} on "{one}" subscriber {database} on "{two}" '
                f'element E2 datastore master {database} on "{two}" subscriber {database} on "{one}" '
                + " ".join(f'store {database} on "{host}" port {REPLICATION_PORTS[host] + higher}' for host in HOSTS) + ";")

    def replicate(self, tune=None):
        """What the stores of the old releases do before any upgrade."""
        for world in self.worlds:
            for instance in world.instances:
                world.tune(instance, QUICK | (tune or {}))
            for database in world.databases:
                world.sql("tt60", database, WRITTEN, self.scheme(database), create=True)
        for world in self.worlds:
            for database in world.databases:
                world.utility("tt60", "ttAdmin", "-wait", "-repStart", database)

    def shows(self, world, instance, query, rows, timeout=90, database="orders"):
        """Until the store there gives these rows."""
        got = None

        def shown():
            nonlocal got
            got = world.sql(instance, database, query)
            return got == rows
        wait_until(shown, timeout, f"{query!r} on {world.hostname} to give {rows}: {got}", 0.1)

    def passes(self, number, instances):
        """A row that is written in each database of each machine comes to the other. INSTANCES: those of db1 and of db2."""
        sides = list(zip(self.worlds, instances))
        for (world, instance), (other, theirs) in (sides, sides[::-1]):
            for database in world.databases:
                number += 1
                world.sql(instance, database, f"insert into items values ({number}, 'from {world.hostname}', 1);")
                self.shows(other, theirs, f"select name from items where id = {number};", [f"from {world.hostname}"],
                           database=database)

    def set_state(self, world, instance, state):
        """What WORLD's store does for its peer on the other machine: start, pause, stop."""
        world.utility(instance, "ttRepAdmin", "-receiver", "-name", "orders", "-host", self.other(world).hostname, "-state", state,
                      "orders")

    def arrived(self, world, instance="tt60", seconds=90):
        """Waits until everything that is committed on WORLD now is durable on the other machine, by both words for it."""
        other = self.other(world).hostname
        for database in world.databases:
            world.utility(instance, "ttRepAdmin", "-wait", "-timeout", str(seconds), database, timeout=seconds + 30)
            told = world.sql(instance, database, f"call ttRepSubscriberWait('REP', 'TT', '{database.upper()}', '{other}', {seconds});")
            equal(told, ["00"], f"ttRepSubscriberWait of {database} on {world.hostname}")
