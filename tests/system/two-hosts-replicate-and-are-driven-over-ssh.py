"""The ground that an upgrade of two hosts stands on: two machines replicate to each other while twelve clients write to one,
the network between them is cut and comes back, and nothing is lost; and ttctl -H drives the one from the other."""

from harness import check, equal, run, wait_until
from pair import Pair


def cuts(pair):
    one, two = pair.db1, pair.db2
    one.start_clients(12)
    one.settle()
    for silently in (False, True):
        pair.cut(silently)
        before = two.sql("tt60", "orders", "select count(*) from written;")
        one.settle()
        equal(two.sql("tt60", "orders", "select count(*) from written;"), before, "rows that came over a network that is cut")
        pair.mend()
        wait_until(lambda before=before: two.sql("tt60", "orders", "select count(*) from written;") != before, 90,
                   "rows to come again")
    # Held in the log of db1 for as long as its peer is in pause.
    pair.set_state(one, "tt60", "pause")
    one.settle()
    pair.set_state(one, "tt60", "start")
    report = one.end_clients("tt60")
    pair.arrived(one)
    equal(two.lost("tt60", report), [], "rows that db1 has acknowledged and db2 does not have")
    equal(two.sql("tt60", "orders", "select count(*) from written;"), [str(report.found)], "rows on db2, none twice")
    two.sql("tt60", "orders", "insert into items values (1000000, 'from db2', 7);")
    pair.shows(one, "tt60", "select name from items where id = 1000000;", ["from db2"])


def over_ssh(pair):
    one, two = pair.db1, pair.db2
    pair.let_in(one, two)
    pair.let_in(one, two, "guest")
    there = "root@db2"
    for words in (("list",), ("status",), ("status", "main"), ("--json=short", "status", "main")):
        # At once, or when the daemon has looked at its instances.
        wait_until(lambda words=words: one.run("ttctl", "-H", there, *words).out == two.run("ttctl", *words).out, 60,
                   f"ttctl -H {there} {' '.join(words)} to say what db2 says of itself")
    refused = one.run("ttctl", "-H", there, "plan", "main", "tt60", check=False)
    here = two.run("ttctl", "plan", "main", "tt60", check=False)
    check(refused.status == here.status != 0 and "backed by instance tt60" in refused.err, f"the refusal of a plan: {refused}, {here}")
    plan = one.run("ttctl", "-H", there, "plan", "main", "tt70", "--method=offline").out
    check("start-new-daemon" in plan, f"the plan of db2: {plan}")
    unknown = one.run("ttctl", "-H", there, "upgrade", "nosuch", "tt70", check=False)
    check(unknown.status not in (0, 255) and "nosuch" in unknown.err, f"an upgrade of a server that db2 has not: {unknown}")
    # guest may read, and nobody can be asked for a password over ssh.
    equal(one.run("ttctl", "-H", "guest@db2", "list").out, two.run("ttctl", "list").out, "what guest sees")
    forbidden = one.run("ttctl", "-H", "guest@db2", "upgrade", "main", "tt70", check=False)
    here = two.run("ttctl", "--no-ask-password", "upgrade", "main", "tt70", user="guest", check=False)
    check(forbidden.status == here.status != 0 and "authentication" in forbidden.err, f"an upgrade by guest: {forbidden}, {here}")
    for nobody in ("root@db9", "nobody@db2"):
        lost = one.run("ttctl", "-H", nobody, "list", check=False)
        check(lost.status != 0 and nobody in lost.err, f"ttctl -H {nobody}: {lost}")
    pair.cut()
    lost = one.run("ttctl", "-H", there, "list", check=False)
    check(lost.status != 0 and there in lost.err, f"ttctl over a network that is cut: {lost}")
    pair.mend()
    two.expect(r"upgrade-job: Step check failed: replication \(orders\)", r"timesten-job@1\.service: Failed with",
               r"Failed to start timesten-job@1")
    # Replicated, so the method that saves and restores is refused, there as here.
    done = one.run("ttctl", "-H", there, "--json=short", "upgrade", "main", "tt70", "--method=offline", check=False)
    check(done.status != 0 and "replication" in done.err, f"an offline upgrade of a replicated database: {done}")


def test(pair):
    pair.replicate()
    cuts(pair)
    over_ssh(pair)


run(test, Pair, rows=200)
