"""A clock that jumps from timer to timer, for tests of CPython that count on virtual time."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from contextvars import Context
from typing import Any

# Before the clock jumps, what is ready runs for so many turns: longer than any chain of callbacks
# between two timers of these tests.
TURNS_UNTIL_SETTLED = 20


def on_virtual_clock(loop_class: Any) -> Any:
    """A class like `loop_class` whose time begins at zero, and jumps when nothing else is ready.

    CPython's tests have a mock of a loop for this. Here the loop under test runs the callbacks, so
    the tests tell something about it; only the timers are not its own.
    """
    return type("LoopOnVirtualClock", (VirtualClock, loop_class), {})


class VirtualClock:
    """The timers of a loop, to stand before its class."""

    call_soon: Callable[..., asyncio.Handle]

    def __init__(self) -> None:
        self._now = 0.0
        self._alarms: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._numbers = itertools.count()
        self._settling = False
        super().__init__()

    def time(self) -> float:
        return self._now

    def advance_time(self, seconds: float) -> None:
        """Tests move the clock by themselves, too."""
        self._now += seconds

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: object,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: object,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._alarms, (when, next(self._numbers), handle))
        self._wait_until_settled()
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Nothing to count: a cancelled timer is skipped when its time comes."""

    def _wait_until_settled(self) -> None:
        if not self._settling:
            self._settling = True
            self.call_soon(self._settle, TURNS_UNTIL_SETTLED)

    def _settle(self, turns: int) -> None:
        if turns:
            self.call_soon(self._settle, turns - 1)
            return
        self._settling = False
        self._jump()

    def _jump(self) -> None:
        while self._alarms and self._alarms[0][2].cancelled():
            heapq.heappop(self._alarms)
        if not self._alarms:
            return
        self._now = max(self._now, self._alarms[0][0])
        while self._alarms and self._alarms[0][0] <= self._now:
            _, _, handle = heapq.heappop(self._alarms)
            if not handle.cancelled():
                self.call_soon(handle._run)
        if self._alarms:
            self._wait_until_settled()
