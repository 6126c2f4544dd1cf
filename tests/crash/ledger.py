"""What the clients of one server were promised, held against what its databases hold.

A row that was acknowledged by the old release is in the old databases for good, and in the new ones after an upgrade. A row
that was acknowledged by the new release is there until a rollback is asked for, which says that it loses it; and a rollback of
that rollback loses what the old one acknowledged in between.
"""

import re
import subprocess
import sys
import threading
from pathlib import Path

from harness import check

WRITER = Path(__file__).with_name("writer.py")
TABLE = "create table promised (ID integer not null, SEQ integer not null, primary key (ID, SEQ))"  # as in writer.py
TROUBLES = ("refused", "reset", "silent", "cut", "error")


class Ledger:
    def __init__(self, world, server, port, dsn, old, new, clients=4, forward=lambda: 0, lossless=False, release="6.0.8"):
        """FORWARD: how many rollbacks from the old release to the new one came to their commit. LOSSLESS: the two replicate, so
        that no row is ever given up. RELEASE: of the clients."""
        self.world, self.server, self.port, self.dsn = world, server, port, dsn
        self.old, self.new = old, new
        self.lossless, self.release = lossless, release
        self.seqs = [0] * clients
        self.kept, self.fresh = set(), set()  # acknowledged by the old release, by the new one
        self.between = set()                  # of the kept ones: those since the new one served last
        self.forward, self.gone_forward = forward, 0
        self.given_up = []                    # how many rows each rollback lost
        self.troubles = dict.fromkeys(TROUBLES, 0)
        self.refused = []                     # (when, words)
        self.problems = []
        self.acknowledged, self.last = 0, 0
        self.lock = threading.Lock()
        self.process, self.reader = None, None

    # Writing

    def start(self):
        words = [self.release, str(self.port), self.dsn, ",".join(map(str, self.seqs))]
        self.process = subprocess.Popen(["nsenter", "-t", str(self.world.pid), "-n", "--", sys.executable, "-B", str(WRITER),
                                         *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.world.processes.append(self.process)
        self.reader = threading.Thread(target=self.read, args=[self.process], daemon=True)
        self.reader.start()

    def stop(self, abruptly=False):
        if not self.process:
            return
        (self.process.kill if abruptly else self.process.terminate)()
        self.process.wait(60)
        self.reader.join()
        self.world.processes.remove(self.process)
        self.process = None

    def read(self, process):
        for line in process.stdout:
            if not line.endswith("\n"):  # of a writer that was killed in the middle of a word
                break
            kind, *words = line.split()
            with self.lock:
                if kind in TROUBLES:
                    self.troubles[kind] += 1
                    if kind == "refused":
                        self.refused.append((float(words[1]), " ".join(words[2:])))
                elif kind in ("ack", "again"):
                    self.note((int(words[0]), int(words[1])), words[2])
                    self.last = float(words[3])

    def note(self, row, release):
        self.acknowledged += 1
        self.seqs[row[0] - 1] = row[1]
        if self.lossless:
            self.kept.add(row)
        elif release.startswith(self.old):
            if self.fresh:
                self.between = set()
            self.forget_fresh()
            self.kept.add(row)
            self.between.add(row)
        elif release.startswith(self.new):
            self.forget_between()
            self.fresh.add(row)
        else:
            self.problems.append(f"a row was acknowledged by release {release}")

    def give_up(self):
        """The databases of the new release are about to be destroyed: they back nobody any more."""
        with self.lock:
            self.forget_fresh()

    def forget_fresh(self):
        """The old release serves: what only the new one had is gone, and a rollback must have said so."""
        if self.fresh:
            self.given_up.append(len(self.fresh))
            self.fresh = set()

    def forget_between(self):
        """The new release serves again: after an upgrade it has every row, after a rollback none of those in between."""
        now = self.forward() if self.between else self.gone_forward
        if now > self.gone_forward:
            self.given_up.append(len(self.between))
            self.kept -= self.between
            self.gone_forward = now
        self.between = set()

    # Holding it against the databases

    def look(self):
        """(release, rows) as a new client gets them, or None."""
        done = subprocess.run(["nsenter", "-t", str(self.world.pid), "-n", "--", sys.executable, "-B", str(WRITER),
                               self.release, str(self.port), self.dsn], capture_output=True, text=True, timeout=120)
        release = re.search(r"^release (\S+)", done.stdout)
        if done.returncode or not release or not re.search(r"^OK ", done.stdout, re.M):
            return None
        return release[1], {(int(a), int(b)) for a, b in re.findall(r"^ROW (\d+) (\d+)$", done.stdout, re.M)}

    def compare(self):
        """Every row that was promised before this call is there now; how many that were, or None where nobody answers."""
        with self.lock:
            kept, fresh = set(self.kept), set(self.fresh)
        seen = self.look()
        if not seen:
            return None
        release, rows = seen
        promised = kept | fresh if release.startswith(self.new) else kept
        if release.startswith(self.new):
            with self.lock:
                self.forget_between()
                promised &= self.kept | self.fresh
        missing = promised - rows
        check(not missing, f"{self.server}: {len(missing)} of {len(promised)} rows that were acknowledged are not in {release}: "
                           f"{sorted(missing)[:5]}")
        return len(promised)
