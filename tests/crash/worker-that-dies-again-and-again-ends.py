"""A worker that dies in the same step each time gives up after four begins; an undo that kills it each time, too; behind
the commit it asks for a person, whose retry goes on."""

from crashworld import CrashWorld, check, equal, run


def one(world, match, times, result, *words, fault=None):
    world.faults("tt70", *([fault] if fault else []))
    world.arm(match=match, when="after", times=times)
    clients = world.start_clients(3)
    world.settle(clients)
    number = world.upgrade_unheard()
    equal(world.wait_record(number), result, f"the result of a job whose worker dies {times} times at {match!r}")
    equal(len(world.shots()), times, f"deaths at {match!r}")
    message = world.job(number)["Error"][1]
    for word in words:
        check(word in message, f"the error does not tell {word!r}: {message}")
    if result == "needs-attention":  # what could not be undone is left, but clients are served
        world.stop_and_check(clients, result)
    else:
        world.judge(number, result, clients)
    world.reset()


def after_the_commit(world):
    world.arm(match="record begin retire-old", when="after", times=4)
    clients = world.start_clients(3)
    world.settle(clients)
    number = world.upgrade_unheard()
    equal(world.wait_record(number), "needs-attention", "the result of a job whose worker dies 4 times behind its commit")
    message = world.job(number)["Error"][1]
    for word in ("retire-old", "4 times", f"ttctl retry {number}"):
        check(word in message, f"the error does not tell {word!r}: {message}")
    world.settle(clients)
    equal(world.run("ttctl", "retry", number, check=False).status, 0, "the exit status of ttctl retry")
    world.judge(number, "done", clients)
    world.reset()


def test(world):
    world.remember()
    world.count_points("done")
    world.reset()
    one(world, "record begin export", 3, "done")
    one(world, "record begin export", 4, "failed", "export", "4 times")
    one(world, "record begin resume", 3, "done")
    after_the_commit(world)
    one(world, "record undo import", 3, "failed", fault="ttMigrate -r exit=1")
    # Given up is only this step: the port is open again, and a person is asked to look.
    one(world, "record undo import", 4, "needs-attention", "import", fault="ttMigrate -r exit=1")


run(test, machine=CrashWorld)
