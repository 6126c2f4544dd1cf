"""ttctl against a service that plays the contract (mock.c) on a bus of its own.

    ctl.py TTCTL MOCK ERRORS TEST     one test; the names are those of the functions below, with dashes
    ctl.py --list                     all names
"""
import contextlib
import fcntl
import json
import os
import pty
import random
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
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


# What is there

def list_shows_servers_and_instances(bus):
    out = bus.run('list').expect(0).out
    assert re.search(r'^main +serving +16002 +tt60$', out, re.M), out
    assert re.search(r'^tt70 +7\.0\.6 +running$', out, re.M), out
    value = bus.json('list')
    assert value['servers'][0] == {'name': 'main', 'state': 'serving', 'port': 16002,
                                   'instance': 'tt60', 'confirmation': None, 'confirm_by': None}, value
    assert [i['name'] for i in value['instances']] == ['tt60', 'tt70']


def any_socket_is_held_and_told(bus):
    for words in (('list',), ('status',)):
        out = bus.run(*words).expect(0).out
        assert re.search(r'^web\.socket +held +web\.service +3 ', out, re.M), out
        assert [one['unit'] for one in bus.json_once(*words)['sockets']] == ['web.socket']
    out = bus.run('status', 'web.socket').expect(0).out
    assert '3 waiting (room for 4096)' in out and 'ttctl resume web.socket' in out, out
    assert 'other.socket is not on hold' in bus.run('status', 'other.socket').expect(0).out
    out = bus.run('hold', 'web.socket', '90s').expect(0).out
    assert 'ttctl resume web.socket' in out and '1min 30s' in out, out
    bus.run('resume', 'web.socket').expect(0)
    assert [call.rsplit(' ', 1)[0] for call in bus.calls()] == ['HoldSocket web.socket 90000000', 'ResumeSocket']


def service_that_holds_no_sockets_is_understood(bus):
    assert 'web.socket' not in bus.run('list').expect(0).out
    assert bus.json_once('status')['sockets'] == []


def an_empty_house_is_told(bus):
    assert 'No servers are configured' in bus.run('list').expect(0).out
    assert 'No servers are configured' in bus.run('status').expect(0).out
    assert 'There are no jobs' in bus.run('jobs').expect(0).out
    assert bus.json('list') == {'version': 1, 'servers': [], 'instances': [], 'sockets': []}
    assert bus.json('jobs') == {'version': 1, 'jobs': []}


def status_shows_one_server_whole(bus):
    out = bus.run('status', 'main').expect(0).out
    for part in ('main (port 16002)', 'tt60 (6.0.8)', 'orders, stock', '12 connected, 0 waiting',
                 '6, failed: UtilityFailed'):
        assert part in out, f'{part}: {out}'
    assert 'systemctl start timesten-server@spare.socket' in bus.run('status', 'spare').out
    value = bus.json('status', 'main')
    assert value['server']['databases'] == ['orders', 'stock'], value
    assert value['server']['last_result']['job'] == 6, value
    assert value['job'] is None
    assert len(bus.json('status')['servers']) == 2


def status_shows_the_job_at_work(bus):
    bus.run('upgrade', 'main', 'tt70', '--no-wait').expect(0)
    value = bus.json_once('status', 'main')
    assert value['job']['id'] == 7 and value['job']['state'] == 'running', value
    assert re.search(r'Job: 7, upgrade', bus.run('status', 'main').out)
    assert re.search(r'^Job 7 on main: ', bus.run('status').out, re.M)


# Checks and plans

def check_names_the_worst_first(bus):
    run = bus.run('check', 'main', 'tt70').expect(15)
    found = re.findall(r'^(error|warning|info) +([a-z-]+)', run.out, re.M)
    assert found == [('error', 'disk-space'), ('error', 'direct-connections'),
                     ('warning', 'hold-limit'), ('info', 'path-allowed')], found
    assert '→ Make room in /data' in run.out, run
    assert '2 errors, 1 warning, 4 checked' in run.out, run
    value = bus.json('check', 'main', 'tt70', status=15)
    assert value['errors'] == 2 and value['warnings'] == 1, value
    assert value['checks'][0]['remedy'] == 'Make room in /data', value
    assert value['checks'][3]['remedy'] is None, value


def check_without_errors_succeeds(bus):
    run = bus.run('check', 'main', 'tt70').expect(0)
    assert '0 errors, 1 warning' in run.out and 'ttctl upgrade main tt70' in run.out, run


