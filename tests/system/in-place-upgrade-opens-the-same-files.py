"""Clients write while their server goes from 6.0.8 to 6.0.11 in place, and back: no row is lost, and what fails is undone."""

from harness import check, equal, refused, run, say
from inplace import NEW, InPlaceWorld, must_end_in_place, policy

MANUAL = ("manual", "True")


def must_be_as_before(world, before):
    world.must_serve("tt60")
    equal(world.content("tt60", "orders"), before, "rows that were there before")
    equal(policy(world, "tt60"), MANUAL, "RAM policy in the old release")
    equal(world.unit(f"timesten@{NEW}.service"), "inactive", "the new main daemon")


def failing_release(world, before):
    world.start_clients(3)
    world.settle()
    world.faults(NEW, "timestensubd fail")
    job = world.must_end(world.upgrade(target=NEW), "failed")
    check("821" in job["Error"][1] and "orders" in job["Error"][1], f"the error does not tell why: {job['Error']}")
    say(f"  {job['Error'][1]}")
    world.faults(NEW)
    world.settle()
    world.end_clients("tt60")
    must_be_as_before(world, before)


def power_cut(world, before):
    gate = world.gate(NEW, "ttIsql")
    number = world.upgrade(target=NEW)
    gate.wait()
    equal(world.job(number)["Step"], "take-over", "the step that is cut")
    world.cut_power()
    world.boot()
    world.must_end(number, "failed")
    world.faults(NEW)
    must_be_as_before(world, before)


def refusals(world):
    path = "/opt/TimesTen/tt6011/info/sys.odbc.ini"
    text = world.read(path)
    world.write(path, text.replace("DataStore=/var/lib/ttadmin/tt60/", "DataStore=/var/lib/ttadmin/tt60/other-"))
    refused(lambda: world.upgrade(target=NEW, values={"method": ("s", "in-place")}), "ChecksFailed", "same-files", "other-orders")
    world.write(path, text)


def there_and_back(world, before):
    world.start_clients(8)
    world.settle()
    plan = world.run("ttctl", "plan", "main", NEW).out
    check("in-place" in plan and "because its checks allow it" in plan, f"auto does not choose in place: {plan}")
    number = world.upgrade(target=NEW)
    report = must_end_in_place(world, number, NEW)
    equal(world.content(NEW, "orders"), before, "rows that were there before")
    equal(policy(world, NEW), MANUAL, "RAM policy in the new release")
    equal(world.unit("timesten@tt60.service"), "inactive", "the old main daemon")
    refused(lambda: world.bus.server("main", "Clean", "a{sv}", 1, "databases", "as", 1, "orders"), "ChecksFailed",
            "has the files of database orders")

    world.start_clients(8)
    world.settle()
    done = world.run("ttctl", "rollback", "main", check=False, timeout=120)
    equal(done.status, 0, f"ttctl rollback: {done}")
    world.settle()
    world.end_clients("tt60")
    must_be_as_before(world, before)
    equal(world.lost("tt60", report), [], "rows of the first clients")


def test(world):
    world.expect("upgrade-job: Step (check|take-over) failed", r"upgrade-job: Job \d+ finished: failed",
                 "The host went down before the upgrade was committed", "systemd: Failed to start timesten-job@",
                 r"systemd: timesten-job@\d+.service: Failed with result", r"upgrade-job: Check irreversible")
    before = world.content("tt60", "orders")
    world.utility("tt60", "ttAdmin", "-ramPolicy", "manual", "-ramLoad", "orders")
    refusals(world)
    failing_release(world, before)
    power_cut(world, before)
    there_and_back(world, before)


run(test, InPlaceWorld)
