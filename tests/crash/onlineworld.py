"""A crash world whose servers can be upgraded by replication: the new databases have names of their own."""

from crashworld import DATABASE, CrashWorld, check, equal, wait_until
from online import OnlineWorld


class OnlineCrashWorld(CrashWorld, OnlineWorld):
    # What must be gone at the end, beside what every look has: copies, their DSNs, agents that come back with their daemon.
    MORE = r"""
for home in /opt/TimesTen/*; do
    grep -H ttupgrade $home/info/sys.odbc.ini | sed 's|^/opt/TimesTen/\([^/]*\)/.*ttupgrade.*|- dsn of a copy in \1|'
    sed -n "s|^reppolicy=always|- agent always in ${home##*/}|p" $home/info/DBIstores
done
find /var/lib/ttadmin -mindepth 2 -type d | sed 's|^/var/lib/ttadmin/\([^/]*\)/.*|- directory of a copy in \1|'
"""

    def __init__(self, name, server_lines=("DrainSec=1", "HoldLimitSec=180", "OutageLimitSec=180"), **more):
        super().__init__(name, server_lines=server_lines, **more)

    def has_database(self, instance):
        path = self.store_path(instance, DATABASE)
        return self.unit(f"timesten@{instance}.service") == "active" and self.run("test", "-e", f"{path}.ds0", check=False).status == 0

    def judge_replication(self, lane, replicates):
        """Both follow each other and come to have the same rows, or nothing of the replication is left."""
        def peer(instance):
            return self.store_path(instance, DATABASE).rsplit("/", 1)[1].upper()

        def rows(instance):
            tables = self.sql(instance, DATABASE, "select tblname from sys.tables where tblname in ('WRITTEN', 'PROMISED');")
            return {(table, row) for table in tables for row in self.sql(instance, DATABASE, f"select ID, SEQ from {table};")}
        for here, there in ((lane.old, lane.new), (lane.new, lane.old)):
            if replicates:
                equal(self.peers(here, DATABASE), {peer(there): "Start"}, f"peers of {here}")
            elif self.has_database(here):
                self.is_not_replicated(here, DATABASE)
        if replicates:
            wait_until(lambda: rows(lane.old) == rows(lane.new), 60, f"{lane.old} and {lane.new} to have the same rows")
            check(rows(lane.new), "no client wrote anything")
