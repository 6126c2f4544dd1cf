"""The manual pages tell what the program, the configuration reader and the bus contract have.

    manual.py SOURCE TTCTL MOCK ERRORS FACTS-PAGE TEST
    manual.py --list
"""
import contextlib
import json
import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

from bus import Bus

PAGES = ('ttctl.1', 'org.timesten.Upgrade1.5', 'timesten-upgrade.conf.5', 'timesten-upgrade.7',
         'timesten-upgrade-online.7', 'timesten-two-hosts.7',
         'port-keeper.8', 'timesten-upgraded.8')


def page(tools, name):
    return (tools.source / 'docs' / name).read_text(encoding='utf-8')


def section(text, name):
    return re.search(rf'^\.SH {name}\n(.*?)(?=^\.SH |\Z)', text, re.M | re.S)[1]


def plain(text):
    """Roff's escapes as what they show."""
    text = re.sub(r'\\f[BIR]', '', text)
    return text.replace('\\-', '-').replace('\\(->', '->').replace('\\(aq', "'").replace('\\e', '\\')


def program(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def equal(told, found):
    assert told == found, f'the manual has {told}\nthe program has {found}'


def exit_statuses_are_the_error_table(tools):
    table = re.search(r'begin table\n(.*?)\.\\" end table', page(tools, 'ttctl.1'), re.S)[1]
    told = [(status, name, plain(meaning)) for status, name, meaning in
            re.findall(r'^\.TP\n\.B (\d+)\n(\w+): (.*)$', table, re.M)]
    found = []
    for line in program(tools.errors).splitlines():
        status, name, meaning = line.split('\t')
        found.append((status, name.rsplit('.', 1)[1], meaning))
    equal(told, found)


def verbs_are_those_of_the_help(tools):
    text = section(page(tools, 'ttctl.1'), 'VERBS')
    told = [(verb, arguments or '') for verb, arguments in
            re.findall(r'^\.TP\n\.BI? ([a-z]+)(?: " (.*)")?$', text, re.M)]
    help_text = program(tools.ttctl, '--help')
    verbs = re.search(r'^Verbs:\n(.*?)\n\n', help_text, re.M | re.S)[1]
    found = [(verb, arguments.strip()) for verb, arguments in
             re.findall(r'^  ([a-z]+)((?: [A-Z\[\]]+)*) ', verbs, re.M)]
    equal(told, found)


def options_are_those_of_the_help(tools):
    text = section(page(tools, 'ttctl.1'), 'OPTIONS')
    told = []
    for line in re.findall(r'^\.TP\n\.BR? (.*)$', text, re.M):
        words = plain(line).replace('"', '').replace(' ', '')
        letter = re.match(r'-(\w),', words)
        told.append((letter[1] if letter else '', re.search(r'--([a-z-]+)', words)[1],
                     '=' in words))
    options = program(tools.ttctl, '--help').split('Options:\n')[1]
    found = [(letter.strip('- '), name, bool(value)) for letter, name, value in
             re.findall(r'^  (  |-\w) --([a-z-]+)(\[?=)?', options, re.M)]
    equal(told, found)


def keys(value):
    """The shape of a value: keys and what is below them, of lists the first element."""
    if isinstance(value, dict):
        return {key: keys(below) for key, below in value.items()}
    if isinstance(value, list):
        return [keys(value[0])] if value else []
    return None


def json_shapes_are_those_of_the_program(tools):
    examples = re.findall(r'^\.\\" json (.*?)\n(.*?)^\.\\" end', page(tools, 'ttctl.1'), re.M | re.S)
    assert len(examples) == 12, examples
    script = {'End': 'failed', 'Checks': 'failed', 'PaceMSec': 1}
    with contextlib.closing(Bus(tools.programs, script)) as bus:
        bus.run('upgrade', 'main', 'tt70')  # so that there is a job
        for words, told in examples:
            run = bus.run(*plain(words).split(), '--json=short')
            equal((words, keys(json.loads(plain(told)))), (words, keys(json.loads(run.out))))


def configuration_keys_are_those_of_the_reader(tools):
    reader = (tools.source / 'state/inventory-file.c').read_text(encoding='utf-8')
    text = page(tools, 'timesten-upgrade.conf.5')
    for part, name in (('INSTANCE', 'INSTANCES'), ('SERVER', 'SERVERS')):
        told = re.findall(r'^\.TP\n\.I (\w+)=$', section(text, name), re.M)
        equal(set(told), set(re.findall(rf'{{ {part}, "(\w+)" }}', reader)))


def bus_members_are_those_of_the_contract(tools):
    text = page(tools, 'org.timesten.Upgrade1.5')
    for file in sorted((tools.source / 'dbus').glob('*.xml')):
        interface = xml.parse(file).getroot().find('interface')
        told = plain(section(text, interface.get('name')))
        for node in interface:
            kind, name = node.tag, node.get('name')
            if kind == 'property':
                wanted = rf'\b{name} {re.escape(node.get("type"))}[,\s]'
            elif kind == 'method':
                wanted = rf'\b{name}\({arguments(node, "in")}\)'
                if arguments(node, 'out'):
                    wanted += ' -> ' + arguments(node, 'out')
            elif kind == 'signal':
                wanted = rf'\b{name}\({arguments(node, None)}\)'
            else:
                continue
            assert re.search(wanted, told), f'{interface.get("name")}: {wanted} is not told'


def calls_by_hand_are_those_of_the_contract(tools):
    """Each call of the page for those who have busctl alone: method and signature, properties."""
    blocks = re.findall(r'^\.\\" calls\n(.*?)^\.\\" end', page(tools, 'timesten-upgrade-online.7'), re.M | re.S)
    interfaces = {}
    for file in (tools.source / 'dbus').glob('*.xml'):
        interface = xml.parse(file).getroot().find('interface')
        interfaces[interface.get('name')] = {(node.tag, node.get('name')): node for node in interface}
    seen = set()
    for line in plain(''.join(blocks).replace('\\e\n', ' ')).splitlines():
        words = [word for word in shlex.split(line) if not word.startswith('--')]
        verb, service, path, name, *rest = words[1:]
        equal((words[0], service, path.startswith('/org/timesten/Upgrade1/')), ('busctl', 'org.timesten.Upgrade1', True))
        seen.add((verb, rest[0]))
        if verb == 'get-property':
            missing = [one for one in rest if ('property', one) not in interfaces[name]]
            assert not missing, f'{name} has no {missing}'
            continue
        equal(verb, 'call')
        node = interfaces[name].get(('method', rest[0]))
        assert node is not None, f'{name} has no method {rest[0]}'
        equal(rest[1], ''.join(one.get('type') for one in node.iter('arg') if one.get('direction') == 'in'))
    methods = {name for verb, name in seen if verb == 'call'}
    equal(methods, {'Check', 'Plan', 'Upgrade', 'Rollback', 'Clean', 'Confirm'})


def arguments(node, direction):
    return ', '.join(re.escape(a.get('type')) for a in node.iter('arg')
                     if a.get('direction') == direction)


def steps_are_those_of_the_plan(tools):
    plan = (tools.source / 'job/plan.c').read_text(encoding='utf-8')
    for rows, name in (('offline[]', 'timesten-upgrade.7'), ('peer_upgrade[]', 'timesten-two-hosts.7')):
        found = re.findall(r'^ +{ "([a-z-]+)",', plan.split(rows)[1].split('};')[0], re.M)
        table = re.search(r'^\.TS\n.*?\n.*?\n(.*?)^\.TE', page(tools, name), re.M | re.S)[1]
        equal([plain(line).split('|')[0] for line in table.splitlines()], found)


def pages_are_clean(tools):
    pages = [tools.source / 'docs' / name for name in PAGES] + [tools.facts]
    for name in pages:
        done = subprocess.run(['groff', '-man', '-t', '-ww', '-Tutf8', '-z', str(name)],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0 and not done.stderr, f'{name}: {done.stderr}'


def page_of_facts_has_each_of_them(tools):
    """Made from the table; what is lost on the way would be lost to every reader."""
    shown = subprocess.run(['groff', '-man', '-Tascii', '-P-cbou', str(tools.facts)], capture_output=True, text=True,
                           check=True).stdout
    rows = (tools.source / 'timesten/belief-rows.c').read_text(encoding='utf-8')
    names = re.findall(r'^    \[BELIEF_\w+\] = { "([a-z-]+)", \'([SRIG])\'', rows, re.M)
    assert len(names) > 70, names
    for name, tag in names:
        assert re.search(rf'^ +{name}=(?:.*\n){{1,4}}? +{tag}, ', shown, re.M), f'{name} is not on the page'


TESTS = (exit_statuses_are_the_error_table, verbs_are_those_of_the_help,
         options_are_those_of_the_help, json_shapes_are_those_of_the_program,
         configuration_keys_are_those_of_the_reader, bus_members_are_those_of_the_contract,
         calls_by_hand_are_those_of_the_contract,
         steps_are_those_of_the_plan, page_of_facts_has_each_of_them, pages_are_clean)


class Tools:
    def __init__(self, words):
        self.source = Path(words[0])
        self.programs = words[1:4]
        self.ttctl, _, self.errors = self.programs
        self.facts = Path(words[4])  # the page that the build makes


def main():
    names = {test.__name__.replace('_', '-'): test for test in TESTS}
    if sys.argv[1:] == ['--list']:
        print('\n'.join(names))
        return
    names[sys.argv[6]](Tools(sys.argv[1:6]))


if __name__ == '__main__':
    main()
