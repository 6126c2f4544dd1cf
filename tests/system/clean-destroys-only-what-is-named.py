"""clean destroys the named databases of the release before and exports of ended jobs, refuses what is in use, and no more."""

from harness import ADMIN, HOMES, check, equal, options, refused, run, say, store

EXPORTS = "/var/lib/timesten-upgrade/exports"


def clean(world, *words):
    done = world.run("ttctl", "clean", "main", *words, check=False, timeout=120)
    say(f"  ttctl clean main {' '.join(words)}: {done.status}: " + (done.out + done.err).strip().splitlines()[-1])
    return done


def files(world):
    """The databases and exports that there are."""
    found = world.shell(f"ls -d {store('tt60', '*')}.ds0 {store('tt70', '*')}.ds0 {EXPORTS}/*/*.migrate", check=False).out.split()
    return {one.replace(".ds0", "").split("/", 4)[-1] for one in found}


def dry(world, database):
    """What the checks would say."""
    done = world.run("ttctl", "clean", "main", f"--databases={database}", "--dry-run", check=False)
    return " ".join((done.out + done.err).split())


def alias(world, instance, database, name):
    """One more DSN for a database."""
    path = f"{HOMES[instance]}/info/sys.odbc.ini"
    world.shell(f"printf '\\n[{name}]\\nDriver=x\\nDataStore=%s\\n' {store(instance, database).replace('/tt60', '//tt60')} >>{path}")


def ask(world, *words):
    return lambda: world.bus.server("main", "Clean", "a{sv}", *(words or [0]), timeout=60)


def test(world):
    world.expect(r"upgrade-job: Check (irreversible|data-loss)", r"upgrade-job: Step check failed: (databases|previous|exports)",
                 r"upgrade-job: Step destroy-databases failed", r"upgrade-job: Job \d+ finished: needs-attention",
                 r"upgrade-job: Job \d+ finished: failed", r"systemd: Failed to start timesten-job@",
                 r"systemd: timesten-job@\d+.service: Failed with result")
    refused(ask(world, 1, "databases", "as", 1, "orders"), "NotPossible", "no instance before")
    before = {name: world.content("tt60", name) for name in world.databases}
    world.start_clients(4)
    world.settle()
    world.must_end(world.upgrade(), "done")
    both = {"tt60/orders", "tt60/stock", "tt70/orders", "tt70/stock", "exports/1/orders.migrate", "exports/1/stock.migrate"}
    equal(files(world), both, "what there is after the upgrade")

    refused(ask(world), "InvalidOption", "not named")
    refused(ask(world, 1, "databases", "as", 1, "nothing"), "InvalidOption", "nothing")
    # Somebody is connected to the old database, until he is ended.
    reader = world.popen("setpriv", f"--reuid={ADMIN}", f"--regid={ADMIN}", "--clear-groups", "ttclient", "--direct",
                         HOMES["tt60"], "--dsn", "orders", "--hold", "600")
    check("connected" in reader.stdout.readline(), "the direct connection")
    done = clean(world, "--databases=orders,stock")
    equal(done.status, 15, f"ttctl clean of a database in use: {done}")
    check("databases-not-in-use" in done.err, f"it does not tell who is in the way: {done}")
    equal(files(world), both, "what there is after a refusal")
    world.run("pkill", "-x", "-u", ADMIN, "ttclient")
    reader.wait(60)

    # Neither what is kept in memory, nor what serves under another name.
    world.utility("tt60", "ttAdmin", "-ramPolicy", "always", "orders")
    done = clean(world, "--databases=orders")
    check(done.status == 15 and "ttAdmin -ramPolicy inUse orders" in dry(world, "orders"), f"a database in memory: {done}")
    world.utility("tt60", "ttAdmin", "-ramPolicy", "inUse", "orders")
    alias(world, "tt60", "orders", "mirror")
    world.declare_server("second", 16102, ["mirror"], "tt60", enable=False)
    world.run("ttctl", "reload")
    done = clean(world, "--databases=orders")
    check(done.status == 15 and "backs server second" in dry(world, "orders"), f"a database that serves under another name: {done}")
    world.shell("rm /etc/timesten-upgrade/servers.d/second.conf && ttctl reload")
    equal(files(world), both, "what there is after these refusals")

    # The daemon of the old release need not run, and does not run afterwards.
    world.systemctl("stop", "timesten@tt60.service")
    shown = clean(world, "--databases=stock", "--dry-run")
    check(shown.status == 0 and "irreversible" in shown.out and "commit" in shown.out, f"the dry run: {shown}")
    equal(files(world), both, "what there is after a dry run")
    done = clean(world, "--databases=stock")
    equal(done.status, 0, f"ttctl clean --databases=stock: {done}")
    both -= {"tt60/stock"}
    equal(files(world), both, "what there is after stock of tt60 was named")
    equal(world.unit("timesten@tt60.service"), "inactive", "the old daemon")
    equal(world.bus.properties("Server", "main")["PreviousInstance"], "tt60", "the instance before, with one database left")
    refused(lambda: world.bus.server("main", "Rollback", "a{sv}", *options({"allow-data-loss": ("b", "true")}), timeout=60),
            "ChecksFailed", "previous-databases", "stock")
    equal(clean(world, "--databases=stock").status, 15, "a database that is gone")

    equal(clean(world, "--exports=99").status, 15, "exports of a job that is none")
    done = clean(world, "--exports=1")
    equal(done.status, 0, f"ttctl clean --exports=1: {done}")
    both -= {"exports/1/orders.migrate", "exports/1/stock.migrate"}
    equal(files(world), both, "what there is after the exports were named")

    # From its commit on it only goes forward; what cannot be destroyed needs a person, and nobody waits meanwhile.
    world.faults("tt60", "ttDestroy exit=1")
    done = clean(world, "--databases=orders")
    equal(done.status, 19, f"ttctl clean where ttDestroy fails: {done}")
    equal(world.bus.properties("Server", "main")["State"], "needs-attention", "the server")
    equal(files(world), both, "what there is after ttDestroy failed")
    check(world.connects(), "the port while a person is needed")
    world.faults("tt60")
    number = int(world.bus.properties("Server", "main")["LastResult"][2])
    equal(world.run("ttctl", "retry", number, check=False).status, 0, "ttctl retry")
    equal(files(world), both - {"tt60/orders"}, "what there is after orders of tt60 was named")
    equal(world.bus.properties("Server", "main")["PreviousInstance"], "", "the instance before, with nothing left")
    refused(lambda: world.bus.server("main", "Rollback", "a{sv}", *options()), "NotPossible", "databases were removed")

    world.settle()
    world.end_clients("tt70")
    world.must_serve("tt70")
    for name, content in before.items():
        equal(world.content("tt70", name), content, f"count and checksum of {name}")


run(test, databases=("orders", "stock"))