def plan_marks_the_point_of_no_return(bus):
    out = bus.run('plan', 'main', 'tt70').expect(0).out
    assert 'method offline' in out, out
    rows = re.findall(r'^ *(\d+) +([a-z-]+) ', out, re.M)
    assert [name for _, name in rows] == STEPS and rows[-1][0] == '14', rows
    assert re.search(r'commit .*point of no return$', out, re.M), out
    assert re.search(r'import .*undone$', out, re.M), out
    assert re.search(r'verify .*nothing to undo$', out, re.M), out
    assert re.search(r'resume .*tried again$', out, re.M), out
    assert 'Estimated time: 2min 48s' in out, out
    value = bus.json('plan', 'main', 'tt70')
    assert [s['id'] for s in value['steps'] if s['point_of_no_return']] == ['commit'], value
    assert [s['id'] for s in value['steps'] if s['after_commit']] == ['resume', 'retire-old'], value
    assert value['steps'][1]['estimate_usec'] is None, value


# Upgrades

def upgrade_is_followed_to_its_end(bus):
    run = bus.run('upgrade', 'main', 'tt70').expect(0)
    assert progress_steps(run.out) == STEPS, run
    for part in ('Job 7: upgrade of main: tt60 → tt70, offline', 'Done: tt70 serves main now',
                 'Release: 6.0.8 → 7.0.6', 'the port was held for 36'):
        assert part in run.out, f'{part}: {run}'
    assert '\x1b' not in run.out + run.err and '\r' not in run.out, run
    assert run.err == '', run


def options_travel_as_typed_values(bus):
    bus.run('upgrade', 'main', 'tt70', '--no-wait', '--method=offline', '--hold-limit=2min',
            '--outage-limit=infinity', '--drain=5s', '--parallel=3').expect(0)
    call = bus.calls()[-1].split()
    assert call[:2] == ['Upgrade', 'tt70'] and set(call[2:]) == {
        'method=offline', 'hold-limit-usec=120000000', f'outage-limit-usec={2**64 - 1}',
        'drain-usec=5000000', 'parallel=3', 'interactive=1'}, call
    bus.run('check', 'main', 'tt70', '--no-ask-password', '--drain=1s').expect(0)
    assert bus.calls()[-1] == 'Check tt70 drain-usec=1000000 interactive=0', bus.calls()


def upgrade_answers_in_json(bus):
    run = bus.run('upgrade', 'main', 'tt70', '--json=short').expect(0)
    job = json.loads(run.out)['job']
    assert job['result'] == 'done' and job['error'] is None and job['held_usec'] > 0, job
    assert [s['state'] for s in job['steps']] == ['done'] * 14, job
    assert 'ofthefuture' not in run.out.lower()


def no_wait_returns_at_once(bus):
    begun = time.monotonic()
    run = bus.run('upgrade', 'main', 'tt70', '--no-wait').expect(0)
    assert time.monotonic() - begun < 5 and 'ttctl job 7 --follow' in run.out, run
    value = json.loads(bus.run('jobs', '--json').expect(0).out)
    assert value['jobs'][0]['state'] == 'running', value
    value = json.loads(bus.run('upgrade', 'main', 'tt70', '--no-wait', '--json').expect(0).out)
    assert value['begun']['id'] == 7, value


def quiet_says_nothing_of_success(bus):
    for words in (('upgrade', 'main', 'tt70'), ('hold', 'main'), ('resume', 'main'), ('reload',)):
        run = bus.run('--quiet', *words).expect(0)
        assert run.out == '' and run.err == '', run


def failed_upgrade_exits_by_its_error(bus):
    run = bus.run('upgrade', 'main', 'tt70').expect(19)
    assert 'Failed and undone: tt60 serves main as before.' in run.err, run
    assert 'ttMigrate -r of DSN orders in tt70 ended with 1' in run.err, run
    assert 'journalctl -u timesten-job@7' in run.err, run
    assert '\x1b' not in run.err, f'what a utility printed reached the terminal: {run!r}'
    assert 'failed import' in run.out and 'undoing hold' in run.out, run
    shown = bus.run('job', '7').expect(0)
    assert 'Failed and undone' in shown.out and '\x1b' not in shown.out, shown
    assert re.search(r'^import +failed ', shown.out, re.M), shown
    assert bus.run('upgrade', 'main', 'tt70', '--quiet').expect(19).err != ''


def needs_attention_is_no_success(bus):
    run = bus.run('upgrade', 'main', 'tt70').expect(20)
    assert 'timesten-upgrade(7)' in run.err and 'The keeper of main does not answer' in run.err, run


def cancel_undoes_and_exits_25(bus):
    upgrade = bus.begin('upgrade', 'main', 'tt70')
    while 'Upgrade tt70' not in ' '.join(bus.calls()):
        time.sleep(0.02)
    time.sleep(0.4)
    assert 'is being cancelled' in bus.run('cancel', '7').expect(0).out
    out, err = upgrade.communicate(timeout=30)
    assert upgrade.returncode == 25, (upgrade.returncode, out, err)
    assert 'Cancelled and undone' in err and 'undoing' in out, (out, err)
    assert 'It is too late' in bus.run('cancel', '7').expect(22).err


