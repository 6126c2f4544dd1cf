"""Mode=inherit: the TimesTen Server accepts at systemd's socket by itself. It sees its clients' addresses, a killed keeper costs
no session, and an upgrade refuses nobody and loses no row."""

import subprocess
import sys

from harness import PORT, check, equal, run, wait_until

HELLO = """import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 30, source_address=("127.0.0.7", 0))
s.sendall(b"HELLO\\n")
s.recv(1000)
print(s.getsockname()[1])"""


def hello(world):
    """A client from an address of its own; its port."""
    done = subprocess.run(["nsenter", "-t", str(world.pid), "-n", "--", sys.executable, "-c", HELLO, str(PORT)],
                          stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


def seen(world, instance, port):
    return f"127.0.0.7:{port}" in world.run("sh", "-c", f"cat /opt/TimesTen/{instance}/info/tt*.log", check=False).out


def test(world):
    world.expect("timesten-server@main.service: (Main process exited|Failed with result)")
    before = world.content("tt60", "orders")
    wait_until(lambda: "ttcserver" in world.listeners()[PORT], 30, "the TimesTen Server to have the socket")
    port = hello(world)
    wait_until(lambda: seen(world, "tt60", port), 20, "the address of a client to be seen by 6.0")
    world.start_clients(8)
    world.start_clients(2, reconnect_every=0)
    world.settle()
    # Eight come and go, two stay.
    wait_until(lambda: 2 <= world.bus.properties("Server", "main")["Sessions"] <= 10, 20, "the sessions to be told on the bus")
    keeper = world.unit("timesten-server@main.service", "MainPID")
    world.run("kill", "-9", keeper)
    world.settle()
    wait_until(lambda: world.unit("timesten-server@main.service", "MainPID") not in ("0", keeper), 20, "a new keeper")
    job = world.must_end(world.upgrade(), "done")
    equal(job["Progress"], 1.0, "the progress at the end")
    equal([line["MESSAGE"] for line in world.journal("_COMM=upgrade-job") if "started again" in line["MESSAGE"]], [],
          "what was found not to serve after the step that lets clients in")
    world.settle()
    port = hello(world)
    wait_until(lambda: seen(world, "tt70", port), 20, "the address of a client to be seen by 7.0")
    report = world.end_clients("tt70")
    wait_until(lambda: world.bus.properties("Server", "main")["Sessions"] == 0, 20, "the bus to tell of the end of all sessions")
    equal(report.cut, 2, "sessions that were cut: by the upgrade, and none by the keeper's death")
    check(report.written > 0, "the clients wrote nothing")
    equal(world.content("tt70", "orders"), before, "count and checksum of the rows written before")
    world.must_serve("tt70")


run(test, server_lines=["DrainSec=3", "Mode=inherit"])
