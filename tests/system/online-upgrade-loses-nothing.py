"""Twelve clients write two databases while the server behind their port goes from 6.0 to 7.0 by replication, and back: all rows on
both ways."""

from harness import check, equal, run
from online import OnlineWorld, tell

NEW_ROWS = 10000
DATABASES = ("orders", "stock")


def start_clients(world):
    for database in DATABASES:
        world.start_clients(6, database=database)
    world.settle()


def test(world):
    before = {database: world.content("tt60", database) for database in DATABASES}
    start_clients(world)
    number = world.online()
    world.must_end(number, "done")
    world.settle()
    report = world.end_clients("tt70")
    tell(world, number, report)
    for database in DATABASES:
        equal(world.content("tt70", database), before[database], f"count and checksum of the rows of {database} written before")
        old, new = database.upper() + "60", database.upper() + "70"
        equal((world.peers("tt60", database), world.peers("tt70", database)), ({new: "Start"}, {old: "Start"}), f"peers of {database}")
    world.must_serve("tt70")

    # Ten thousand rows that the old release has never had from a client, and those of clients at work.
    last = NEW_ROWS + 5000
    world.sql("tt70", "orders", "insert into items select id + 100000, name, amount from items;",
              "insert into items select id + 200000, name, amount from items where id <= 5000;")
    start_clients(world)
    done = world.run("ttctl", "rollback", "main", check=False, timeout=120)
    equal(done.status, 0, f"ttctl rollback: {done}")
    world.settle()
    back = world.end_clients("tt60")
    number += 1
    world.results[number] = world.job(number)["Result"]
    tell(world, number, back)
    world.must_serve("tt60")
    for database in DATABASES:
        equal(world.content("tt60", database), world.content("tt70", database), f"rows of {database} in both releases")
        check(world.client_rows("tt70", database) <= world.client_rows("tt60", database),
              f"rows of {database} that the new release has and the old one lacks")
    equal(world.content("tt60", "orders")[0], last, "rows in the old release")
    equal(world.lost("tt60", report), [], "rows of the first clients that the old release lacks")
    for instance in ("tt60", "tt70"):
        world.is_untouched(instance)


run(test, OnlineWorld, databases=DATABASES, server_lines=["DrainSec=1"])
