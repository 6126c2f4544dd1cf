"""Servers of Debian that nobody here wrote accept at a kept socket: early clients are served, true addresses are seen, and
nobody is refused or reset while one of them is stopped and started again."""

import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

from container import Failed, wait_until
from harness import check, equal
from roots import bootstrap, build_directory, host_suite, run, say

PORT = 5555
PACKAGES = ["redis-server", "memcached", "pgbouncer", "nginx-light", "postgresql", "redis-tools"]
NGINX = """pid /tmp/nginx.pid; worker_processes 2; error_log /tmp/nginx.log;
events { multi_accept on; }
http { access_log off;
    server { listen %d; listen [::]:%d; location / { return 200 "$remote_addr $remote_port\n"; } } }
""" % (PORT, PORT)
PGBOUNCER = """[databases]
[pgbouncer]
listen_addr = *
listen_port = %d
unix_socket_dir =
auth_type = any
admin_users = postgres
pidfile = /tmp/pgbouncer.pid
""" % PORT


class Server:
    """How a server is started, asked and stopped. `ask` gives the client's address as the server sees it."""
    user = "nobody"
    setup = None
    files = {}
    stop = signal.SIGTERM


class Redis(Server):
    command = ["redis-server", "--port", PORT, "--bind", "*", "-::*", "--protected-mode", "no", "--save", "", "--dir", "/tmp"]
    question, address = b"CLIENT LIST\r\n", rb"addr=([\d.]+):(\d+)"


class RedisDaemon(Redis):
    command = [*Redis.command, "--daemonize", "yes", "--pidfile", "/tmp/redis.pid"]
    pidfile = "tmp/redis.pid"


class Memcached(Server):
    command = ["memcached", "-p", PORT, "-U", "0", "-t", "4"]
    question, address = b"stats conns\r\n", rb"addr tcp6?:\[?([\d.]+)\]?:(\d+)"


class Nginx(Server):
    user = "root"
    files = {"tmp/nginx.conf": NGINX}
    command = ["/usr/sbin/nginx", "-c", "/tmp/nginx.conf", "-g", "daemon off;"]
    question, address = b"GET / HTTP/1.0\r\n\r\n", rb"\r\n\r\n([\d.]+) (\d+)"
    stop = signal.SIGQUIT


class PgBouncer(Server):
    user = "postgres"
    files = {"tmp/pgbouncer.ini": PGBOUNCER}
    command = ["/usr/sbin/pgbouncer", "/tmp/pgbouncer.ini"]
    psql = ["-d", "pgbouncer", "-c", "show clients"]
    stop = signal.SIGINT


class PostgreSQL(Server):
    user = "postgres"
    setup = "/usr/lib/postgresql/*/bin/initdb -A trust /tmp/pg >/dev/null && echo host all all all trust >>/tmp/pg/pg_hba.conf"
    command = ["sh", "-c", f"exec /usr/lib/postgresql/*/bin/postgres -D /tmp/pg -p {PORT} -h '*' -k /tmp"]
    psql = ["-d", "postgres", "-c", "select host(inet_client_addr()), inet_client_port()"]


class Place:
    """A Debian root with the servers, a network of its own, and a keeper outside."""

    def __init__(self):
        self.root = bootstrap("servers", PACKAGES, host_suite())
        if ctypes.CDLL(None).unshare(0x40000000) != 0:  # CLONE_NEWNET
            raise Failed("cannot have a network of its own")
        run("ip", "link", "set", "lo", "up")
        for what, where in (("tmpfs", "tmp"), ("proc", "proc"), ("tmpfs", "run")):
            run("mount", "-t", what, what, self.root / where)
        run("mount", "--bind", "/dev", self.root / "dev")
        (self.root / "tmp").chmod(0o1777)
        shutil.copy(build_directory() / "port/shim/libtimesten-port.so", self.root / "tmp/port.so")
        self.users = {line.split(":")[0]: line.split(":") for line in (self.root / "etc/passwd").read_text().splitlines()}
        self.public = socket.socket(socket.AF_INET6)
        self.public.bind(("::", PORT))
        self.public.listen(128)
        self.path = self.root / "tmp/control"
        self.control = socket.socket(socket.AF_UNIX)
        self.control.bind(str(self.path))
        self.path.chmod(0o666)
        self.control.listen(16)
        self.keeper = None

    def keep_for(self, user):
        """A keeper as systemd would start it."""
        def descriptors():
            public, control = os.dup(self.public.fileno()), os.dup(self.control.fileno())
            os.dup2(public, 3)
            os.dup2(control, 4)
        state = self.root / "tmp/keeper"
        shutil.rmtree(state, ignore_errors=True)
        self.keeper = subprocess.Popen(
            ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", build_directory() / "port/port-keeper", f"--root={state}", "tt"],
            env={"LISTEN_FDS": "2", "TIMESTEN_BACKEND": f"tt@{self.users[user][2]}", "PATH": os.environ["PATH"]},
            preexec_fn=descriptors, pass_fds=(3, 4), stderr=subprocess.DEVNULL)
        self.say("status")

    def end_keeper(self):
        self.keeper.terminate()
        self.keeper.wait()

    def say(self, line):
        with socket.socket(socket.AF_UNIX) as there:
            there.settimeout(30)
            there.connect(str(self.path))
            there.sendall(line.encode() + b"\n")
            answer = there.recv(4096).decode()
        check(answer.startswith("ok"), f"the keeper on {line}: {answer}")

    def inside(self, user, command, preload=True, **more):
        entry = self.users[user]

        def enter():
            os.chroot(self.root)
            os.chdir("/tmp")
            os.setgroups([])
            os.setgid(int(entry[3]))
            os.setuid(int(entry[2]))
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/tmp", "LC_ALL": "C.UTF-8"}
        if preload:
            env.update(LD_PRELOAD="/tmp/port.so", TIMESTEN_PORT_KEEPERS=f"{PORT}=/tmp/control", TIMESTEN_PORT_NAME="tt")
        return subprocess.Popen(list(map(str, command)), preexec_fn=enter, env=env, stdin=subprocess.DEVNULL, **more)


