"""What clients see of a switch: the old server stops, the new one starts, and clients connect without a pause.

Each client connects, asks, is answered, closes and begins again, 50 at once. The server is trivial and stops well: it ends
the sessions it has and takes no more. So a way shows only what it adds itself.
"""

import json
import socket
import statistics
import subprocess
import time

from fronts import HOST, LOAD, activated, end, haproxy, listening, relay, say, serve, serve_preloaded, stop, wait_for

CLIENTS = 50


class Restart:
    """systemctl restart: the server has its port itself."""
    name = "restart"
    pause = 0.1  # seconds between two switches

    def __init__(self, port, scratch):
        self.port = port
        self.server = serve(port)

    def switch(self):
        stop(self.server)
        self.server = serve(self.port)

    def end(self):
        end(self.server)


class Activation(Restart):
    """A systemd socket, and nothing else: the next server finds the queue of the one before."""
    name = "socket activation"

    def __init__(self, port, scratch):
        self.sock = listening(port)
        self.server = self.start()

    def start(self):
        server = activated([self.sock], [LOAD, "serve", HOST, "0"])
        server.stdout.readline()
        return server

    def switch(self):
        stop(self.server)
        self.server = self.start()


class Fronted:
    """Two servers that take turns behind something that stays."""
    pause = 0.1

    def __init__(self, port, scratch):
        self.ports = [port + 1, port + 2]
        self.server = serve(self.ports[0])
        self.front = self.begin(port, scratch)
        self.now = 0

    def switch(self):
        old, self.now = self.now, 1 - self.now
        self.leave(old)
        stop(self.server)
        self.server = serve(self.ports[self.now])
        self.enter(self.now)

    def end(self):
        end(self.front)
        end(self.server)


class Haproxy(Fronted):
    """HAProxy with a backend switch. The two servers must not run at once, as two releases of one database must not."""
    name = "HAProxy"
    servers = ("one", "two")

    def begin(self, port, scratch):
        return haproxy(port, scratch, *self.ports)

    def admin(self, words):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(self.front.control))
            sock.sendall(words.encode() + b"\n")
            while sock.recv(4096):
                pass

    def leave(self, number):
        self.admin(f"disable server front/{self.servers[number]}")

    def enter(self, number):
        self.admin(f"enable server front/{self.servers[number]}")


class Relay(Fronted):
    """Ours, as an upgrade does it: hold and drain, switch, open."""
    name = "ours, relay"

    def begin(self, port, scratch):
        return relay(port, scratch, backend=f"{HOST}:{self.ports[0]}")

    def leave(self, number):
        say(self.front, "drain 10000000 60000000")
        while say(self.front, "status")["state"] != "hold":
            time.sleep(0.001)

    def enter(self, number):
        say(self.front, f"open {HOST}:{self.ports[number]}")


class Inherit:
    """Ours with Mode=inherit: the server has the socket while it runs."""
    name = "ours, inherit"
    pause = 0.5  # a client that met the closed door tries again after a second

    def __init__(self, port, scratch):
        self.port = port
        self.keeper = relay(port, scratch, backend="bench@root")
        self.server = serve_preloaded(port, self.keeper)

    def switch(self):
        say(self.keeper, "drain 10000000 60000000")
        stop(self.server)
        say(self.keeper, "cut")  # the old one is gone: who comes now may queue
        say(self.keeper, "open")
        self.server = serve_preloaded(self.port, self.keeper)

    def end(self):
        end(self.keeper)
        end(self.server)


WAYS = (Restart, Activation, Haproxy, Relay, Inherit)


SLICE = 10  # seconds of one run of the clients


def run_slice(subject, port, wanted, pause, took):
    """One run of the clients and the switches meanwhile; its figures."""
    clients = subprocess.Popen([LOAD, "connects", HOST, str(port), str(CLIENTS), str(SLICE)], stdout=subprocess.PIPE, text=True)
    clients.stdout.readline()
    while clients.poll() is None and len(took) < wanted:
        time.sleep(pause)
        since = time.monotonic()
        subject.switch()
        took.append((time.monotonic() - since) * 1e3)
    time.sleep(pause)
    clients.terminate()
    return json.loads(clients.communicate(timeout=120)[0])


def measure(way, port, scratch, limit, switches, connects=0):
    """So many switches at least, and so many connects; or as many as the LIMIT (s) allows."""
    subject = way(port, scratch)
    took, slices, began = [], [], time.monotonic()
    total = lambda key: sum(figures[key] for figures in slices)  # noqa: E731
    try:
        wait_for(port)
        while (len(took) < switches or total("count") < connects) and time.monotonic() - began < limit:
            slices.append(run_slice(subject, port, 10**9 if connects else switches, way.pause, took))
    finally:
        subject.end()
    return {"switches": len(took), "connects": total("count") + total("refused") + total("reset"), "refused": total("refused"),
            "reset": total("reset"), "otherwise": total("broken"), "longest_ms": max(figures["longest_ms"] for figures in slices),
            "switch_ms": round(statistics.median(took), 1)}


def measure_all(wanted, scratch, log):
    found = {}
    for number, way in enumerate(WAYS):
        if wanted.ways and not any(word in way.name for word in wanted.ways.split(",")):
            continue
        long = wanted.long and way in (Relay, Inherit)
        found[way.name] = measure(way, 9000 + 10 * number, scratch, wanted.limit, *((500, 1_000_000) if long else (wanted.switches,)))
        log(f"switch: {way.name}")
    return found


def show(table):
    print(f"\nacross a switch: {CLIENTS} clients that connect without a pause")
    heads = ("switches", "connects", "refused", "reset", "otherwise", "longest_ms", "switch_ms")
    print(f"{'':<22}" + "".join(f"{head.replace('_ms', ', ms'):>13}" for head in heads))
    for name, row in table.items():
        print(f"{name:<22}" + "".join(f"{row[head]:>13,}" for head in heads))