# Going back, and going on

def rollback_is_followed_to_its_end(bus):
    run = bus.run('rollback', 'main', '--allow-data-loss', '--drain=5s').expect(0)
    assert progress_steps(run.out) == STEPS, run
    assert 'Job 7: rollback of main: tt70 → tt60, offline' in run.out, run
    assert 'Done: tt60 serves main again' in run.out, run
    call = bus.calls()[-1].split()
    assert call[0] == 'Rollback' and set(call[1:]) == {
        'allow-data-loss=yes', 'drain-usec=5000000', 'interactive=1'}, call
    value = json.loads(bus.run('rollback', 'main', '--json').expect(0).out)
    assert value['job']['kind'] == 'rollback' and value['job']['result'] == 'done', value


def refused_rollback_tells_what_would_be_lost(bus):
    run = bus.run('rollback', 'main').expect(15)
    assert 'Make room in /data' in run.err and '--dry-run' in run.err, run
    assert [call for call in bus.calls() if call.startswith('Check')] == [
        'Check  kind=rollback interactive=1'], bus.calls()


def dry_run_changes_nothing(bus):
    run = bus.run('rollback', 'main', '--dry-run', '--allow-data-loss').expect(15)
    assert 'Rollback of main, method offline' in run.out and 'A rollback would be refused.' in run.out, run
    assert re.search(r'^error +disk-space', run.out, re.M), run
    value = json.loads(bus.run('rollback', 'main', '--dry-run', '--json').expect(15).out)
    assert value['target'] is None and value['errors'] == 2, value
    assert [call.split()[0] for call in bus.calls()] == ['Check', 'Check'], bus.calls()
    assert 'allow-data-loss=yes' in bus.calls()[0] and 'kind=rollback' in bus.calls()[0], bus.calls()


def dry_run_of_an_adoption_shows_steps_and_checks(bus):
    words = ('adopt', 'fresh', '--instance=tt60', '--mode=relay', '--dry-run')
    run = bus.run(*words).expect(0)
    assert 'Adopt of fresh, the TimesTen Server of tt60' in run.out and 'nothing is ever taken away' in run.out, run
    assert re.search(r'^1 +check ', run.out, re.M) and re.search(r'^2 +declare ', run.out, re.M), run
    assert re.search(r'^info +port-owner fresh: Port 16002', run.out, re.M) and 'An adoption may begin.' in run.out, run
    assert [call.split()[:3] for call in bus.calls()] == [['CheckAdopt', 'fresh', 'tt60'], ['PlanAdopt', 'fresh', 'tt60']], bus.calls()
    assert 'mode=relay' in bus.calls()[0] and 'kind=' not in bus.calls()[0], bus.calls()
    assert json.loads(bus.run(*words, '--json').expect(0).out)['target'] == 'tt60'


def refused_adoption_tells_the_remedy(bus):
    run = bus.run('adopt', 'fresh', '--instance=tt60').expect(15)
    assert re.search(r'^error +port-owner', run.err, re.M) and 'End it' in run.err and '--dry-run' in run.err, run
    assert 'would be refused' in bus.run('adopt', 'fresh', '--instance=tt60', '--dry-run').expect(15).out


def rollback_on_a_terminal_is_confirmed(bus):
    for answer, status in (('n\n', 25), ('\n', 25), ('\x04', 25)):
        terminal = Terminal(bus, ['rollback', 'main', '--allow-data-loss'])
        terminal.read('Let main go back from tt60 to tt50\\? ')
        terminal.type(answer)
        assert 'nothing was changed' in terminal.end().expect(status).out
    assert not [call for call in bus.calls() if call.startswith('Rollback')], bus.calls()
    terminal = Terminal(bus, ['rollback', 'main', '--allow-data-loss'])
    assert 'hold-limit' in terminal.read('y/N'), 'what was found is not shown first'
    terminal.type('y\n')
    terminal.end().expect(0)
    terminal = Terminal(bus, ['rollback', 'main', '--yes'])
    assert 'y/N' not in terminal.end().expect(0).out


def confirmation_is_not_asked_where_checks_forbid_it(bus):
    terminal = Terminal(bus, ['rollback', 'main', '--allow-data-loss'])
    run = terminal.end().expect(15)
    assert 'y/N' not in run.out and 'Make room in /data' in run.out, run
    assert not [call for call in bus.calls() if call.startswith('Rollback')], bus.calls()


