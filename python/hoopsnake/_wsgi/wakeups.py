"""The way from threads to the loop: many wake it at once."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

__all__ = ["Wakeups"]


class Sleeper(Protocol):
    """Who waits on the loop."""

    def wake(self) -> None:
        """Go on; called on the loop's thread."""


class Wakeups:
    """Wakes those who wait on a loop, from any thread: one callback for all that come together.

    `_scheduled` is cleared before the first of them is taken out, and looked at after one was put
    in: so nobody is left behind.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._sleepers: deque[Sleeper] = deque()
        self._scheduled = False

    def add(self, sleeper: Sleeper) -> None:
        """Wake it soon."""
        self._sleepers.append(sleeper)
        if not self._scheduled:
            self._scheduled = True
            try:
                self._loop.call_soon_threadsafe(self._run)
            except RuntimeError:
                pass  # the loop is closed, and nobody waits any more

    def _run(self) -> None:
        self._scheduled = False
        sleepers = self._sleepers
        while sleepers:
            sleepers.popleft().wake()
