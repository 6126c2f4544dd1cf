"""A world in which a server can be upgraded in place: 6.0.8 and 6.0.11 side by side, whose DSNs name the same database."""

from harness import World, define_instance, equal, say, store

NEW = "tt6011"
define_instance(NEW, "6.0.11", 16010)


class InPlaceWorld(World):
    def __init__(self, name, server_lines=(), **more):
        super().__init__(name, instances=("tt60", NEW), server_lines=["DrainSec=1", *server_lines], **more)

    def store_path(self, instance, database):
        return store("tt60", database)


def policy(world, instance, database="orders"):
    """What ttAdmin says of a database's RAM policy, as (policy, whether it is loaded by hand)."""
    told = dict(line.split(":", 1) for line in world.utility(instance, "ttAdmin", "-query", database).out.splitlines()
                if ":" in line)
    told = {key.strip(): value.strip() for key, value in told.items()}
    return told["RAM Residence Policy"], told.get("Manually Loaded In RAM")


def must_end_in_place(world, number, new):
    """The upgrade is done, in place, and every client served by NEW; their report."""
    job = world.must_end(number, "done")
    world.settle()
    equal(job["Method"], "in-place", "the method")
    report = world.end_clients(new)
    begin, end = world.held_span(number)
    say(f"  held for {end - begin:.2f} s: " + ", ".join(f"{k} {v:.2f}" for k, v in world.step_seconds(number).items()))
    world.must_serve(new)
    return report
