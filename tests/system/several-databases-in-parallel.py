"""Three databases behind one server are exported and imported side by side, and all arrive."""

from harness import equal, run

DATABASES = ("orders", "stock", "people")


def test(world):
    before = {database: world.content("tt60", database) for database in DATABASES}
    # All three must be at work at the same time, or none goes on.
    gates = [world.gate("tt60", "ttMigrate -c at=50"), world.gate("tt70", "ttMigrate -r at=50")]
    for database in DATABASES:
        world.start_clients(3, database=database)
    world.settle()
    number = world.upgrade(values={"parallel": ("u", 3)})
    for gate in gates:
        gate.wait(len(DATABASES))
        gate.open()
    world.must_end(number, "done")
    world.settle()
    world.end_clients("tt70")
    for database in DATABASES:
        equal(world.content("tt70", database), before[database], f"the rows of {database}")


run(test, databases=DATABASES)
