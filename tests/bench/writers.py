"""Writers at a port: rows one after the other, each in a session that begins anew when it is cut, until SIGTERM.

    writers HOST PORT DSN RELEASE COUNT

Prints "ready" when each has written, and at the end one object: what each has acknowledged, how the connects went, and the
longest time in which none of them had a row acknowledged. The protocol is that of the stand-in (tests/standin/README.md).
"""

import json
import signal
import socket
import sys
import threading
import time
from urllib.parse import quote, unquote

TABLE = "outage"
PATIENCE = 120  # seconds for one answer; who waits behind a held port waits so long


class Cut(Exception):
    """The session is over; whether the statement counted is not known."""


class Writer(threading.Thread):
    def __init__(self, number, address, dsn, release):
        super().__init__(daemon=True)
        self.number, self.address, self.dsn, self.release = number, address, dsn, release
        self.acknowledged = 0
        self.times = []
        self.counts = dict.fromkeys(("connects", "refused", "reset", "rejected", "cut", "errors"), 0)
        self.over = threading.Event()
        self.session = None

    def run(self):
        while not self.over.is_set():
            try:
                self.session = self.session or self.connect()
                if self.session:
                    self.write()
            except Cut:
                self.counts["cut"] += 1
                self.session = None
        # The fate of a row that was under way is known, because write() came to its end.

    def connect(self):
        self.counts["connects"] += 1
        try:
            stream = socket.create_connection(self.address, PATIENCE).makefile("rw", newline="\n")
        except ConnectionRefusedError:
            self.counts["refused"] += 1
            time.sleep(0.01)
            return None
        try:
            answer = self.ask(stream, f"CONNECT release={self.release} dsn={self.dsn} pid=1 name=writer{self.number}")
        except Cut:
            self.counts["reset"] += 1
            return None
        if not answer[-1].startswith("OK"):
            self.counts["rejected"] += 1
            time.sleep(0.01)
            return None
        return stream

    def ask(self, stream, line):
        """Lines of the answer, the last of which is OK or ERR."""
        lines = []
        try:
            stream.write(line + "\n")
            stream.flush()
            while not lines or not lines[-1].startswith(("OK", "ERR")):
                lines.append(stream.readline())
                if not lines[-1].endswith("\n"):
                    raise Cut
        except OSError:
            raise Cut from None
        return lines

    def sql(self, statement):
        return self.ask(self.session, "SQL " + quote(statement))

    def write(self):
        row = self.acknowledged + 1
        answer = self.sql(f"insert into {TABLE} values ({self.number}, {row});")[-1]
        if not answer.startswith("OK"):
            # Perhaps the row is there, because the answer to its first try was lost.
            if not any(line.startswith("ROW 1") for line in
                       self.sql(f"select count(*) from {TABLE} where ID = {self.number} and SEQ = {row};")):
                self.counts["errors"] += 1
                self.error = unquote(answer)
                time.sleep(0.01)
                return
        self.acknowledged = row
        self.times.append(time.monotonic())


def longest_gap(writers):
    """Seconds between two rows of whomever, and when that was."""
    times = sorted(moment for writer in writers for moment in writer.times)
    return max(((after - before, before) for before, after in zip(times, times[1:])), default=(0, 0))


def main():
    host, port, dsn, release, count = sys.argv[1:]
    writers = [Writer(number, (host, int(port)), dsn, release) for number in range(1, int(count) + 1)]
    # Taken by sigwait() in this thread, by nobody else.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    for writer in writers:
        writer.start()
    while not all(writer.acknowledged for writer in writers):
        time.sleep(0.01)
    print("ready", flush=True)
    signal.sigwait([signal.SIGTERM])
    for writer in writers:
        writer.over.set()
    for writer in writers:
        writer.join()
    gap, at = longest_gap(writers)
    total = {key: sum(writer.counts[key] for writer in writers) for key in writers[0].counts}
    print(json.dumps({"acknowledged": {writer.number: writer.acknowledged for writer in writers}, **total,
                      "longest_gap": gap, "gap_at": at}))


main()
