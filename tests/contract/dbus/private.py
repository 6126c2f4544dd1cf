"""A bus of our own with the daemon on it, files of our own below it, and polkit and systemd as the test
wants them. Everything that is started here ends with the test."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))  # rawbus

NAME = "org.timesten.Upgrade1"
ROOT = "/org/timesten/Upgrade1"
ERROR = f"{NAME}.Error."
NOBODY = 65534

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={directory}/bus</listen>
  <auth>EXTERNAL</auth>
  <servicedir>{directory}/services</servicedir>
  <policy context="default">
    <allow user="*"/><allow own="*"/>
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/>
  </policy>
</busconfig>
"""

FILES = {
    "etc/timesten-upgrade/instances.d/tt60.conf": "[Instance]\nHome=/opt/tt60\nAdmin=root\n",
    "etc/timesten-upgrade/instances.d/tt70.conf": "[Instance]\nHome=/opt/tt70\nAdmin=root\nRelease=7.0.6\n",
    "etc/timesten-upgrade/servers.d/main.conf": "[Server]\nListen=16002\nDatabases=orders\nInstance=tt60\n",
}

DAEMON, FAKE = sys.argv[1:3]


class BusError(Exception):
    def __init__(self, name, message):
        super().__init__(f"{name}: {message}")
        self.name, self.message = name, message
        self.nick = name.rsplit(".", 1)[-1]


def plain(value):
    if isinstance(value, dict) and set(value) == {"type", "data"}:
        return plain(value["data"])
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value


