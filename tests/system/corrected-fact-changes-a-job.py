"""A fact that the site corrects in facts.d holds for check, helper, worker and job; a wrong file lets no job begin; and a probe
tells which facts hold."""

import json

from harness import HOMES, check, equal, refused, run

SITE = "/etc/timesten-upgrade/facts.d/site.conf"
FACT = "client-sql-program"


def call_it_otherwise(world, home):
    """As on a host whose release calls the program ttIsqlNet. What is asked of it is written down."""
    world.run("mkdir", f"{home}/net")
    world.run("mv", f"{home}/bin/ttIsqlCS", f"{home}/net/ttIsqlCS")
    world.write(f"{home}/bin/ttIsqlNet", f"#!/bin/sh\necho \"$@\" >>/tmp/asked\nexec {home}/net/ttIsqlCS \"$@\"\n")
    world.run("chmod", "755", f"{home}/bin/ttIsqlNet")
    world.write("/tmp/asked", "")
    world.run("chmod", "666", "/tmp/asked")


def fact(world):
    told = world.run("ttctl", "facts", "--json=short", check=False)
    return told, next(one for one in json.loads(told.out)["facts"] if one["name"] == FACT)


def told_in_the_journal(world, words):
    return [line["MESSAGE"] for line in world.journal() if words in line["MESSAGE"]]


def test(world):
    call_it_otherwise(world, HOMES["tt70"])
    _, before = fact(world)
    equal((before["value"], before["tag"], before["override"]), ("ttIsqlCS", "R", None), "the fact without a file")

    world.expect(r"timesten-upgraded: .*site\.conf", r"upgrade-job: .*site\.conf", r"timesten-generator.*site\.conf",
                 r"(upgrade-job|timesten-upgraded): Job \d+ .*(failed|refused)", r"systemd: .*timesten-job@\d+")
    world.write(SITE, f"[Facts]\n{FACT}=ttIsqlNet\nlimit-look=soon\n")
    place = f"{SITE}:3: limit-look=soon"
    world.run("ttctl", "reload")
    told, wrong = fact(world)
    check(told.status == 18 and place in told.err and wrong["override"] is None, f"a wrong file should be told: {told.err}")
    told = world.run("ttctl", "check", "main", "tt70", check=False)
    check(told.status == 15 and place in told.out, f"ttctl check says nothing of {place}: {told.out}")
    refused(lambda: world.upgrade(), "ChecksFailed", place)
    equal(world.read("/tmp/asked"), "", "what was asked of a program that no file names rightly")

    world.write(SITE, f"[Facts]\n{FACT}=ttIsqlNet\n")
    world.run("ttctl", "reload")
    told, right = fact(world)
    equal((told.status, right["value"], right["override"]), (0, "ttIsqlNet", f"{SITE}:2"), "the fact with a good file")
    # The helper looks for the program by that name in both instances, and the old one has none.
    world.must_end(world.upgrade(), "done")
    check("TTC_Server_DSN=orders" in world.read("/tmp/asked"), "the job never asked the program that the file names")
    equal(told_in_the_journal(world, "tt70 has no ttIsqlCS"), [], "what the job says of the program")
    world.must_serve("tt70")

    told = json.loads(world.run("ttctl", "probe", "tt70", "--json=short").out)
    outcome = {one["name"]: one["outcome"] for one in told["facts"]}
    equal((told["instance"], told["differs"], outcome[FACT]), ("tt70", 0, "held"), "the probe of the host as it is")
    world.write(SITE, "")
    told = json.loads(world.run("ttctl", "probe", "tt70", "--json=short", check=False).out)
    equal([one["name"] for one in told["facts"] if one["outcome"] == "differs"], [FACT], "what differs where no file says so")


run(test, rows=200)
