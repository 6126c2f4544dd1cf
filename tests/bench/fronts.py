"""What can stand before the benchmark's server, each started as in real life, and the network they live in."""

import os
import platform
import resource
import signal
import socket
import subprocess
import time
from functools import partial
from pathlib import Path

BUILD = Path(os.environ["TU_BUILD"]).resolve()
LOAD = BUILD / "tests/bench/load"
SHIM = BUILD / "port/shim/libtimesten-port.so"
HOST, BACKEND = "127.0.0.1", 7000

HAPROXY = """
global
    maxconn {half}
    stats socket {socket} level admin
defaults
    mode tcp
    maxconn {half}
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    option redispatch
listen front
    bind {host}:{port} backlog 65535
    server one {host}:{backend}
    server two {host}:{second} disabled
"""


def listening(port):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((HOST, port))
    sock.listen(65535)
    return sock


def activated(sockets, argv, log=None, **environment):
    """Starts ARGV with SOCKETS as systemd would; what it says goes into the file LOG."""
    def place():
        for offset, sock in enumerate(sockets):
            os.dup2(sock.fileno(), 100 + offset)
        for offset in range(len(sockets)):
            os.dup2(100 + offset, 3 + offset)
            os.close(100 + offset)
    shell = ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", *map(str, argv)]
    return subprocess.Popen(shell, env={**os.environ, "LISTEN_FDS": str(len(sockets)), **environment},
                            stdout=subprocess.PIPE, stderr=log, preexec_fn=place, close_fds=False,
                            restore_signals=False)  # systemd has SIGPIPE ignored; socket-proxyd dies of it otherwise


def serve(port, **environment):
    """The server itself, which listens when this returns."""
    server = subprocess.Popen([LOAD, "serve", HOST, str(port)], stdout=subprocess.PIPE, env={**os.environ, **environment})
    if server.stdout.readline() != b"ready\n":
        raise SystemExit(f"no server starts at port {port}")
    return server


def stop(server):
    """As `systemctl stop` does with a server that ends well."""
    server.send_signal(signal.SIGTERM)
    server.wait()


def direct(port, scratch):
    return None


def restarted(port, scratch):
    """Nothing before it either: the server, restarted once. What differs from direct is chance."""
    stop(serve(port))
    server = serve(port)
    server.server = server
    return server


def relay(port, scratch, keeper=BUILD / "port/port-keeper", backend=f"{HOST}:{BACKEND}"):
    root = scratch / f"keeper-{port}"
    control_path = root / "run/timesten-upgrade/control/bench"
    control_path.parent.mkdir(parents=True)
    control = socket.socket(socket.AF_UNIX)
    control.bind(str(control_path))
    control.listen()
    with open(root / "log", "w") as log:
        process = activated([listening(port), control], [keeper, f"--root={root}", "bench"], log=log, TIMESTEN_BACKEND=backend)
    process.control = control_path
    return process


def say(keeper, command):
    """An order to a keeper that must succeed; its status."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(str(keeper.control))
        sock.sendall(command.encode() + b"\n")
        answer = sock.makefile().readline().split()
    if answer[0] != "ok":
        raise SystemExit(f"{command}: {answer}")
    return dict(word.split("=", 1) for word in answer[1:])


def serve_preloaded(port, keeper):
    """The server at the keeper's socket, which it believes to bind itself."""
    return serve(port, LD_PRELOAD=str(SHIM), TIMESTEN_PORT_KEEPERS=f"{port}={keeper.control}", TIMESTEN_PORT_NAME="bench")


def inherit(port, scratch):
    keeper = relay(port, scratch, backend="bench@root")
    keeper.server = serve_preloaded(port, keeper)
    return keeper


def haproxy(port, scratch, backend=BACKEND, second=BACKEND + 1):
    half = resource.getrlimit(resource.RLIMIT_NOFILE)[1] // 2 - 100
    path = scratch / f"haproxy-{port}.cfg"
    admin = scratch / f"haproxy-{port}"
    path.write_text(HAPROXY.format(half=half, host=HOST, port=port, backend=backend, second=second, socket=admin))
    process = subprocess.Popen(["haproxy", "-db", "-q", "-f", str(path)])
    process.control = admin
    return process


def proxyd(port, scratch):
    return activated([listening(port)], ["/lib/systemd/systemd-socket-proxyd", "--connections-max=100000",
                                         f"{HOST}:{BACKEND}"])


FRONTS = {"direct": direct, "restarted": restarted, "inherit": inherit, "relay": relay, "haproxy": haproxy,
          "socket-proxyd": proxyd}
for path in filter(None, os.environ.get("TU_OTHER_KEEPERS", "").split(":")):  # older builds beside the new one
    FRONTS[Path(path).name] = partial(relay, keeper=path)


def server_of(process, server):
    """The process that serves behind (or is) this front; SERVER is the one that most fronts have behind them."""
    return getattr(process, "server", server)


def end(process):
    for one in filter(None, (process, getattr(process, "server", None))):
        one.kill()
        one.wait()


def wait_for(port):
    end_of_patience = time.monotonic() + 10
    while True:
        try:
            with socket.create_connection((HOST, port), 1) as sock:
                sock.sendall(b"x")
                if sock.recv(1):
                    return
        except OSError:
            pass
        if time.monotonic() > end_of_patience:
            raise SystemExit(f"nothing answers at port {port}")
        time.sleep(0.02)


def come_first():
    """Other load on the machine is left a small part of the processors while this runs. The share is that of the session."""
    try:
        os.nice(-20)
        Path("/proc/self/autogroup").write_text("-20")
    except OSError:
        pass  # not root, or a kernel without groups of sessions


def prepare():
    """The network of this run, which is its own, and as many descriptors as there may be."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for key, value in (("ipv4.ip_local_port_range", "10000 65535"), ("ipv4.tcp_tw_reuse", "1"), ("core.somaxconn", "65535"),
                       # Where bbr is the default its pacing would be measured. A network of its own may only have reno.
                       ("ipv4.tcp_congestion_control", "reno")):
        Path("/proc/sys/net", key.replace(".", "/")).write_text(value)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for limit in (max(hard, 210_000), hard):  # root may raise it, but not everywhere
        try:
            return resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        except (OSError, ValueError):
            pass


def machine():
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), "unknown processor")
    return f"{os.cpu_count()} × {model}, Linux {platform.release()}"
