"""`Hedge`: when a call is late, one more is started beside it, and the first answer counts."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from hoopsnake._ending import end_all
from hoopsnake._native import HedgePolicy
from hoopsnake.limits._around import async_function
from hoopsnake.limits._retry import RetryBudget

__all__ = ["Hedge", "HedgeStats"]

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


@dataclass(slots=True)
class HedgeStats:
    """What a `Hedge` has seen."""

    calls: int = 0
    hedged: int = 0
    """Attempts that were added."""
    won: int = 0
    """Added attempts that answered first."""
    known: int = 0
    """Calls in the window by which it tells what is late."""


class Hedge:
    """Cuts the slowest calls short: `@hedge` above an async function that may run twice at once.

    A call that takes longer than most did lately gets company: the same function is called once
    more, with the same arguments, each in a task of its own. The first that succeeds is the answer,
    and the others are cancelled and waited for. If all fail, the first error is raised.

    Args:
        percentile: a call is late when this share of those before were done by then; 0.95 adds at
            most about a twentieth to the load.
        most: how many attempts may be added to a call.
        after: when a call is late as long as fewer than `least_calls` are known, in seconds; None:
            never.
        least_calls: how many calls have to be known.
        shortest: no call is late before so many seconds.
        window: how far back calls count, in seconds.
        budget: what added attempts are paid from.
        clock: what tells the time, in seconds.

    Raises:
        ValueError: for a setting that cannot be meant.
    """

    def __init__(
        self,
        percentile: float = 0.95,
        *,
        most: int = 1,
        after: float | None = None,
        least_calls: int = 20,
        shortest: float = 0.001,
        window: float = 60.0,
        budget: RetryBudget | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if most < 1 or least_calls < 1:
            raise ValueError("most and least_calls have to be at least 1")
        self._policy = HedgePolicy(percentile, most, least_calls, after, shortest, window)
        self._budget = budget
        self._clock = clock
        self._stats = HedgeStats()

    def stats(self) -> HedgeStats:
        """Return what it has seen."""
        seen = self._stats
        return HedgeStats(seen.calls, seen.hedged, seen.won, self._policy.known(self._clock()))

    async def call(
        self,
        function: Callable[_Arguments, Awaitable[_Result]],
        *args: _Arguments.args,
        **kwargs: _Arguments.kwargs,
    ) -> _Result:
        """Call an async function, and once more if that is late; return the first answer."""
        if self._budget is not None:
            self._budget.deposit()
        return await self._call(function, *args, **kwargs)

    async def _call(
        self,
        function: Callable[_Arguments, Awaitable[_Result]],
        *args: _Arguments.args,
        **kwargs: _Arguments.kwargs,
    ) -> _Result:
        """Do that for a call which was paid for."""
        self._stats.calls += 1

        async def attempt() -> _Result:
            began = self._clock()
            result = await function(*args, **kwargs)
            now = self._clock()
            self._policy.record(now - began, now)
            return result

        if self._policy.delay(0, self._clock()) is None:
            return await attempt()
        tasks: list[asyncio.Task[_Result]] = [asyncio.create_task(attempt())]
        try:
            return await self._race(tasks, attempt)
        finally:
            await end_all(tasks)

    def __call__(
        self, function: Callable[_Arguments, Awaitable[_Result]]
    ) -> Callable[_Arguments, Coroutine[object, None, _Result]]:
        """Return the async function with each of its calls hedged."""
        inner = async_function(function, self)

        @functools.wraps(function)
        async def hedged(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
            return await self.call(inner, *args, **kwargs)

        return hedged

    async def _race(
        self,
        tasks: list[asyncio.Task[_Result]],
        attempt: Callable[[], Coroutine[object, None, _Result]],
    ) -> _Result:
        pending = set(tasks)
        failed: asyncio.Task[_Result] | None = None
        may_add = True
        while pending:
            delay = self._policy.delay(len(tasks) - 1, self._clock()) if may_add else None
            done, pending = await asyncio.wait(
                pending, timeout=delay, return_when=asyncio.FIRST_COMPLETED
            )
            # In the order in which they began: with two answers at once, the older counts.
            for task in sorted(done, key=tasks.index):
                if not task.cancelled() and task.exception() is None:
                    self._stats.won += task is not tasks[0]
                    return task.result()
                failed = failed or task
            if done:
                continue
            may_add = self._budget is None or self._budget.withdraw()
            if may_add:
                self._stats.hedged += 1
                tasks.append(asyncio.create_task(attempt()))
                pending.add(tasks[-1])
        assert failed is not None
        return failed.result()
