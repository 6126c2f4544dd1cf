"""A bus of its own with a service that plays the contract (mock.c), ttctl on it, and the tests that want them."""
import fcntl
import json
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import tempfile
import termios
import time



STEPS = ('check announce start-new-daemon hold drain stop-old-server quiesce export import verify '
         'start-new-server commit resume retire-old').split()

CONFIG = '''<busconfig>
  <type>custom</type>
  <listen>unix:path={directory}/bus</listen>
  <auth>EXTERNAL</auth>
  <servicedir>{directory}/services</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="false"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
    <allow user="*"/>
  </policy>
</busconfig>
'''


class Run:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def __repr__(self):
        return f'status {self.status}\n--- out\n{self.out}\n--- err\n{self.err}'

    def expect(self, status):
        assert self.status == status, f'{status} expected: {self!r}'
        return self


class Bus:
    """A private bus on which the mock is activated, as the real service is."""

    def __init__(self, tools, script, installed=True):
        self.ttctl, self.mock, self.errors = tools
        self.directory = tempfile.mkdtemp(prefix='ttctl-test-')
        os.mkdir(self.path('services'))
        self.write('config', CONFIG.format(directory=self.directory))
        self.write('script', '[Mock]\n' + ''.join(f'{k}={v}\n' for k, v in script.items()))
        if installed:
            self.write('services/org.timesten.Upgrade1.service',
                       '[D-BUS Service]\nName=org.timesten.Upgrade1\n'
                       f'Exec={self.mock} {self.directory}\n')
        self.environment = dict(os.environ, LC_ALL='C.UTF-8', TERM='xterm',
                                DBUS_SYSTEM_BUS_ADDRESS=f'unix:path={self.directory}/bus')
        for name in ('NO_COLOR', 'PAGER', 'COLUMNS', 'LESS'):
            self.environment.pop(name, None)
        self.daemon = subprocess.Popen(
            ['dbus-daemon', f'--config-file={self.path("config")}', '--nofork', '--print-address'],
            env=self.environment, stdout=subprocess.PIPE, text=True)
        assert self.daemon.stdout.readline(), 'dbus-daemon does not start'

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text):
        with open(self.path(name), 'w', encoding='utf-8') as file:
            file.write(text)

    def calls(self):
        try:
            with open(self.path('calls'), encoding='utf-8') as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def run(self, *words, **environment):
        done = subprocess.run([self.ttctl, *words], env=dict(self.environment, **environment),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        return Run(done.returncode, done.stdout, done.stderr)

    def begin(self, *words):
        return subprocess.Popen([self.ttctl, *words], env=self.environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def json(self, *words, status=0):
        text = self.run(*words, '--json=short').expect(status).out
        assert text.count('\n') == 1, f'short JSON is one line: {text!r}'
        value = json.loads(text)
        assert value == json.loads(self.run(*words, '--json=pretty').out) or 'upgrade' in words
        assert value['version'] == 1, value
        return value

    def json_once(self, *words):
        """For what moves between two calls."""
        return json.loads(self.run(*words, '--json').expect(0).out)

    def restart(self):
        """Ends the mock, so that the next call activates one that reads the script anew."""
        subprocess.run(['busctl', f'--address=unix:path={self.directory}/bus', 'call',
                        'org.timesten.Upgrade1', '/org/timesten/Upgrade1',
                        'org.timesten.Upgrade1.Mock', 'Exit'], env=self.environment, check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def close(self):
        self.daemon.terminate()  # its clients leave with it
        self.daemon.wait()
        shutil.rmtree(self.directory)


class Terminal:
    """ttctl on a terminal of a given size; everything that it writes is kept."""

    def __init__(self, bus, words, rows=24, columns=80, user=None, **environment):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            if user:
                os.setuid(user)
            os.execve(bus.ttctl, [bus.ttctl, *words], dict(bus.environment, **environment))
        self.out = ''
        self.resize(rows, columns)

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))

    def read(self, until=None, limit=20):
        end = time.monotonic() + limit
        while until is None or not re.search(until, self.out):
            ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
            assert ready, f'{until} did not come: {self.out!r}'
            try:
                data = os.read(self.fd, 65536)
            except OSError:  # the other end was closed
                data = b''
            if not data:
                assert until is None, f'{until} did not come: {self.out!r}'
                break
            self.out += data.decode()
        return self.out

    def type(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        self.read()
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.fd)
        return Run(status, self.out, '')


def painted(out):
    """The lines as they were painted, without the sequences."""
    plain = re.sub(r'\x1b\[[0-9;]*[A-Za-z]', '', out)
    return [line for line in re.split(r'[\r\n]+', plain) if line]


def progress_steps(out):
    return re.findall(r'^\[ *\d+%\] ([a-z-]+):', out, re.M)


TESTS = {}  # by the name that meson and people use


def mocked(installed=True, **script):
    """Makes a function a test, with what its mock is told; INSTALLED: whether there is a service at all."""
    def take(function):
        TESTS[function.__name__.replace('_', '-')] = (function, script, installed)
        return function
    return take
