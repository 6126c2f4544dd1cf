"""How a test file begins and ends: `run(test)`, and everything a test may want under one import."""

import os
import signal
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

from bus import Bus, BusError, options, refused
from container import Container, Failed, Reader, check, equal, wait_until
from roots import SOURCE, clean_root, package, say
from world import ADMIN, DAEMON_PORTS, HOMES, PORT, RELEASES, SLOW, World, define_instance, store

__all__ = ["ADMIN", "Bus", "BusError", "Container", "DAEMON_PORTS", "Failed", "HOMES", "PORT", "RELEASES", "Reader", "SLOW",
           "SOURCE", "World", "check", "clean_root", "define_instance", "equal", "options", "package", "refused", "run", "say", "skip",
           "store", "tally", "tally_ends", "wait_until"]


# What tests/tally calls the results of jobs.
ENDS = {"done": "done", "failed": "undone", "cancelled": "cancelled", "rolled-back": "back", "needs-attention": "attention"}


def tally(kind, runs=1, what=None, **ends):
    """A row of the table that ./check ends with; tests/tally says which words there are."""
    words = [f"kind={kind}", *([f"what={what.replace(' ', '-')}"] if what else []), f"runs={runs}"]
    say("tally:", *words, *[f"{end}={number}" for end, number in ends.items() if number])


def skip(reason):
    """Ends a test that this machine cannot run; ./check shows the reason and counts it."""
    say(f"SKIPPED {Path(sys.argv[0]).stem}: {reason}")
    sys.exit(77)


def tally_ends(kind, what, results, ends=None):
    """A row for RESULTS ({result of jobs: how many}), by what they are called in ENDS."""
    numbers = {}
    for result, number in results.items():
        end = (ends or ENDS)[result]
        numbers[end] = numbers.get(end, 0) + number
    tally(kind, sum(results.values()), what, **numbers)


def run(test, machine=World, kind=None, **more):
    """Runs TEST(machine) in a machine of its own and ends the process: 0 held, 1 did not. KIND: what its jobs are counted as
    in the table at the end of ./check."""
    name = Path(sys.argv[0]).stem
    # A test that is stopped (by meson's limit, by a person) still takes its machine down.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(124))
    began = time.monotonic()
    try:
        with machine(name, **more) as world:
            booted = time.monotonic()
            test(world)
            for one in getattr(world, "worlds", [world]):
                if isinstance(one, World) and one.alive():
                    one.assert_quiet_journal()
                if kind and one.results:
                    tally_ends(kind, name, Counter(one.results.values()))
    except (Failed, BusError) as failure:
        where = traceback.extract_tb(failure.__traceback__)
        own = [frame for frame in where if frame.filename == os.path.abspath(sys.argv[0])]
        say(f"FAILED {name}" + (f" (line {own[-1].lineno}: {own[-1].line})" if own else "") + f": {failure}")
        sys.exit(1)
    except Exception:
        traceback.print_exc(file=sys.stdout)
        say(f"FAILED {name}: the test itself broke")
        sys.exit(1)
    say(f"ok {name}: {time.monotonic() - booted:.1f} s after {booted - began:.1f} s of setting up")
    sys.exit(0)