def server_that_waits_to_be_confirmed_says_until_when(bus):
    told = r'unconfirmed, goes back to tt50 in [0-9]+min [0-9]+s'
    assert re.search(rf'^main +serving +16002 +tt60 \({told}\)$', bus.run('list').expect(0).out, re.M), bus.run('list').out
    for words in (('status',), ('status', 'main')):
        out = bus.run(*words).expect(0).out
        assert re.search(rf'^main is {told}\. Keep tt60: ttctl confirm main$', out, re.M), out
    assert re.search(rf'^Confirmation: {told}$', out, re.M), out
    assert 'ttctl confirm' not in bus.run('status', '--quiet', 'main').out
    for server in (bus.json_once('list')['servers'][0], bus.json_once('status')['servers'][0],
                   bus.json_once('status', 'main')['server']):
        assert server['confirmation'] == 'unconfirmed' and server['confirm_by'] > 10**15, server


def server_without_a_deadline_may_go_back(bus):
    out = bus.run('status', 'main').expect(0).out
    assert re.search(r'^Confirmation: unconfirmed, may go back to tt50 without loss$', out, re.M), out
    assert bus.json_once('status', 'main')['server']['confirm_by'] is None


def confirm_is_followed_and_tells_what_is_left(bus):
    run = bus.run('confirm', 'main', '--backwards-compat-off', '--drain=5s', '--hold-limit=30s').expect(0)
    assert progress_steps(run.out) == STEPS, run
    assert 'Job 7: confirm of main: tt70' in run.out and 'Done: main stays with tt70; tt60 does not follow' in run.out, run
    assert 'Left to do: Let clients before 7.0 go' in run.out and 'port was held' not in run.out, run
    call = bus.calls()[-1].split()
    assert call[0] == 'Confirm' and set(call[1:]) == {
        'backwards-compat-off=yes', 'drain-usec=5000000', 'hold-limit-usec=30000000', 'interactive=1'}, call
    value = json.loads(bus.run('confirm', 'main', '--json').expect(0).out)
    assert value['job']['kind'] == 'confirm' and len(value['job']['left_to_do']) == 1, value


def confirm_on_a_terminal_is_asked_for(bus):
    terminal = Terminal(bus, ['confirm', 'main'])
    terminal.read('Let main stay with tt60\\? Going back to tt50 loses')
    terminal.type('n\n')
    assert 'nothing was changed' in terminal.end().expect(25).out
    assert not [call for call in bus.calls() if call.startswith('Confirm')], bus.calls()


def deadline_travels_with_the_upgrade(bus):
    bus.run('upgrade', 'main', 'tt70', '--method=online', '--confirm-within=30min', '--no-wait').expect(0)
    assert 'confirm-within=1800000000' in bus.calls()[-1] and 'method=online' in bus.calls()[-1], bus.calls()
    for words in (('rollback', 'main', '--confirm-within=1h'), ('confirm', 'main', '--outage-limit=5s'),
                  ('upgrade', 'main', 'tt70', '--backwards-compat-off')):
        assert 'does not go with' in bus.run(*words).expect(2).err, words


def clean_names_what_goes(bus):
    run = bus.run('clean', 'main', '--databases=orders,stock', '--exports=3').expect(0)
    assert 'Job 7: clean of main: tt60' in run.out and 'tt70 serves main as before' in run.out, run
    assert 'Release' not in run.out and 'held for' not in run.out, run
    call = bus.calls()[-1].split()
    assert call[0] == 'Clean' and set(call[1:]) == {
        'databases=orders,stock', 'exports=yes', 'job=3', 'interactive=1'}, call
    bus.run('clean', 'main', '--exports', '--quiet').expect(0)
    assert bus.calls()[-1] == 'Clean exports=yes interactive=1', bus.calls()


def clean_on_a_terminal_is_confirmed(bus):
    terminal = Terminal(bus, ['clean', 'main', '--databases=orders'])
    assert 'path-allowed' in terminal.read('Remove all this for good\\?'), 'what goes is not shown first'
    terminal.type('n\n')
    terminal.end().expect(25)
    assert [call.split()[0] for call in bus.calls()] == ['Check'], bus.calls()
    assert 'databases=orders' in bus.calls()[0] and 'kind=clean' in bus.calls()[0], bus.calls()


def retry_goes_on_and_is_followed(bus):
    run = bus.run('upgrade', 'main', 'tt70').expect(20)
    assert 'ttctl retry 7' in run.err, run
    run = bus.run('retry', '7').expect(0)
    assert 'Done: tt70 serves main now' in run.out, run
    assert bus.calls()[-1] == 'Retry interactive=1', bus.calls()
    assert 'It is fine' in bus.run('retry', '7').expect(14).err
    bus.run('retry', '9').expect(12)


def retry_without_waiting(bus):
    bus.run('upgrade', 'main', 'tt70').expect(20)
    value = json.loads(bus.run('retry', '7', '--no-wait', '--json').expect(0).out)
    assert value['begun']['id'] == 7, value
    bus.run('job', '7', '--follow').expect(0)


