"""The stop of a server: whether it was asked for, and how urgently."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Iterator

from hoopsnake._event_loop import EventLoop

__all__ = ["Stop", "in_main_thread"]


class Stop:
    """What has been asked for: a stop, and then perhaps a stop at once.

    A server is ready for requests as long as `asked` is not set.
    """

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.at_once = asyncio.Event()
        self.linger = 0.0
        """Seconds for which idle connections stay open, for requests that are on their way."""

    def ask(self) -> None:
        """Take a signal: the first asks for a stop, the second for a stop at once."""
        (self.at_once if self.asked.is_set() else self.asked).set()

    @contextlib.contextmanager
    def on_signals(self, loop: EventLoop) -> Iterator[None]:
        """Listen to SIGINT and SIGTERM where Python lets us: in the main thread."""
        if not in_main_thread():
            yield
            return
        previous = {
            each: (loop._signal_handlers.get(each), signal.getsignal(each))
            for each in (signal.SIGINT, signal.SIGTERM)
        }
        for each in previous:
            loop.add_signal_handler(each, self.ask)
        try:
            yield
        finally:
            for each, (on_loop, handler) in previous.items():
                loop.remove_signal_handler(each)
                if on_loop is not None:
                    loop.add_signal_handler(each, on_loop._run)
                else:
                    signal.signal(each, handler)


def in_main_thread() -> bool:
    """Whether signals may be handled here."""
    return threading.current_thread() is threading.main_thread()
