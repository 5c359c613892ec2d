"""For all tests: programs that they start hear Ctrl-C, whoever started the tests."""

from __future__ import annotations

import signal

# A shell has its background jobs ignore it, and programs inherit that; not what is done instead.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
