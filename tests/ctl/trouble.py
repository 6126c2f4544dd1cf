"""What goes wrong, is typed wrong, or comes from elsewhere."""
import json
import os
import random
import re
import subprocess

from bus import mocked


@mocked()
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


@mocked()
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


@mocked()
def wrong_names_are_told(bus):
    assert 'No server nix' in bus.run('status', 'nix').expect(10).err
    assert 'ttctl list' in bus.run('upgrade', 'nix', 'tt70').expect(10).err
    assert 'no job 9' in bus.run('job', '9').expect(12).err
    for id in ('x', '-1', '0', '99999999999999999999', '7;'):
        bus.run('job', '--', id).expect(12)
    bus.run('status', '').expect(10)
    bus.run('status', b'\xff').expect(10)


@mocked(installed=False)
def missing_service_is_explained(bus):
    run = bus.run('list').expect(1)
    assert 'install the package timesten-upgrade' in run.err, run
    run = bus.run('list', DBUS_SYSTEM_BUS_ADDRESS='unix:path=/nonexistent').expect(1)
    assert 'Cannot connect to the system bus' in run.err, run


@mocked()
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


@mocked()
def lost_output_is_a_failure(bus):
    with open('/dev/full', 'w', encoding='utf-8') as full:
        done = subprocess.run([bus.ttctl, 'list', '--json'], env=bus.environment, stdout=full,
                              stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1 and 'Cannot write' in done.stderr, done


@mocked()
def other_host_is_reached_over_ssh(bus):
    bus.write('ssh', '#!/bin/sh\necho "$@" >"${0%/*}/ssh-words"\n'
              'exec systemd-stdio-bridge --bus-path="$DBUS_SYSTEM_BUS_ADDRESS"\n')
    os.chmod(bus.path('ssh'), 0o755)
    run = bus.run('-H', 'root@far', 'list', PATH=bus.directory + ':' + os.environ['PATH'])
    run.expect(0)
    assert 'main' in run.out, run
    with open(bus.path('ssh-words'), encoding='utf-8') as words:
        assert 'root@far' in words.read()


@mocked()
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
