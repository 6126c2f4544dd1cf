"""The power fails while the data is being moved: after the next boot 6.0 serves again, without anybody's help."""

from harness import check, equal, run, say, store


def test(world):
    before = world.content("tt60", "orders")
    # The last words of a unit that was just being started go to a PID 1 that is gone.
    world.expect("The host went down before the upgrade was committed", "Failed to send user credentials to PID1")
    for step, instance, command in (("export", "tt60", "ttMigrate -c at=50"), ("import", "tt70", "ttMigrate -r at=50"),
                                    ("stop-old-server", "tt60", "ttDaemonAdmin -stopserver")):
        gate = world.gate(instance, command)
        world.start_clients(3)
        world.settle()
        number = world.upgrade()
        gate.wait()
        equal(world.job(number)["Step"], step, "the step that is cut")
        world.stop_clients_abruptly()
        world.cut_power()
        world.boot()
        job = world.wait_job(number)
        equal(job["Result"], "failed", f"the job whose {step} was cut: {job['Error']}")
        check("went down" in job["Error"][1], f"the error does not tell of the power cut: {job['Error']}")
        say(f"  cut in {step}: {job['Error'][1]}")
        world.must_serve("tt60")
        equal(world.content("tt60", "orders"), before, f"the database of 6.0 after a cut in {step}")
        equal(world.shell(f"ls {store('tt70', 'orders')}.ds0 2>/dev/null", check=False).out, "", "a half restored database")
        world.faults(instance)
    world.must_end(world.upgrade(), "done")
    equal(world.content("tt70", "orders"), before, "the rows after a later, good upgrade")


run(test)