class Private:
    """files: path below the root → text; None leaves one of FILES out."""

    def __init__(self, files=None, fake=True, idle="infinity", start=True):
        self.processes = []
        self.directory = tempfile.mkdtemp(prefix="tu-contract-")
        os.chmod(self.directory, 0o755)
        self.root = f"{self.directory}/root"
        for name, text in {**FILES, **(files or {})}.items():
            if text is not None:
                self.write(name, text)
        for name in ("var/lib/timesten-upgrade/jobs", "var/lib/timesten-upgrade/servers", "run/timesten-upgrade"):
            os.makedirs(f"{self.root}/{name}", exist_ok=True)
        self.address = f"unix:path={self.directory}/bus"
        self.environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": self.address, "SYSTEMD_LOG_LEVEL": "debug"}
        self.daemon_words = [DAEMON, f"--root={self.root}", f"--idle={idle}"]
        try:
            self.run_bus()
            if fake:
                self.start(FAKE, self.root)
                self.wait_name("org.timesten.Fake")
                self.fake("Set", "ss", "timesten-server@main.socket", "active")
            if start:
                self.start_daemon()
        except BaseException:
            self.close()
            raise

    def run_bus(self):
        os.mkdir(f"{self.directory}/services")
        with open(f"{self.directory}/services/{NAME}.service", "w") as file:
            file.write(f"[D-BUS Service]\nName={NAME}\nExec={' '.join(self.daemon_words)}\n")
        with open(f"{self.directory}/bus.conf", "w") as file:
            file.write(BUS.format(directory=self.directory))
        self.start("dbus-daemon", "--nofork", f"--config-file={self.directory}/bus.conf")
        # Not only its socket: between bind() and listen() whoever connects is refused.
        self.wait(lambda: self.busctl("call", "org.freedesktop.DBus", "/", "org.freedesktop.DBus", "GetId").returncode == 0,
                  "the bus")
        os.chmod(f"{self.directory}/bus", 0o666)

    def start(self, *words):
        with open(f"{self.directory}/log", "a") as log:
            self.processes.append(subprocess.Popen(words, env=self.environment, stdin=subprocess.DEVNULL, stdout=log,
                                                   stderr=log))
        return self.processes[-1]

    def start_daemon(self):
        self.daemon = self.start(*self.daemon_words)
        self.wait_name(NAME)

    def stop_daemon(self):
        self.daemon.terminate()
        return self.daemon.wait(10)

    def close(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.terminate()
                process.wait(10)
            if process.stdout:
                process.stdout.close()
        with open(f"{self.directory}/log", errors="replace") as file:
            log = file.read()
        shutil.rmtree(self.directory)
        problems = [line for line in log.splitlines() if "Sanitizer" in line or "runtime error" in line or "ASSERT" in line]
        if problems:
            raise AssertionError(log)
        return log

    def log(self):
        with open(f"{self.directory}/log", errors="replace") as file:
            return file.read()

    def write(self, name, text):
        path = f"{self.root}/{name}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + "~new", "w") as file:
            file.write(text)
        os.rename(path + "~new", path)

    def remove(self, name):
        os.unlink(f"{self.root}/{name}")

    # --- calls

    def busctl(self, *words, user=None, timeout=30):
        return subprocess.run(["busctl", f"--address={self.address}", "--json=short", f"--timeout={timeout}",
                               *map(str, words)], env=self.environment, capture_output=True, text=True, user=user,
                              group=user, extra_groups=[] if user is not None else None, timeout=timeout + 20)

    def call(self, path, interface, method, signature="", *words, name=NAME, **more):
        done = self.busctl("call", name, path, interface, method, *([signature, *words] if signature else []), **more)
        if done.returncode == 0:
            return plain(json.loads(done.stdout)["data"]) if done.stdout.strip() else []
        told = re.findall(r"Got message type=error .* error-name=(\S+) error-message=(.*)", done.stderr)
        if told:
            raise BusError(*told[-1])
        raise AssertionError(done.stderr[-2000:])

    def manager(self, method, *words, **more):
        return self.call(ROOT, f"{NAME}.Manager", method, *words, **more)

    def server(self, method, *words, server="main", **more):
        return self.call(f"{ROOT}/server/{server}", f"{NAME}.Server", method, *words, **more)

    def job(self, job, method, *words, **more):
        return self.call(f"{ROOT}/job/{job}", f"{NAME}.Job", method, *words, **more)

    def fake(self, method, *words):
        return self.call("/", "org.timesten.Fake", method, *words, name="org.timesten.Fake")

    def set(self, what, value):
        self.fake("Set", "ss", what, value)

    def asked(self):
        return self.fake("Asked")[0]

    def get(self, kind, name, key):
        return self.call(f"{ROOT}/{kind}/{name}", "org.freedesktop.DBus.Properties", "Get", "ss",
                         f"{NAME}.{kind.capitalize()}", key)[0]

    def background(self, function):
        """Calls FUNCTION in a thread; result() waits and gives its value or its BusError."""
        box = {}

        def run():
            try:
                box["value"] = function()
            except BusError as error:
                box["error"] = error

        thread = threading.Thread(target=run)
        thread.start()

        def result():
            thread.join(60)
            if "error" in box:
                raise box["error"]
            return box["value"]

        result.pending = thread.is_alive
        return result

    def follow(self):
        """Everything that the daemon says on the bus from now on."""
        process = subprocess.Popen(["busctl", f"--address={self.address}", "--json=short", "monitor", NAME],
                                   env={**self.environment, "SYSTEMD_LOG_LEVEL": "warning"}, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, text=True)
        self.processes.append(process)
        said = []

        def read():
            for line in process.stdout:
                message = json.loads(line)
                if message.get("type") == "signal":
                    said.append((message["path"], message["member"], plain(message.get("payload", {}).get("data"))))

        threading.Thread(target=read, daemon=True).start()
        time.sleep(0.5)  # busctl does not tell when it has begun to listen
        return said

    # --- waiting

    def wait(self, condition, what, seconds=10):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            time.sleep(0.02)
        raise AssertionError(f"{what}: not within {seconds} s\n{self.log() if os.path.exists(self.directory + '/log') else ''}")

    def wait_name(self, name):
        def there():
            done = self.busctl("call", "org.freedesktop.DBus", "/", "org.freedesktop.DBus", "NameHasOwner", "s", name)
            return done.returncode == 0 and json.loads(done.stdout)["data"][0]
        self.wait(there, f"{name} on the bus")

    def wait_get(self, kind, name, key, value, seconds=10):
        self.wait(lambda: self.get(kind, name, key) == value, f"{key} of {kind} {name} is {value}", seconds)


class PrivateTest(unittest.TestCase):
    files = None

    def setUp(self):
        self.bus = Private(self.files)
        self.addCleanup(self.bus.close)

    def refused(self, nick, function, *words, **more):
        with self.assertRaises(BusError) as caught:
            function(*words, **more)
        self.assertEqual(caught.exception.name, ERROR + nick, caught.exception.message)
        return caught.exception.message


def main():
    del sys.argv[1:3]
    unittest.main(verbosity=2)
