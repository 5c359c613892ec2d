"""For all tests: programs that they start hear Ctrl-C and SIGHUP, whoever started the tests."""

from __future__ import annotations

import signal

# A shell has its background jobs ignore the one, nohup the other, and programs inherit that; not
# what is done instead.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
