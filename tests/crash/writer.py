"""Clients that tell each row the moment it is acknowledged, so that what was promised is known however the machine ends.

    writer.py RELEASE PORT DSN SEQ[,SEQ…]    a client for each SEQ writes (ID, SEQ + 1), (ID, SEQ + 2), … until SIGTERM
    writer.py RELEASE PORT DSN               prints the release that answers and every row there is

RELEASE is their own.

It lives outside of the machine and only borrows its network: a power cut does not take its words with it. Lines of the
first form: "ack ID SEQ RELEASE TIME", "again" (the row was there already), or "refused|reset|silent|cut|error ID TIME WORDS".
"""

import random
import signal
import socket
import sys
import threading
import time
import urllib.parse

PATIENCE = 25
UNIQUE = "907"
TABLE = "create table promised (ID integer not null, SEQ integer not null, primary key (ID, SEQ))"  # as in ledger.py

over = threading.Event()
own_release = sys.argv[1]
tongue = threading.Lock()


def tell(*words):
    with tongue:
        print(*words, flush=True)


class Session:
    """One connection; OSError where it breaks, ConnectionError without an answer."""

    def __init__(self, port, dsn):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.lines = self.socket.makefile("r", errors="replace")
        answer = self.ask(f"CONNECT release={own_release} dsn={dsn} pid=1 name=writer")
        if not answer.startswith("OK "):
            self.close()
            raise ConnectionError(f"rejected: {urllib.parse.unquote(answer)}")
        self.release = answer.split("release=")[1].split()[0]

    def ask(self, line):
        self.socket.sendall(f"{line}\n".encode())
        return self.line()

    def line(self):
        line = self.lines.readline()
        if not line.endswith("\n"):
            raise ConnectionResetError("no answer")
        return line.strip()

    def sql(self, text):
        return self.ask("SQL " + urllib.parse.quote(text, safe="/:,;()*"))

    def close(self):
        self.socket.close()


def kind_of(error):
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, TimeoutError):
        return "silent"
    return "error" if str(error).startswith("rejected") else "reset"


class Writer(threading.Thread):
    def __init__(self, number, seq, port, dsn):
        super().__init__()
        self.number, self.seq, self.port, self.dsn = number, seq, port, dsn
        self.random = random.Random(number)

    def run(self):
        while not over.is_set():
            began = time.monotonic()
            try:
                session = Session(self.port, self.dsn)
            except OSError as error:
                tell(kind_of(error), self.number, began, error)
                over.wait(0.1)
                continue
            try:
                self.use(session)
            except OSError as error:
                tell("silent" if isinstance(error, TimeoutError) else "cut", self.number, time.monotonic(), error)
            session.close()

    def use(self, session):
        session.sql(TABLE)
        for _ in range(self.random.randrange(5, 25)):
            if over.is_set():
                return
            answer = session.sql(f"insert into promised values ({self.number}, {self.seq + 1})")
            there = answer.startswith("ERR") and f"number={UNIQUE} " in answer
            if not there and not answer.startswith("OK"):
                tell("error", self.number, time.monotonic(), urllib.parse.unquote(answer))
                over.wait(0.1)
                return
            self.seq += 1
            tell("again" if there else "ack", self.number, self.seq, session.release, time.monotonic())
            over.wait(0.02)


def show(port, dsn):
    session = Session(port, dsn)
    print("release", session.release)
    answer = session.sql("select ID, SEQ from promised")
    while answer.startswith("ROW"):
        print(answer)
        answer = session.line()
    print(answer)


def main():
    port, dsn = int(sys.argv[2]), sys.argv[3]
    if len(sys.argv) == 4:
        return show(port, dsn)
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    writers = [Writer(number, int(seq), port, dsn) for number, seq in enumerate(sys.argv[4].split(","), 1)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()


main()
