"""A crash world whose servers can be upgraded by replication: the new databases have names of their own."""

from crashworld import CrashWorld
from world import store


class OnlineCrashWorld(CrashWorld):
    # What must be gone at the end, beside what every look has: copies, their DSNs, agents that come back with their daemon.
    MORE = r"""
for home in /opt/TimesTen/*; do
    grep -H ttupgrade $home/info/sys.odbc.ini | sed 's|^/opt/TimesTen/\([^/]*\)/.*ttupgrade.*|- dsn of a copy in \1|'
    sed -n "s|^reppolicy=always|- agent always in ${home##*/}|p" $home/info/DBIstores
done
find /var/lib/ttadmin -mindepth 2 -type d | sed 's|^/var/lib/ttadmin/\([^/]*\)/.*|- directory of a copy in \1|'
"""

    def __init__(self, name, server_lines=("DrainSec=1", "HoldLimitSec=180", "OutageLimitSec=180", "ReplicationDelaySec=300ms"),
                 **more):
        super().__init__(name, server_lines=server_lines, **more)

    def store_path(self, instance, database):
        return store(instance, database) + instance.removeprefix("tt")
