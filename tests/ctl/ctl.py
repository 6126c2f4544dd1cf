"""ttctl against a service that plays the contract (mock.c) on a bus of its own.

    ctl.py TTCTL MOCK ERRORS TEST     one test; the names are those of the functions in the modules, with dashes
    ctl.py --list                     all names
"""
import contextlib
import sys

import changes  # noqa: F401
import looking  # noqa: F401
import screen  # noqa: F401
import trouble  # noqa: F401
from bus import TESTS, Bus

if sys.argv[1:2] == ['--list']:
    print('\n'.join(TESTS))
else:
    function, script, installed = TESTS[sys.argv[4]]
    with contextlib.closing(Bus(sys.argv[1:4], script, installed)) as own:
        function(own)
