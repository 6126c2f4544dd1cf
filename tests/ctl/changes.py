"""Upgrades, and what may follow one: each is asked for, followed and told of."""
import json
import os
import re
import signal
import time

from bus import STEPS, Terminal, mocked, progress_steps


@mocked()
def upgrade_is_followed_to_its_end(bus):
    run = bus.run('upgrade', 'main', 'tt70').expect(0)
    assert progress_steps(run.out) == STEPS, run
    for part in ('Job 7: upgrade of main: tt60 → tt70, offline', 'Done: tt70 serves main now',
                 'Release: 6.0.8 → 7.0.6', 'the port was held for 36'):
        assert part in run.out, f'{part}: {run}'
    assert '\x1b' not in run.out + run.err and '\r' not in run.out, run
    assert run.err == '', run


@mocked()
def options_travel_as_typed_values(bus):
    bus.run('upgrade', 'main', 'tt70', '--no-wait', '--method=offline', '--hold-limit=2min',
            '--outage-limit=infinity', '--drain=5s', '--parallel=3').expect(0)
    call = bus.calls()[-1].split()
    assert call[:2] == ['Upgrade', 'tt70'] and set(call[2:]) == {
        'method=offline', 'hold-limit-usec=120000000', f'outage-limit-usec={2**64 - 1}',
        'drain-usec=5000000', 'parallel=3', 'interactive=1'}, call
    bus.run('check', 'main', 'tt70', '--no-ask-password', '--drain=1s').expect(0)
    assert bus.calls()[-1] == 'Check tt70 drain-usec=1000000 interactive=0', bus.calls()


@mocked()
def upgrade_answers_in_json(bus):
    run = bus.run('upgrade', 'main', 'tt70', '--json=short').expect(0)
    job = json.loads(run.out)['job']
    assert job['result'] == 'done' and job['error'] is None and job['held_usec'] > 0, job
    assert [s['state'] for s in job['steps']] == ['done'] * 14, job
    assert 'ofthefuture' not in run.out.lower()


@mocked(PaceMSec=2000)
def no_wait_returns_at_once(bus):
    begun = time.monotonic()
    run = bus.run('upgrade', 'main', 'tt70', '--no-wait').expect(0)
    assert time.monotonic() - begun < 5 and 'ttctl job 7 --follow' in run.out, run
    value = json.loads(bus.run('jobs', '--json').expect(0).out)
    assert value['jobs'][0]['state'] == 'running', value
    value = json.loads(bus.run('upgrade', 'main', 'tt70', '--no-wait', '--json').expect(0).out)
    assert value['begun']['id'] == 7, value


@mocked()
def quiet_says_nothing_of_success(bus):
    for words in (('upgrade', 'main', 'tt70'), ('hold', 'main'), ('resume', 'main'), ('reload',)):
        run = bus.run('--quiet', *words).expect(0)
        assert run.out == '' and run.err == '', run


@mocked(End='failed')
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


@mocked(End='needs-attention')
def needs_attention_is_no_success(bus):
    run = bus.run('upgrade', 'main', 'tt70').expect(20)
    assert 'timesten-upgrade(7)' in run.err and 'The keeper of main does not answer' in run.err, run


@mocked(PaceMSec=200)
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


@mocked()
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


@mocked(RefuseRollback='org.timesten.Upgrade1.Error.ChecksFailed', Checks='failed')
def refused_rollback_tells_what_would_be_lost(bus):
    run = bus.run('rollback', 'main').expect(15)
    assert 'Make room in /data' in run.err and '--dry-run' in run.err, run
    assert [call for call in bus.calls() if call.startswith('Check')] == [
        'Check  kind=rollback interactive=1'], bus.calls()


def calls_without_check(bus):
    return [call.rsplit(' ', 1)[0] for call in bus.calls() if not call.startswith('Check')]


@mocked()
def repairs_are_shown_before_and_after(bus):
    out = bus.run('check', 'main', 'tt70', '--fix', '--only=somaxconn').expect(0).out
    wanted, done = out.index('This would be repaired'), out.index('This was repaired')
    assert wanted < out.index('before: 128') < out.index('after: 65535') < done < out.index('undo: sysctl'), out
    assert '0 errors' in out[done:], out
    assert calls_without_check(bus) == ['Repair tt70 dry-run=yes only=somaxconn', 'Repair tt70 only=somaxconn'], bus.calls()
    out = bus.run('check', 'main', 'tt70', '--fix', '--dry-run').expect(0).out
    assert 'This was repaired' not in out and len(calls_without_check(bus)) == 3, (out, bus.calls())
    told = bus.json('check', 'main', 'tt70', '--fix')
    assert told['repairs'] == [{'id': 'somaxconn', 'subject': 'net.core.somaxconn', 'before': '128', 'after': '65535',
                                'undo': 'sysctl -w net.core.somaxconn=128'}], told
    for words in (('--list', '--fix'), ('main', 'tt70', '--yes'), ('main', 'tt70', '--dry-run')):
        bus.run('check', *words).expect(17)