class Running:
    """A started server."""

    def __init__(self, place, kind):
        self.place, self.kind = place, kind
        self.pidfile = place.root / kind.pidfile if hasattr(kind, "pidfile") else None
        if self.pidfile:
            self.pidfile.unlink(missing_ok=True)
        self.process = place.inside(kind.user, kind.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        if not self.pidfile:
            self.process.send_signal(self.kind.stop)
            self.process.wait(60)
            return
        self.process.wait(60)
        wait_until(lambda: self.pidfile.exists() and self.pidfile.read_text().strip(), 30, "the daemon's pid")
        pid = int(self.pidfile.read_text())
        os.kill(pid, self.kind.stop)
        wait_until(lambda: not os.path.exists(f"/proc/{pid}") or "Z" in open(f"/proc/{pid}/stat").read().split()[2], 30,
                   "the daemon to end")


def ask(place, kind):
    """The client's own address and what the server says it is."""
    if hasattr(kind, "psql"):
        client = place.inside("postgres", ["psql", "-h", "127.0.0.1", "-p", PORT, "-U", "postgres", "-At", *kind.psql],
                              preload=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        out, error = client.communicate(timeout=60)
        if "starting up" in error:  # PostgreSQL binds first and reads its log then; that is its own way
            time.sleep(0.1)
            ask(place, kind)
            return
        check(client.returncode == 0, f"psql: {error}")
        check("127.0.0.1" in out and "::" not in out, f"the server does not see its client at 127.0.0.1: {out}")
        return
    with socket.create_connection(("127.0.0.1", PORT), 60) as client:
        client.sendall(kind.question)
        seen, answer = [], b""
        own = client.getsockname()
        while (own[0].encode(), str(own[1]).encode()) not in seen:
            more = client.recv(65536)
            answer += more
            seen = re.findall(kind.address, answer)
            check(more or (own[0].encode(), str(own[1]).encode()) in seen, f"the client is {own}, the server says {answer}")


def sessions():
    """Connections that the server has or is getting."""
    return run("ss", "-Htn", "state", "established", "state", "syn-recv", "state", "close-wait", "sport", "=", f":{PORT}").strip()


def serves(place, kind):
    if kind.setup:
        setup = place.inside(kind.user, ["sh", "-c", kind.setup], preload=False, stderr=subprocess.PIPE, text=True)
        _, error = setup.communicate(timeout=120)
        check(setup.returncode == 0, f"{kind.__name__}: {error}")
    for name, text in kind.files.items():
        (place.root / name).write_text(text)
    troubles, asked, ending = [], 0, threading.Event()

    def client():
        nonlocal asked
        while not ending.is_set() and not troubles:
            try:
                ask(place, kind)
                asked += 1
            except (OSError, Failed, subprocess.SubprocessError) as trouble:
                troubles.append(trouble)
            time.sleep(0.02)

    place.keep_for(kind.user)
    clients = [threading.Thread(target=client) for _ in range(2)]
    for one in clients:
        one.start()  # before the server is there
    time.sleep(0.3)
    running = Running(place, kind)
    for _ in range(2):
        before = asked
        wait_until(lambda: troubles or asked >= before + 10, 60, f"{kind.__name__} to serve")
        place.say("hold 60000000")
        # Whoever was let in has his answer now; the others' first packets are dropped.
        wait_until(lambda: not sessions(), 60, f"the sessions of {kind.__name__} to end")
        running.stop()
        place.say("cut")
        place.say("open")
        running = Running(place, kind)
    before = asked
    wait_until(lambda: troubles or asked >= before + 5, 60, f"{kind.__name__} to serve again")
    ending.set()
    for one in clients:
        one.join()
    running.stop()
    place.end_keeper()
    equal(troubles, [], f"troubles of clients of {kind.__name__}")
    say(f"  {kind.__name__}: {asked} connects over two restarts, none refused, reset or seen wrongly")


def stranger_is_kept_out(place):
    """Without the library the port is simply taken: the proof that nothing above listened by itself."""
    place.keep_for("nobody")
    plain = place.inside("nobody", Redis.command, preload=False, stdout=subprocess.PIPE, text=True)
    out, _ = plain.communicate(timeout=30)
    check("Address already in use" in out, f"redis-server without the library: {out}")
    place.end_keeper()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(124))
    place = Place()
    stranger_is_kept_out(place)
    for kind in (Redis, RedisDaemon, Memcached, Nginx, PgBouncer, PostgreSQL):
        serves(place, kind)
    say("ok unmodified-servers-take-the-port")


if __name__ == "__main__":
    try:
        main()
    except Failed as failure:
        say(f"FAILED unmodified-servers-take-the-port: {failure}")
        os._exit(1)
    os._exit(0)
