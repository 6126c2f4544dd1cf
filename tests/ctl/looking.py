"""What ttctl tells of servers, sockets, checks and plans, and its holds."""
import json
import re

from bus import STEPS, mocked


@mocked()
def list_shows_servers_and_instances(bus):
    out = bus.run('list').expect(0).out
    assert re.search(r'^main +serving +16002 +tt60$', out, re.M), out
    assert re.search(r'^tt70 +7\.0\.6 +running$', out, re.M), out
    value = bus.json('list')
    assert value['servers'][0] == {'name': 'main', 'state': 'serving', 'port': 16002,
                                   'instance': 'tt60', 'confirmation': None, 'confirm_by': None}, value
    assert [i['name'] for i in value['instances']] == ['tt60', 'tt70']


@mocked()
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


@mocked()
def facts_are_listed_with_what_sets_them(bus):
    out = bus.run('facts').expect(0).out
    assert re.search(r'^limit-look +G +2min +An estimate +/etc/timesten-upgrade/facts.d/site.conf:2$', out, re.M), out
    assert re.search(r'^client-sql-program +R +ttIsqlCS +22.1 reference +-$', out, re.M), out
    out = bus.run('facts', 'limit-look').expect(0).out
    assert 'site.conf:2, instead of 30s' in out and 'How long' in out and 'client' not in out, out
    assert 'ttctl facts shows' in bus.run('facts', 'colour').expect(17).err
    facts = bus.json_once('facts')['facts']
    assert facts[0]['override'].endswith(':2') and facts[0]['default'] == '30s' and facts[1]['override'] is None, facts


@mocked()
def probe_tells_what_differs_first(bus):
    out = bus.run('probe', 'tt70').expect(15).out
    assert re.search(r'^differs +admin-unloaded\b', out, re.M), out
    assert out.index('admin-unloaded') < out.index('status-server') < out.index('limit-look'), out
    assert 'exit status 28' in out and '1 held, 1 differs, 1 not tried' in out, out
    run = bus.run('probe', 'tt70', '--scratch=tmp', '--json=short').expect(15)
    value = json.loads(run.out)
    assert (value['held'], value['differs'], value['untried']) == (1, 1, 1), value
    assert value['facts'][0]['seen'] is None and value['release'] == '7.0.6', value


@mocked(WrongFacts=1)
def wrong_facts_are_told_with_the_list(bus):
    run = bus.run('facts').expect(18)
    assert 'limit-look' in run.out and 'other.conf:3: unknown key' in run.err, run
    value = bus.run('facts', '--json=short').expect(18)
    assert json.loads(value.out)['problems'] == ['other.conf:3: unknown key colour= in [Facts]'], value


@mocked(OldService=1)
def service_that_holds_no_sockets_is_understood(bus):
    assert 'web.socket' not in bus.run('list').expect(0).out
    assert bus.json_once('status')['sockets'] == []


@mocked(Empty=1)
def an_empty_house_is_told(bus):
    assert 'No servers are configured' in bus.run('list').expect(0).out
    assert 'No servers are configured' in bus.run('status').expect(0).out
    assert 'There are no jobs' in bus.run('jobs').expect(0).out
    assert bus.json('list') == {'version': 1, 'servers': [], 'instances': [], 'sockets': []}
    assert bus.json('jobs') == {'version': 1, 'jobs': []}


@mocked()
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


@mocked(PaceMSec=1000)
def status_shows_the_job_at_work(bus):
    bus.run('upgrade', 'main', 'tt70', '--no-wait').expect(0)
    value = bus.json_once('status', 'main')
    assert value['job']['id'] == 7 and value['job']['state'] == 'running', value
    assert re.search(r'Job: 7, upgrade', bus.run('status', 'main').out)
    assert re.search(r'^Job 7 on main: ', bus.run('status').out, re.M)


@mocked(Checks='failed')
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


@mocked()
def check_without_errors_succeeds(bus):
    run = bus.run('check', 'main', 'tt70').expect(0)
    assert '0 errors, 1 warning' in run.out and 'ttctl upgrade main tt70' in run.out, run


@mocked()
def checks_are_listed_without_a_server(bus):
    out = bus.run('check', '--list').expect(0).out
    assert re.search(r'^error +space-for-database +database +upgrade +any +yes +no +There is room', out, re.M), out
    assert re.search(r'^error +data-loss +server +rollback +offline +no +no +Nothing is lost', out, re.M), out
    assert bus.json('check', '--list')['checks'][1]['never_skipped'] == 'rows would be lost'
    assert {call.split()[0] for call in bus.calls()} == {'ListChecks'}, bus.calls()
    bus.run('check').expect(17)
    bus.run('check', 'main', 'tt70', '--list').expect(17)
    bus.run('check', 'main').expect(2)


@mocked()
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


@mocked()
def hold_has_a_limit_always(bus):
    assert 'at most 1min 0s' in bus.run('hold', 'main').expect(0).out
    bus.run('hold', 'main', '90').expect(0)
    bus.run('hold', 'spare', '--limit=2min').expect(0)
    assert [call.rsplit(' ', 1)[0] for call in bus.calls()] == [
        'Hold main 60000000', 'Hold main 90000000', 'Hold spare 120000000'], bus.calls()
    assert re.search(r'^main +held .* 7\.\ds, .*left$', bus.run('status').out, re.M)
    value = json.loads(bus.run('resume', 'main', '--json').expect(0).out)
    assert value['server']['state'] == 'serving' and value['server']['hold_deadline'] is None, value