@mocked()
def repairs_on_a_terminal_are_confirmed(bus):
    terminal = Terminal(bus, ['check', 'main', 'tt70', '--fix'])
    terminal.read('Repair this\\? ')
    terminal.type('n\n')
    assert 'nothing was changed' in terminal.end().expect(25).out
    assert calls_without_check(bus) == ['Repair tt70 dry-run=yes'], bus.calls()
    terminal = Terminal(bus, ['check', 'main', 'tt70', '--fix'])
    terminal.read('Repair this\\? ')
    terminal.type('y\n')
    assert 'This was repaired' in terminal.end().expect(0).out


@mocked(Repair='failed')
def repair_that_failed_is_no_success(bus):
    assert 'not repaired: it is read-only' in bus.run('check', 'main', 'tt70', '--fix').expect(14).out


@mocked(Repair='nothing')
def nothing_to_repair_changes_nothing(bus):
    assert 'nothing to repair' in bus.run('check', 'main', 'tt70', '--fix').expect(0).out
    assert calls_without_check(bus) == ['Repair tt70 dry-run=yes'], bus.calls()


@mocked()
def chosen_checks_go_with_the_call(bus):
    bus.run('upgrade', 'main', 'tt70', '--skip=somaxconn,memory').expect(0)
    assert [call for call in bus.calls() if call.startswith('Upgrade')][0].split()[2] == 'skip=somaxconn,memory', bus.calls()
    out = bus.run('check', 'main', 'tt70', '--skip=somaxconn').expect(0).out
    assert 'Begin it with: ttctl upgrade main tt70 --skip=somaxconn' in out, out
    out = bus.run('check', 'main', 'tt70', '--only=somaxconn').expect(0).out
    assert out.endswith('checked.\n') and 'only=somaxconn' in bus.calls()[-1], (out, bus.calls())
    for words in (('plan', 'main', 'tt70', '--only=somaxconn'), ('clean', 'main', '--skip=somaxconn')):
        assert 'does not go with' in bus.run(*words).expect(2).err, words


@mocked(Checks='failed')
def dry_run_changes_nothing(bus):
    run = bus.run('rollback', 'main', '--dry-run', '--allow-data-loss').expect(15)
    assert 'Rollback of main, method offline' in run.out and 'A rollback would be refused.' in run.out, run
    assert re.search(r'^error +disk-space', run.out, re.M), run
    value = json.loads(bus.run('rollback', 'main', '--dry-run', '--json').expect(15).out)
    assert value['target'] is None and value['errors'] == 2, value
    assert [call.split()[0] for call in bus.calls()] == ['Check', 'Check'], bus.calls()
    assert 'allow-data-loss=yes' in bus.calls()[0] and 'kind=rollback' in bus.calls()[0], bus.calls()


@mocked()
def dry_run_of_an_adoption_shows_steps_and_checks(bus):
    words = ('adopt', 'fresh', '--instance=tt60', '--mode=relay', '--dry-run')
    run = bus.run(*words).expect(0)
    assert 'Adopt of fresh, the TimesTen Server of tt60' in run.out and 'nothing is ever taken away' in run.out, run
    assert re.search(r'^1 +check ', run.out, re.M) and re.search(r'^2 +declare ', run.out, re.M), run
    assert re.search(r'^info +port-owner fresh: Port 16002', run.out, re.M) and 'An adoption may begin.' in run.out, run
    assert [call.split()[:3] for call in bus.calls()] == [['CheckAdopt', 'fresh', 'tt60'], ['PlanAdopt', 'fresh', 'tt60']], bus.calls()
    assert 'mode=relay' in bus.calls()[0] and 'kind=' not in bus.calls()[0], bus.calls()
    assert json.loads(bus.run(*words, '--json').expect(0).out)['target'] == 'tt60'


@mocked(Checks='failed')
def refused_adoption_tells_the_remedy(bus):
    run = bus.run('adopt', 'fresh', '--instance=tt60').expect(15)
    assert re.search(r'^error +port-owner', run.err, re.M) and 'End it' in run.err and '--dry-run' in run.err, run
    assert 'would be refused' in bus.run('adopt', 'fresh', '--instance=tt60', '--dry-run').expect(15).out


@mocked()
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


@mocked(Checks='failed')
def confirmation_is_not_asked_where_checks_forbid_it(bus):
    terminal = Terminal(bus, ['rollback', 'main', '--allow-data-loss'])
    run = terminal.end().expect(15)
    assert 'y/N' not in run.out and 'Make room in /data' in run.out, run
    assert not [call for call in bus.calls() if call.startswith('Rollback')], bus.calls()


@mocked(Confirmation='unconfirmed', ConfirmInSec=720)
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


@mocked(Confirmation='unconfirmed')
def server_without_a_deadline_may_go_back(bus):
    out = bus.run('status', 'main').expect(0).out
    assert re.search(r'^Confirmation: unconfirmed, may go back to tt50 without loss$', out, re.M), out
    assert bus.json_once('status', 'main')['server']['confirm_by'] is None


