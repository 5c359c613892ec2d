"""`RateLimit`: so often in so long, for each key, with those who have to wait in order."""

from __future__ import annotations

import asyncio
import functools
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import ParamSpec, TypeVar

from hoopsnake._native import RateTable
from hoopsnake.limits._around import around, async_function
from hoopsnake.limits._errors import RateLimited

__all__ = ["KeyedRate", "RateLimit", "RateStats"]

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class RateStats:
    """What a `RateLimit` has seen."""

    allowed: int
    refused: int
    """How many got `RateLimited`."""
    waiting: int
    keys: int
    """Keys that have not all of their burst back."""
    forgotten: int
    """Keys that were forgotten before they had it, because there were more than `max_keys`."""


class _Line:
    """Those who wait for one key, and the timer of the first."""

    def __init__(self) -> None:
        self.waiting: OrderedDict[asyncio.Future[None], int] = OrderedDict()
        self.cost = 0
        self.timer: asyncio.TimerHandle | None = None


class RateLimit:
    """So often in so long: `async with limit:`, or `@limit` above an async function.

    Who comes too early waits until it may, in order; with `max_wait` it is told so instead, by
    `RateLimited`. In any stretch of time no more than `burst` and what the rate gives in that time
    gets through (GCRA). One who is cancelled while it waits takes nothing.

    Args:
        rate: how often, in each `per`.
        per: a time in seconds.
        burst: how many may come at once. With 1 they are spaced evenly.
        max_wait: the longest time in seconds that one may have to wait. Who would have to wait
            longer gets `RateLimited` at once; with 0 that is everybody. None: any time.
        max_keys: how many keys are remembered. Beyond that, those are forgotten that have used the
            least of their burst.
        clock: what tells the time, in seconds.

    Raises:
        ValueError: for a rate, a time or a burst that is not above 0.
    """

    def __init__(
        self,
        rate: float,
        per: float = 1.0,
        *,
        burst: int = 1,
        max_wait: float | None = None,
        max_keys: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if burst < 1 or max_keys < 1 or (max_wait is not None and max_wait < 0):
            raise ValueError("burst and max_keys have to be at least 1, and max_wait at least 0")
        self._table = RateTable(rate, per, burst, max_keys)
        self._max_wait = math.inf if max_wait is None else max_wait
        self._says = f"{rate:g} in {per:g} s, {burst} at once"
        self._clock = clock
        self._lines: dict[str, _Line] = {}
        self._waiting = 0
        self._refused = 0

    async def acquire(self, key: str = "", *, cost: int = 1) -> None:
        """Wait until `key` may act `cost` times, and count that.

        Raises:
            RateLimited: the wait would be longer than `max_wait`, or the cost is above the burst.
        """
        line = self._lines.get(key)
        if line is None and self._table.take(key, cost, self._clock()) == 0.0:
            return
        ahead = line.cost if line is not None else 0
        wait = self._table.look(key, ahead, cost, self._clock())
        if wait > self._max_wait or wait == math.inf:
            self._refused += 1
            raise self._refusal(key, wait)
        await self._wait(key, cost)

    def try_acquire(self, key: str = "", *, cost: int = 1) -> bool:
        """Count `cost` acts of `key` if it may act now and nobody waits; tell whether."""
        return self._wait_of(key, cost) == 0.0

    def check(self, key: str = "", *, cost: int = 1) -> None:
        """Count `cost` acts of `key` if it may act now; never waits.

        Raises:
            RateLimited: it may not.
        """
        wait = self._wait_of(key, cost)
        if wait > 0.0:
            self._refused += 1
            raise self._refusal(key, wait)

    def left(self, key: str = "") -> int:
        """Return how many times `key` may act at once, now."""
        return self._table.left(key, self._clock())

    def reset(self, key: str = "") -> None:
        """Give `key` all of its burst back."""
        self._table.forget(key)
        if key in self._lines:
            self._serve(key)

    def of(self, key: str, *, cost: int = 1) -> KeyedRate:
        """Return the limit of one key, or of acts that cost more, for `async with` and `@`."""
        return KeyedRate(self, key, cost)

    def by(
        self, key: Callable[_Arguments, str]
    ) -> Callable[
        [Callable[_Arguments, Awaitable[_Result]]],
        Callable[_Arguments, Coroutine[object, None, _Result]],
    ]:
        """Return a decorator that takes each call's key from its arguments."""

        def decorate(
            function: Callable[_Arguments, Awaitable[_Result]],
        ) -> Callable[_Arguments, Coroutine[object, None, _Result]]:
            async_function(function, self)

            async def keyed(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
                await self.acquire(key(*args, **kwargs))
                return await function(*args, **kwargs)

            return functools.wraps(function)(keyed)

        return decorate

    def stats(self) -> RateStats:
        """Return what it has seen."""
        allowed, _, keys, forgotten = self._table.counts()
        return RateStats(allowed, self._refused, self._waiting, keys, forgotten)

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None

    def __call__(
        self, function: Callable[_Arguments, Awaitable[_Result]]
    ) -> Callable[_Arguments, Coroutine[object, None, _Result]]:
        """Return the async function with each of its calls counted."""
        return around(lambda: self, function, self)

    def _wait_of(self, key: str, cost: int) -> float:
        line = self._lines.get(key)
        if line is None:
            return self._table.take(key, cost, self._clock())
        wait = self._table.look(key, line.cost, cost, self._clock())
        return wait if wait > 0.0 else math.ulp(0.0)

    def _refusal(self, key: str, wait: float) -> RateLimited:
        of = f" of {key!r}" if key else ""
        if wait == math.inf:
            return RateLimited(f"the rate{of} is {self._says}; this costs more than that at once")
        return RateLimited(f"the rate{of} is {self._says}; the next may be in {wait:.3g} s", wait)

    async def _wait(self, key: str, cost: int) -> None:
        line = self._lines.setdefault(key, _Line())
        turn = asyncio.get_running_loop().create_future()
        line.waiting[turn] = cost
        line.cost += cost
        self._waiting += 1
        if len(line.waiting) == 1:
            self._serve(key)
        try:
            await turn
        except BaseException:
            if turn in line.waiting:
                self._leave(line, turn)
            elif turn.done() and not turn.cancelled():
                # It was let through and does not go.
                self._table.give_back(key, cost)
            self._serve(key)
            raise

    def _leave(self, line: _Line, turn: asyncio.Future[None]) -> None:
        line.cost -= line.waiting.pop(turn)
        self._waiting -= 1

    def _serve(self, key: str) -> None:
        """Let those act who may now, and set the timer for the next."""
        line = self._lines.get(key)
        if line is None:
            return
        if line.timer is not None:
            line.timer.cancel()
            line.timer = None
        while line.waiting:
            turn, cost = next(iter(line.waiting.items()))
            loop = turn.get_loop()
            if turn.done() or loop.is_closed():
                self._leave(line, turn)
                continue
            wait = self._table.take(key, cost, self._clock())
            if wait > 0.0:
                line.timer = loop.call_later(wait, self._serve, key)
                return
            self._leave(line, turn)
            turn.set_result(None)
        del self._lines[key]


class KeyedRate:
    """One key of a `RateLimit`: `async with limit.of("host"):`; `RateLimit.of` makes it."""

    def __init__(self, limit: RateLimit, key: str, cost: int) -> None:
        self._limit = limit
        self._key = key
        self._cost = cost

    async def __aenter__(self) -> None:
        await self._limit.acquire(self._key, cost=self._cost)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None

    def __call__(
        self, function: Callable[_Arguments, Awaitable[_Result]]
    ) -> Callable[_Arguments, Coroutine[object, None, _Result]]:
        """Return the async function with each of its calls counted for the key."""
        return around(lambda: self, function, self._limit)