def follow_holds_across_a_restart(bus):
    run = bus.run('upgrade', 'main', 'tt70').expect(0)
    assert os.path.exists(bus.path('died')), 'the service did not die'
    assert progress_steps(run.out) == STEPS, run
    assert 'Done: tt70 serves main now' in run.out, run


def follow_sees_an_end_that_came_while_the_service_was_away(bus):
    run = bus.run('upgrade', 'main', 'tt70', '--json').expect(0)
    assert os.path.exists(bus.path('died')), 'the service did not die'
    assert json.loads(run.out)['job']['result'] == 'done', run


def job_can_be_followed_later(bus):
    bus.run('upgrade', 'main', 'tt70', '--no-wait').expect(0)
    run = bus.run('job', '7', '--follow').expect(0)
    assert progress_steps(run.out) == STEPS and 'Done:' in run.out, run
    again = bus.run('job', '7', '-f').expect(0)
    assert 'Done:' in again.out, again


def ctrl_c_detaches_and_the_job_goes_on(bus):
    upgrade = bus.begin('upgrade', 'main', 'tt70')
    line = ''
    while 'hold:' not in line:
        line = upgrade.stdout.readline()
        assert line, 'the upgrade ended before hold'
    upgrade.send_signal(signal.SIGINT)
    _, err = upgrade.communicate(timeout=10)
    assert upgrade.returncode == 130, (upgrade.returncode, err)
    assert 'goes on' in err and 'ttctl job 7 --follow' in err and 'ttctl cancel 7' in err, err
    bus.run('job', '7', '--follow').expect(0)


def ctrl_c_while_asking_says_that_the_outcome_is_open(bus):
    upgrade = bus.begin('upgrade', 'main', 'tt70')
    while 'Upgrade tt70' not in ' '.join(bus.calls()):
        time.sleep(0.02)
    upgrade.send_signal(signal.SIGINT)
    _, err = upgrade.communicate(timeout=10)
    assert upgrade.returncode == 130 and 'ttctl jobs' in err, (upgrade.returncode, err)


# Errors

def each_error_has_its_exit_status(bus):
    table = subprocess.run([bus.errors], capture_output=True, text=True, check=True).stdout
    for line in table.splitlines():
        status, name, _ = line.split('\t')
        bus.write('script', f'[Mock]\nRefuseUpgrade={name}\nChecks=failed\n')
        bus.restart()
        run = bus.run('upgrade', 'main', 'tt70').expect(int(status))
        assert 'Refused by RefuseUpgrade in the script' in run.err, run
        if name.endswith('.ChecksFailed'):
            assert 'Make room in /data' in run.err, run
        run = bus.run('upgrade', 'main', 'tt70', '--json').expect(int(status))
        error = json.loads(run.out)['error']
        assert error['name'] == name and error['exit_status'] == int(status), error


def foreign_errors_are_explained(bus):
    for name, status, part in (
            ('org.freedesktop.DBus.Error.AccessDenied', 24, 'polkit'),
            ('org.freedesktop.DBus.Error.InteractiveAuthorizationRequired', 24, 'nobody could be'),
            ('org.freedesktop.DBus.Error.NoReply', 1, 'journalctl -u timesten-upgraded'),
            ('org.freedesktop.systemd1.UnitMasked', 1, 'systemctl status timesten-upgraded'),
            ('org.example.Odd', 1, 'org.example.Odd')):
        bus.write('script', f'[Mock]\nRefuseReload={name}\n')
        bus.restart()
        run = bus.run('reload').expect(status)
        assert part in run.err and run.out == '', run


def wrong_names_are_told(bus):
    assert 'No server nix' in bus.run('status', 'nix').expect(10).err
    assert 'ttctl list' in bus.run('upgrade', 'nix', 'tt70').expect(10).err
    assert 'no job 9' in bus.run('job', '9').expect(12).err
    for id in ('x', '-1', '0', '99999999999999999999', '7;'):
        bus.run('job', '--', id).expect(12)
    bus.run('status', '').expect(10)
    bus.run('status', b'\xff').expect(10)


def missing_service_is_explained(bus):
    run = bus.run('list').expect(1)
    assert 'install the package timesten-upgrade' in run.err, run
    run = bus.run('list', DBUS_SYSTEM_BUS_ADDRESS='unix:path=/nonexistent').expect(1)
    assert 'Cannot connect to the system bus' in run.err, run