@mocked()
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


@mocked()
def confirm_on_a_terminal_is_asked_for(bus):
    terminal = Terminal(bus, ['confirm', 'main'])
    terminal.read('Let main stay with tt60\\? Going back to tt50 loses')
    terminal.type('n\n')
    assert 'nothing was changed' in terminal.end().expect(25).out
    assert not [call for call in bus.calls() if call.startswith('Confirm')], bus.calls()


@mocked(PaceMSec=2000)
def deadline_travels_with_the_upgrade(bus):
    bus.run('upgrade', 'main', 'tt70', '--method=online', '--confirm-within=30min', '--no-wait').expect(0)
    assert 'confirm-within=1800000000' in bus.calls()[-1] and 'method=online' in bus.calls()[-1], bus.calls()
    for words in (('rollback', 'main', '--confirm-within=1h'), ('confirm', 'main', '--outage-limit=5s'),
                  ('upgrade', 'main', 'tt70', '--backwards-compat-off')):
        assert 'does not go with' in bus.run(*words).expect(2).err, words


@mocked()
def clean_names_what_goes(bus):
    run = bus.run('clean', 'main', '--databases=orders,stock', '--exports=3').expect(0)
    assert 'Job 7: clean of main: tt60' in run.out and 'tt70 serves main as before' in run.out, run
    assert 'Release' not in run.out and 'held for' not in run.out, run
    call = bus.calls()[-1].split()
    assert call[0] == 'Clean' and set(call[1:]) == {
        'databases=orders,stock', 'exports=yes', 'job=3', 'interactive=1'}, call
    bus.run('clean', 'main', '--exports', '--quiet').expect(0)
    assert bus.calls()[-1] == 'Clean exports=yes interactive=1', bus.calls()


@mocked()
def clean_on_a_terminal_is_confirmed(bus):
    terminal = Terminal(bus, ['clean', 'main', '--databases=orders'])
    assert 'path-allowed' in terminal.read('Remove all this for good\\?'), 'what goes is not shown first'
    terminal.type('n\n')
    terminal.end().expect(25)
    assert [call.split()[0] for call in bus.calls()] == ['Check'], bus.calls()
    assert 'databases=orders' in bus.calls()[0] and 'kind=clean' in bus.calls()[0], bus.calls()


@mocked(End='needs-attention')
def retry_goes_on_and_is_followed(bus):
    run = bus.run('upgrade', 'main', 'tt70').expect(20)
    assert 'ttctl retry 7' in run.err, run
    run = bus.run('retry', '7').expect(0)
    assert 'Done: tt70 serves main now' in run.out, run
    assert bus.calls()[-1] == 'Retry interactive=1', bus.calls()
    assert 'It is fine' in bus.run('retry', '7').expect(14).err
    bus.run('retry', '9').expect(12)


@mocked(End='needs-attention')
def retry_without_waiting(bus):
    bus.run('upgrade', 'main', 'tt70').expect(20)
    value = json.loads(bus.run('retry', '7', '--no-wait', '--json').expect(0).out)
    assert value['begun']['id'] == 7, value
    bus.run('job', '7', '--follow').expect(0)


@mocked(PaceMSec=200, DieAfterMSec=900, AwayMSec=1500)
def follow_holds_across_a_restart(bus):
    run = bus.run('upgrade', 'main', 'tt70').expect(0)
    assert os.path.exists(bus.path('died')), 'the service did not die'
    assert progress_steps(run.out) == STEPS, run
    assert 'Done: tt70 serves main now' in run.out, run


@mocked(DieAfterMSec=400)
def follow_sees_an_end_that_came_while_the_service_was_away(bus):
    run = bus.run('upgrade', 'main', 'tt70', '--json').expect(0)
    assert os.path.exists(bus.path('died')), 'the service did not die'
    assert json.loads(run.out)['job']['result'] == 'done', run


@mocked()
def job_can_be_followed_later(bus):
    bus.run('upgrade', 'main', 'tt70', '--no-wait').expect(0)
    run = bus.run('job', '7', '--follow').expect(0)
    assert progress_steps(run.out) == STEPS and 'Done:' in run.out, run
    again = bus.run('job', '7', '-f').expect(0)
    assert 'Done:' in again.out, again


@mocked(PaceMSec=200)
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


@mocked(UpgradeTakesMSec=2000)
def ctrl_c_while_asking_says_that_the_outcome_is_open(bus):
    upgrade = bus.begin('upgrade', 'main', 'tt70')
    while 'Upgrade tt70' not in ' '.join(bus.calls()):
        time.sleep(0.02)
    upgrade.send_signal(signal.SIGINT)
    _, err = upgrade.communicate(timeout=10)
    assert upgrade.returncode == 130 and 'ttctl jobs' in err, (upgrade.returncode, err)
