"""What every upgrade that fails before its commit must come to, whatever made it fail (docs/failures.md)."""

import re

from bus import BusError
from container import check
from roots import say

REMEDY = r"[.:;,] (See|Raise|Look|Correct|Create|Free|Repair|Restore|Start|Try|End|Set|Name|Mend|mend|Nothing was switched)\b"


def must_undo(world, what, error, words, values=None, during=None, target="tt70", result="failed"):
    """Asks for an upgrade, does DURING(number) meanwhile; the job must end with the bus error ERROR whose message names all of
    WORDS and a remedy, and everything must be as before. WHAT is the case's name. Gives the job, or None where the upgrade
    was refused at once."""
    job = None
    try:
        number = world.upgrade(target=target, values=values, timeout=60)
        if during:
            during(number)
        job = world.must_end(number, result)
        name, message = job["Error"]
    except BusError as refusal:
        name, message = refusal.name, refusal.message
    held = f"held {job['HeldUSec'] / 1e6:.1f} s" if job else "refused"
    say(f"  {what}: {held}: {message}")
    check(name.rsplit(".", 1)[-1] == error, f"{what}: wanted the error {error}, got {name}: {message}")
    for word in words:
        check(word in message, f"{what}: the message does not name {word}: {message}")
    check(re.search(REMEDY, message), f"{what}: no remedy: {message}")
    must_be_as_before(world, what, target, "serving" if result == "failed" else result)
    return job


def must_be_as_before(world, what, target="tt70", state="serving"):
    """6.0 serves and its clients write; of the new release nothing is left that runs, or that a later upgrade would meet."""
    world.must_serve("tt60", state=state)
    world.settle()
    left = world.shell("ls " + " ".join(f"{world.store_path(target, database)}.ds0" for database in world.databases) + " 2>/dev/null",
                       check=False).out
    check(left == "", f"{what}: a database of the new release that nobody uses: {left}")
    left = world.shell("ls /var/lib/timesten-upgrade/exports/*/* 2>/dev/null", check=False).out
    check(left == "", f"{what}: an export that nobody needs: {left}")
    state = world.unit(f"timesten@{target}.service")
    check(state in ("inactive", "failed"), f"{what}: the new daemon is {state}")
