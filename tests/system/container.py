"""One booted Debian: real PID 1, real bus, real polkit, a cgroup tree and a network of its own.

A Container owns its layer and its nspawn process and kills nothing else. It is a context manager: whatever
happens in the test, the machine is powered off and its files are gone afterwards (TU_KEEP=1 keeps them).
"""

import contextlib
import ctypes
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import roots
from roots import say

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
               "HOME": "/root", "TERM": "dumb", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""}
SLOTS = int(os.environ.get("TU_SLOTS", "2"))


class Failed(AssertionError):
    """What a test wanted did not hold."""


def check(condition, what):
    if not condition:
        raise Failed(what)


def equal(got, wanted, what):
    if got != wanted:
        raise Failed(f"{what}: wanted {wanted!r}, got {got!r}")


def wait_until(condition, timeout=20, what=None, interval=0.05):
    """Waits until CONDITION() is true and returns what it gave; says WHAT it waited for when it never was."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failed(f"waited {timeout} s in vain for: {what or condition}")
        time.sleep(interval)


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Result:
    def __init__(self, command, done):
        self.command, self.status = command, done.returncode
        self.out, self.err = done.stdout, done.stderr

    def __repr__(self):
        return f"{self.command}: exit {self.status}\n{self.out}{self.err}"


class Container:
    def __init__(self, name, layers=None, suite=None):
        self.name = f"tu-{name[:40]}-{os.getpid()}"
        self.title = name
        self.hostname = "tu"
        self.slotless = False  # the second machine of a test: it would wait for a slot while the first one has its own
        self.suite = suite or roots.suite()
        self.layers = layers
        self.layer = None
        self.nspawn = None
        self.pid = None
        self.boots = 0
        self.processes = []
        self.nspawn_options = []

    # Life

    def __enter__(self):
        self.slot = None if self.slotless else self.take_slot()
        layers = self.layers or roots.prepared_layers(self.suite)
        place = roots.CACHE / "run" / self.name
        for left in place.parent.glob("tu-*"):
            # Of a test that was killed; its mounts went with it.
            if not Path(f"/proc/{left.name.rsplit('-', 1)[1]}").is_dir():
                shutil.rmtree(left, ignore_errors=True)
        self.layer = roots.Layer(place, layers)
        self.root = self.layer.root
        return self

    def __exit__(self, kind, error, trace):
        keep = os.environ.get("TU_KEEP") and error is not None
        with contextlib.suppress(Exception):
            if error is not None:
                self.save_logs()
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        self.cut_power()
        self.layer.close(remove=not keep)
        if keep:
            kept = self.layer.place.with_name(f"kept-{self.title}")
            shutil.rmtree(kept, ignore_errors=True)
            self.layer.place.rename(kept)
            say(f"# kept: {kept}/upper")
        if self.slot is not None:
            os.close(self.slot)

    @staticmethod
    def take_slot(patience=60):
        """About SLOTS machines at once, whoever starts them: more would only time out on a small host. After PATIENCE
        seconds it goes on all the same, because the waiting would count as the test's own time."""
        roots.CACHE.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + patience
        while True:
            for number in range(SLOTS):
                slot = os.open(roots.CACHE / f"slot-{number}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
                try:
                    fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return slot
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        say("# the host is busy with other machines")
                        return slot
                    os.close(slot)
            time.sleep(0.2)

    def boot(self, wait=True):
        assert self.nspawn is None
        self.boots += 1
        managed = Path("/run/systemd/system").is_dir()
        # Where no systemd runs, nobody gives the container a cgroup: two would share one tree, and stopping a
        # unit in one could kill the unit of the same name in the other.
        script = ("" if managed else
                  'for h in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do '
                  '[ -f $h/cgroup.procs ] || continue; mkdir -p $h/$1; echo $$ >$h/$1/cgroup.procs; done; ')
        script += ('name=$1 root=$2 host=$3; shift 3; exec systemd-nspawn -D "$root" --register=no --private-network -b '
                   '--machine="$name" --hostname="$host" --resolv-conf=off --timezone=off "$@"' + ("" if managed else " --keep-unit"))
        (self.root / "etc/hostname").write_text(f"{self.hostname}\n")
        self.console = open(self.layer.place / "console.log", "ab")
        self.nspawn = subprocess.Popen(["sh", "-c", script, "sh", self.name, str(self.root), self.hostname,
                                        *self.nspawn_options],
                                       stdin=subprocess.DEVNULL, stdout=self.console, stderr=self.console,
                                       preexec_fn=die_with_parent, start_new_session=True)
        self.pid = wait_until(self.find_init, 20, "PID 1 of the container")
        self.run("ip", "link", "set", "lo", "up")
        if wait:
            self.wait_running()
        return self

    def find_init(self):
        if self.nspawn.poll() is not None:
            raise Failed("systemd-nspawn ended: " + (self.layer.place / "console.log").read_text(errors="replace"))
        with contextlib.suppress(OSError):
            for child in Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children").read_text().split():
                if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                    return int(child)
        return None

    def wait_running(self, timeout=60):
        state = ""

        def settled():
            nonlocal state
            state = self.run("systemctl", "is-system-running", check=False).out.strip()
            return state in ("running", "degraded")
        wait_until(settled, timeout, "the boot to end", 0.1)
        if state != "running":
            raise Failed(f"the machine is {state}:\n{self.run('systemctl', '--failed', '--no-legend').out}")

    def alive(self):
        return self.nspawn is not None and self.nspawn.poll() is None

    def cut_power(self):
        """Every process ends at once, without a word; what was on the disk stays."""
        if self.nspawn is None:
            return
        if self.alive() and self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        try:
            self.nspawn.wait(20)
        except subprocess.TimeoutExpired:
            self.nspawn.kill()
            self.nspawn.wait()
        self.forget()

    def poweroff(self, timeout=90):
        """An orderly shutdown."""
        self.run("systemctl", "poweroff", "--no-block", check=False)
        try:
            self.nspawn.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failed(f"the shutdown took more than {timeout} s:\n{self.console_tail()}") from None
        self.forget()

    def reboot(self):
        self.poweroff()
        return self.boot()

    def forget(self):
        self.nspawn, self.pid = None, None
        self.console.close()
        for top in ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
            for folder, _, _ in os.walk(f"{top}/{self.name}", topdown=False):
                for _ in range(20):
                    try:
                        os.rmdir(folder)
                        break
                    except FileNotFoundError:
                        break
                    except OSError:
                        time.sleep(0.05)

    # Commands

    def command(self, words, user=None):
        words = list(map(str, words))
        if user:
            words = ["runuser", "-u", user, "--", *words]
        return ["nsenter", "-t", str(self.pid), "-a", "-r", "-w", "--", *words]

    def run(self, *words, user=None, check=True, timeout=60, input=None, env=None):
        """Runs a command inside; CHECK makes any exit but 0 a failure of the test."""
        try:
            done = subprocess.run(self.command(words, user), input=input, capture_output=True, text=True,
                                  errors="replace", timeout=timeout, env={**ENVIRONMENT, **(env or {})},
                                  **({} if input is not None else {"stdin": subprocess.DEVNULL}))
        except subprocess.TimeoutExpired as late:
            raise Failed(f"{' '.join(map(str, words))} took more than {timeout} s: "
                         f"{late.stdout or ''}{late.stderr or ''}") from None
        result = Result(" ".join(map(str, words)), done)
        if check and result.status != 0:
            raise Failed(repr(result))
        return result

    def shell(self, script, **more):
        return self.run("sh", "-c", script, **more)

    def popen(self, *words, user=None, **more):
        process = subprocess.Popen(self.command(words, user), stdin=subprocess.DEVNULL,
                                   env=ENVIRONMENT, **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                                                       "text": True, "errors": "replace", **more})
        self.processes.append(process)
        return process

    def write(self, path, text, mode=0o644):
        """Writes a file from outside; works before the boot too."""
        file = self.root / path.lstrip("/")
        if self.pid:
            file = Path(f"/proc/{self.pid}/root") / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def read(self, path):
        return (Path(f"/proc/{self.pid}/root") / path.lstrip("/")).read_text(errors="replace")

    # systemd

    def systemctl(self, *words, **more):
        return self.run("systemctl", *words, **more)

    def unit(self, name, prop="ActiveState"):
        return self.run("systemctl", "show", "-P", prop, name).out.strip()

    def journal(self, *words):
        """Lines of the journal, as dictionaries."""
        out = self.run("journalctl", "--no-pager", "-q", "-a", "-o", "json", *words).out
        lines = [json.loads(line) for line in out.splitlines() if line]
        for line in lines:
            if not isinstance(line.get("MESSAGE"), str):
                line["MESSAGE"] = bytes(line.get("MESSAGE") or []).decode(errors="replace")
        return lines

    def console_tail(self):
        return (self.layer.place / "console.log").read_text(errors="replace")[-3000:]

    def save_logs(self):
        """What a person needs after a failure: the journal, shown in part and kept whole."""
        place = Path(os.environ.get("TU_LOGS", roots.CACHE / "logs"))
        place.mkdir(parents=True, exist_ok=True)
        text = ""
        if self.alive():
            text = self.run("journalctl", "--no-pager", "-q", "-a", "-o", "short-precise", check=False).out
            text += self.run("systemctl", "list-units", "timesten*", "--all", "--no-pager", check=False).out
        (place / f"{self.title}.log").write_text(text + "\n" + self.console_tail())
        dull = re.compile(r"systemd\[1\]: (Starting|Started|Stopped|Stopping|Finished|Created|Reached|Listening|Queued)|"
                          r"Deactivated successfully|Startup finished")
        lines = [line for line in text.splitlines() if re.search("timesten|upgrade|port-keeper", line)
                 and not dull.search(line)]
        say(f"# the last of the journal (whole: {place / (self.title + '.log')}):")
        for line in lines[-25:]:
            say("#  ", line[:300])


class Reader(threading.Thread):
    """Collects the lines of a process that runs on."""

    def __init__(self, process, stream=None):
        super().__init__(daemon=True)
        self.process, self.lines = process, []
        self.stream = stream or process.stdout
        self.start()

    def run(self):
        for line in self.stream:
            self.lines.append((time.monotonic(), line.rstrip("\n")))

    def text(self):
        return "\n".join(line for _, line in self.lines)
