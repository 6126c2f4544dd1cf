"""A world in which a server can be upgraded by replication: old and new databases have names of their own."""

from harness import World, check, equal, say, store

# What a stand-in waits for on its own is short here, and so is what the product is told to wait for it.
QUICK = {"replication-state-seconds": 0.2, "replication-retry-seconds": 0.2, "agent-restart-seconds": 0.2}
LINES = ["ReplicationDelaySec=300ms"]


class OnlineWorld(World):
    def __init__(self, name, server_lines=(), **more):
        super().__init__(name, server_lines=[*server_lines, *LINES], **more)

    def store_path(self, instance, database):
        # Replication knows a database by the last part of its path.
        return store(instance, database) + instance.removeprefix("tt")

    def install_instance(self, name, *words, **more):
        super().install_instance(name, *words, **more)
        self.tune(name, QUICK)

    def online(self, **more):
        """Upgrade by the method online; the number of the job."""
        return self.upgrade(values={"method": ("s", "online"), **more})

    def client_rows(self, instance, database="orders"):
        """The rows of the clients' table, each once."""
        rows = self.sql(instance, database, "select ID, SEQ from written;")
        equal(len(rows), len(set(rows)), f"rows of {instance} that are there once")
        return set(rows)

    def without_writing(self, number):
        """Seconds from the order that stops the serving server to the open port."""
        lines = self.record(number)
        stop = next(when for when, event, step, _ in lines if event == "begin" and step.startswith("stop-"))
        return next(when for when, event, step, _ in lines if (event, step) == ("end", "resume")) - stop

    def peers(self, instance, database="orders"):
        """Peers of a database, as ttRepAdmin lists them: {name: state}."""
        lines = self.utility(instance, "ttRepAdmin", "-receiver", "-list", database).out.split("\n\n")[0].splitlines()[2:]
        return {line.split()[0]: line.split()[3] for line in lines if line.strip()}

    def is_not_replicated(self, instance, database="orders"):
        equal(self.peers(instance, database), {}, f"peers of {database} in {instance}")
        equal(self.sql(instance, database, "select tblname from sys.tables where tblowner = 'TTUPGRADE';"), [],
              f"tables of ours in {database} of {instance}")

    def is_untouched(self, instance="tt60", databases=None):
        """No replication, no mark, no copy and no DSN of ours is left in an instance."""
        for database in databases or self.databases:
            self.is_not_replicated(instance, database)
        left = self.shell("grep -l ttupgrade /opt/TimesTen/*/info/sys.odbc.ini; ls -d /var/lib/ttadmin/*/ttupgrade-*",
                          check=False).out
        equal(left, "", "DSNs and directories of copies")


def tell(world, number, report):
    say(f"  nobody could write for {world.without_writing(number):.2f} s; steps: "
        + ", ".join(f"{step} {seconds:.2f}" for step, seconds in world.step_seconds(number).items()))
    check(report is None or report.written > 0, "the clients wrote nothing")