def wrong_usage_exits_2(bus):
    for words in ((), ('nix',), ('check', 'main'), ('check', 'a', 'b', 'c'), ('list', '--nix'),
                  ('list', '--parallel=1'), ('plan', 'main', 'tt70', '--no-wait'),
                  ('upgrade', 'main', 'tt70', '--parallel=0'), ('list', '--json=xml'),
                  ('upgrade', 'main', 'tt70', '--drain=soon'), ('hold', 'main', 'infinity'),
                  ('hold', 'main', '0'), ('hold', 'main', '5s', '--limit=6s'), ('list', '--host'),
                  ('list', '--quiet=3'), ('rollback', 'main', 'tt60'), ('retry',),
                  ('clean', 'main', '--databases='), ('clean', 'main', '--databases=a,,b'),
                  ('clean', 'main', '--exports=x'), ('clean', 'main', '--drain=1s'),
                  ('rollback', 'main', '--parallel=2'), ('upgrade', 'main', 'tt70', '--yes'),
                  ('upgrade', 'main', 'tt70', '--allow-data-loss'), ('retry', '7', '--dry-run'), ('list', '-Ha', '-Mb'), ('list', '-x')):
        run = bus.run(*words).expect(2)
        assert run.out == '' and 'ttctl --help' in run.err, run
    assert bus.calls() == [], bus.calls()


