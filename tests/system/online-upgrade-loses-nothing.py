"""Twelve clients write while the server behind their port goes from 6.0 to 7.0 by replication, and back: all rows on both ways."""

from harness import check, equal, run
from online import OnlineWorld, tell

NEW_ROWS = 10000


def test(world):
    before = world.content("tt60", "orders")
    world.start_clients(12)
    world.settle()
    number = world.online()
    world.must_end(number, "done")
    world.settle()
    report = world.end_clients("tt70")
    tell(world, number, report)
    equal(world.content("tt70", "orders"), before, "count and checksum of the rows written before")
    world.must_serve("tt70")
    equal(world.peers("tt70"), {"ORDERS60": "Start"}, "peers of the new release")
    equal(world.peers("tt60"), {"ORDERS70": "Start"}, "peers of the old release")

    # Ten thousand rows that the old release has never had from a client, and those of clients at work.
    last = NEW_ROWS + 5000
    world.sql("tt70", "orders", "insert into items select id + 100000, name, amount from items;",
              "insert into items select id + 200000, name, amount from items where id <= 5000;")
    world.start_clients(12)
    world.settle()
    done = world.run("ttctl", "rollback", "main", check=False, timeout=120)
    equal(done.status, 0, f"ttctl rollback: {done}")
    world.settle()
    back = world.end_clients("tt60")
    number += 1
    world.results[number] = world.job(number)["Result"]
    tell(world, number, back)
    world.must_serve("tt60")
    equal(world.content("tt60", "orders"), world.content("tt70", "orders"), "rows of both releases")
    equal(world.content("tt60", "orders")[0], last, "rows in the old release")
    equal(world.lost("tt60", report), [], "rows of the first clients that the old release lacks")
    check(world.client_rows("tt70") <= world.client_rows("tt60"), "rows that the new release has and the old one lacks")
    for instance in ("tt60", "tt70"):
        world.is_untouched(instance)


run(test, OnlineWorld, server_lines=["DrainSec=1"])
