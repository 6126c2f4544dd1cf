"""A world in which a server can be upgraded in place: 6.0.8 and 6.0.11 side by side, whose DSNs name the same database."""

from harness import World, define_instance, store

NEW = "tt6011"
define_instance(NEW, "6.0.11", 16010)


class InPlaceWorld(World):
    def __init__(self, name, server_lines=(), **more):
        super().__init__(name, instances=("tt60", NEW), server_lines=["DrainSec=1", *server_lines], **more)

    def store_path(self, instance, database):
        return store("tt60", database)

    def policy(self, instance, database="orders"):
        """What ttAdmin says of a database's RAM policy, as (policy, whether it is loaded by hand)."""
        told = dict(line.split(":", 1) for line in self.utility(instance, "ttAdmin", "-query", database).out.splitlines()
                    if ":" in line)
        told = {key.strip(): value.strip() for key, value in told.items()}
        return told["RAM Residence Policy"], told.get("Manually Loaded In RAM")