def lost_output_is_a_failure(bus):
    with open('/dev/full', 'w', encoding='utf-8') as full:
        done = subprocess.run([bus.ttctl, 'list', '--json'], env=bus.environment, stdout=full,
                              stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and 'Cannot write' in done.stderr, done


# Holds

def hold_has_a_limit_always(bus):
    assert 'at most 1min 0s' in bus.run('hold', 'main').expect(0).out
    bus.run('hold', 'main', '90').expect(0)
    bus.run('hold', 'spare', '--limit=2min').expect(0)
    assert [call.rsplit(' ', 1)[0] for call in bus.calls()] == [
        'Hold main 60000000', 'Hold main 90000000', 'Hold spare 120000000'], bus.calls()
    assert re.search(r'^main +held .* 7\.\ds, .*left$', bus.run('status').out, re.M)
    value = json.loads(bus.run('resume', 'main', '--json').expect(0).out)
    assert value['server']['state'] == 'serving' and value['server']['hold_deadline'] is None, value


# Terminals

def terminal_is_redrawn_in_place(bus):
    run = Terminal(bus, ('upgrade', 'main', 'tt70')).end().expect(0)
    lines = painted(run.out)
    for part in ('9/14 import', 'ETA ', '3 waiting', 'held '):
        assert any(part in line for line in lines), f'{part}: {lines}'
    assert all(len(line) < 80 for line in lines if '%' in line), lines
    assert [s for s in STEPS if not re.search(f'✓.* {s} ', run.out)] == [], run
    assert '\x1b[J' in run.out and '\x1b[32m' in run.out, run
    assert lines[-1].startswith('  Took '), lines


def terminal_may_shrink(bus):
    terminal = Terminal(bus, ('upgrade', 'main', 'tt70'), columns=100)
    terminal.read('hold ')
    before = len(terminal.out)
    terminal.resize(24, 30)
    run = terminal.end().expect(0)
    after = run.out[before:]
    assert '\x1b[3A' in after or '\x1b[2A' in after or '\x1b[1A' in after, after
    late = [line for line in painted(after) if '%' in line][2:]
    assert late and all(len(line) < 30 for line in late), late


def colours_can_be_refused(bus):
    run = Terminal(bus, ('upgrade', 'main', 'tt70'), NO_COLOR='1').end().expect(0)
    assert '\x1b[J' in run.out and not re.search(r'\x1b\[[0-9;]*m', run.out), run


def dumb_terminal_gets_plain_lines(bus):
    run = Terminal(bus, ('upgrade', 'main', 'tt70'), TERM='dumb').end().expect(0)
    assert '\x1b' not in run.out and progress_steps(run.out.replace('\r', '')) == STEPS, run


def ctrl_c_on_a_terminal_leaves_it_clean(bus):
    terminal = Terminal(bus, ('upgrade', 'main', 'tt70'))
    terminal.read('4/14 hold')
    terminal.type('\x03')
    run = terminal.end().expect(130)
    assert 'goes on without this display' in run.out, run
    tail = run.out[run.out.rindex('%'):]
    assert '\x1b[J' in tail, f'the line was not taken away: {tail!r}'


def plain_locale_gets_plain_letters(bus):
    run = bus.run('upgrade', 'main', 'tt70', LC_ALL='C').expect(0)
    assert 'tt60 -> tt70' in run.out, run
    assert run.out.isascii(), run


def pager_is_used_on_terminals_only(bus):
    bus.write('pager', '#!/bin/sh\nsed "s/^/PAGED /"\n')
    os.chmod(bus.path('pager'), 0o755)
    pager = {'PAGER': bus.path('pager')}
    bus.environment.pop('SUDO_UID', None)
    assert 'PAGED ' in Terminal(bus, ('list',), **pager).end().expect(0).out
    assert 'PAGED ' not in Terminal(bus, ('list', '--no-pager'), **pager).end().expect(0).out
    assert 'PAGED ' not in bus.run('list', **pager).expect(0).out
    run = Terminal(bus, ('list',), SUDO_UID='1000', **pager).end().expect(0)
    assert 'PAGED ' not in run.out, f'an environment from before sudo chose the pager: {run!r}'


def person_can_be_asked_for_a_password(bus):
    os.chmod(bus.directory, 0o777)  # so that it can be a person who is not root
    bus.ttctl = shutil.copy(bus.ttctl, bus.path('ttctl'))
    bus.write('pkttyagent', '#!/bin/sh\necho "$@" >"${0%/*}/agent-words"\n'
              'trap "touch ${0%/*}/agent-ended; exit" TERM\n'
              'sleep 1\nexec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-\n'
              'while :; do sleep 0.1; done\n')
    os.chmod(bus.path('pkttyagent'), 0o755)
    path = {'PATH': bus.directory + ':' + os.environ['PATH']}
    user = 65534 if os.geteuid() == 0 else None
    Terminal(bus, ('--no-ask-password', 'reload'), user=user, **path).end().expect(0)
    assert not os.path.exists(bus.path('agent-words')), 'an agent in spite of --no-ask-password'
    begun = time.monotonic()
    Terminal(bus, ('reload',), user=user, **path).end().expect(0)
    took = time.monotonic() - begun
    assert 1 <= took < 9, f'the agent was not waited for until it was ready: {took}'
    with open(bus.path('agent-words'), encoding='utf-8') as words:
        assert re.match(r'--process \d+ --fallback --notify-fd \d+$', words.read()), words
    assert os.path.exists(bus.path('agent-ended')), 'the agent was left behind'
    assert [call.rsplit(' ', 1)[1] for call in bus.calls()] == ['interactive=0', 'interactive=1']


# Elsewhere

def other_host_is_reached_over_ssh(bus):
    bus.write('ssh', '#!/bin/sh\necho "$@" >"${0%/*}/ssh-words"\n'
              'exec systemd-stdio-bridge --bus-path="$DBUS_SYSTEM_BUS_ADDRESS"\n')
    os.chmod(bus.path('ssh'), 0o755)
    run = bus.run('-H', 'root@far', 'list', PATH=bus.directory + ':' + os.environ['PATH'])
    run.expect(0)
    assert 'main' in run.out, run
    with open(bus.path('ssh-words'), encoding='utf-8') as words:
        assert 'root@far' in words.read()


# Each test with the script of its mock.
def odd_words_are_survived(bus):
    """Verbs and options as --help tells them, with whatever may stand behind them."""
    seed, runs = int(os.environ.get('TU_SEED', '7')), int(os.environ.get('TU_RUNS', '250'))
    dice = random.Random(seed)
    text = bus.run('--help').expect(0).out
    verbs = re.findall(r'^  ([a-z]+)', text, re.M)
    options = re.findall(r' (-[a-zA-Z]|--[a-z-]+)(?==|\s|\[)', text)
    assert len(verbs) > 10 and len(options) > 15, text
    odd = ['', ' ', '-', '--', '---', '--=', '-=', '=', '--json=', '--json=x', 'main', 'tt70', '7', '0', '-1', '1' * 400, '5s',
           '1e9', 'infinity', '../../etc', 'a/b', 'a\nb', '\x1b[2Jx', '%s%n', 'a' * 100_000, 'é', '\u202e', b'\xff\xfe', b'\xc3', '[',
           'orders,stock', ',', '18446744073709551616', '--no-such-option', '-zzz', '--hos', '--d', '-qqqqy']
    statuses = {}
    for _ in range(runs):
        words = [dice.choice(verbs)] if dice.random() < 0.8 else []
        if words and dice.random() < 0.6:
            words += dice.choice((['main'], ['main', 'tt70'], ['7']))
        for _ in range(dice.choice((0, 0, 0, 1, 2, 4))):
            word = dice.choice(dice.choice((options, odd, odd)))
            value = dice.choice(odd) if dice.random() < 0.4 else None
            if value is not None and isinstance(word, str) and word.startswith('--') and isinstance(value, str):
                word += '=' + value
            words.insert(dice.randint(0, len(words)), word)
        # Without a PATH there is no ssh, so that no odd host is ever asked.
        done = subprocess.run([bus.ttctl, *words], env=dict(bus.environment, PATH=bus.directory), stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=60, check=False)
        told = f'seed {seed}: ttctl {[word[:80] for word in words]}: {done.returncode}\n{done.stdout[-800:]}\n{done.stderr[-800:]}'
        assert 0 <= done.returncode < 64, told
        err = done.stderr.decode()
        assert done.returncode == 0 or err.strip() or done.returncode in (1, 19), told
        assert not re.search('[\x00-\x09\x0b-\x1f\x7f\u202e]', err + done.stdout.decode()) and len(err) < 4500, told
        statuses[done.returncode] = statuses.get(done.returncode, 0) + 1
    assert statuses.get(2, 0) > runs / 10 and statuses.get(0, 0) > runs / 50, f'too much of one kind: {statuses}'
    print(f'fuzz: {runs} command lines of ttctl, seed {seed}; by exit status: {statuses}')
    print(f'tally: kind=fuzz what=command-lines-of-ttctl runs={runs} done={statuses.get(0, 0)} refused={runs - statuses.get(0, 0)}')


TESTS = {
    list_shows_servers_and_instances: {},
    an_empty_house_is_told: {'Empty': 1},
    any_socket_is_held_and_told: {},
    service_that_holds_no_sockets_is_understood: {'OldService': 1},
    status_shows_one_server_whole: {},
    status_shows_the_job_at_work: {'PaceMSec': 1000},
    check_names_the_worst_first: {'Checks': 'failed'},
    check_without_errors_succeeds: {},
    plan_marks_the_point_of_no_return: {},
    upgrade_is_followed_to_its_end: {},
    options_travel_as_typed_values: {},
    upgrade_answers_in_json: {},
    no_wait_returns_at_once: {'PaceMSec': 2000},
    quiet_says_nothing_of_success: {},
    failed_upgrade_exits_by_its_error: {'End': 'failed'},
    needs_attention_is_no_success: {'End': 'needs-attention'},
    rollback_is_followed_to_its_end: {},
    refused_rollback_tells_what_would_be_lost: {
        'RefuseRollback': 'org.timesten.Upgrade1.Error.ChecksFailed', 'Checks': 'failed'},
    dry_run_changes_nothing: {'Checks': 'failed'},
    dry_run_of_an_adoption_shows_steps_and_checks: {},
    refused_adoption_tells_the_remedy: {'Checks': 'failed'},
    rollback_on_a_terminal_is_confirmed: {},
    confirmation_is_not_asked_where_checks_forbid_it: {'Checks': 'failed'},
    server_that_waits_to_be_confirmed_says_until_when: {'Confirmation': 'unconfirmed', 'ConfirmInSec': 720},
    server_without_a_deadline_may_go_back: {'Confirmation': 'unconfirmed'},
    confirm_is_followed_and_tells_what_is_left: {},
    confirm_on_a_terminal_is_asked_for: {},
    deadline_travels_with_the_upgrade: {'PaceMSec': 2000},
    clean_names_what_goes: {},
    clean_on_a_terminal_is_confirmed: {},
    retry_goes_on_and_is_followed: {'End': 'needs-attention'},
    retry_without_waiting: {'End': 'needs-attention'},
    cancel_undoes_and_exits_25: {'PaceMSec': 200},
    follow_holds_across_a_restart: {'PaceMSec': 200, 'DieAfterMSec': 900, 'AwayMSec': 1500},
    follow_sees_an_end_that_came_while_the_service_was_away: {'DieAfterMSec': 400},
    job_can_be_followed_later: {},
    ctrl_c_detaches_and_the_job_goes_on: {'PaceMSec': 200},
    ctrl_c_while_asking_says_that_the_outcome_is_open: {'UpgradeTakesMSec': 2000},
    each_error_has_its_exit_status: {},
    foreign_errors_are_explained: {},
    wrong_names_are_told: {},
    missing_service_is_explained: None,
    wrong_usage_exits_2: {},
    odd_words_are_survived: {},
    lost_output_is_a_failure: {},
    hold_has_a_limit_always: {},
    terminal_is_redrawn_in_place: {'PaceMSec': 100},
    terminal_may_shrink: {'PaceMSec': 150},
    colours_can_be_refused: {},
    dumb_terminal_gets_plain_lines: {},
    ctrl_c_on_a_terminal_leaves_it_clean: {'PaceMSec': 200},
    plain_locale_gets_plain_letters: {},
    pager_is_used_on_terminals_only: {},
    person_can_be_asked_for_a_password: {},
    other_host_is_reached_over_ssh: {},
}


def dashed(test):
    return test.__name__.replace('_', '-')


def main():
    if sys.argv[1:] == ['--list']:
        print('\n'.join(map(dashed, TESTS)))
        return
    tools, name = sys.argv[1:4], sys.argv[4]
    test, script = next((t, s) for t, s in TESTS.items() if dashed(t) == name)
    with contextlib.closing(Bus(tools, script or {}, script is not None)) as bus:
        test(bus)


if __name__ == '__main__':
    main()
