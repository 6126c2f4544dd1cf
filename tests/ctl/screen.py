"""What a person at a terminal sees, and is asked."""
import os
import re
import shutil
import time

from bus import STEPS, Terminal, mocked, painted, progress_steps


@mocked(PaceMSec=100)
def terminal_is_redrawn_in_place(bus):
    run = Terminal(bus, ('upgrade', 'main', 'tt70')).end().expect(0)
    lines = painted(run.out)
    for part in ('9/14 import', 'ETA ', '3 waiting', 'held '):
        assert any(part in line for line in lines), f'{part}: {lines}'
    assert all(len(line) < 80 for line in lines if '%' in line), lines
    assert [s for s in STEPS if not re.search(f'✓.* {s} ', run.out)] == [], run
    assert '\x1b[J' in run.out and '\x1b[32m' in run.out, run
    assert lines[-1].startswith('  Took '), lines


@mocked(PaceMSec=150)
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


@mocked()
def colours_can_be_refused(bus):
    run = Terminal(bus, ('upgrade', 'main', 'tt70'), NO_COLOR='1').end().expect(0)
    assert '\x1b[J' in run.out and not re.search(r'\x1b\[[0-9;]*m', run.out), run


@mocked()
def dumb_terminal_gets_plain_lines(bus):
    run = Terminal(bus, ('upgrade', 'main', 'tt70'), TERM='dumb').end().expect(0)
    assert '\x1b' not in run.out and progress_steps(run.out.replace('\r', '')) == STEPS, run


@mocked(PaceMSec=200)
def ctrl_c_on_a_terminal_leaves_it_clean(bus):
    terminal = Terminal(bus, ('upgrade', 'main', 'tt70'))
    terminal.read('4/14 hold')
    terminal.type('\x03')
    run = terminal.end().expect(130)
    assert 'goes on without this display' in run.out, run
    tail = run.out[run.out.rindex('%'):]
    assert '\x1b[J' in tail, f'the line was not taken away: {tail!r}'


@mocked()
def plain_locale_gets_plain_letters(bus):
    run = bus.run('upgrade', 'main', 'tt70', LC_ALL='C').expect(0)
    assert 'tt60 -> tt70' in run.out, run
    assert run.out.isascii(), run


@mocked()
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


@mocked()
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
