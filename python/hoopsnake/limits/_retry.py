"""`Retry`: try again after a pause, and `RetryBudget`: how often all callers together may."""

from __future__ import annotations

import asyncio
import functools
import random
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, ParamSpec, TypeVar

from hoopsnake._native import BudgetPolicy, RetryPolicy, retry_after
from hoopsnake.limits._around import async_function
from hoopsnake.limits._breaker import Errors, matcher
from hoopsnake.limits._deadline import Deadline

__all__ = [
    "Attempt",
    "Retry",
    "RetryBudget",
    "RetryBudgetStats",
    "RetryStats",
    "retry_after_seconds",
]

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def retry_after_seconds(value: str, now: float | None = None) -> float | None:
    """Return the seconds that a Retry-After header asks for; None if it is malformed.

    Args:
        value: seconds or an HTTP date (RFC 9110 section 10.2.3).
        now: the time since 1970 in seconds; None: this computer's.
    """
    return retry_after(value, time.time() if now is None else now)


@dataclass(frozen=True, slots=True)
class RetryBudgetStats:
    """What a `RetryBudget` has seen."""

    calls: int
    """In the window."""
    retries: int
    """In the window."""
    refused: int
    """How many retries there were no means for, ever."""
    left: float
    """How many retries there are means for now."""


class RetryBudget:
    """How many retries all callers together may add to the load of what they call.

    Each call pays a share of a retry in, each retry takes one out. If everything fails, the load
    grows by that share, and not by the number of attempts. Share one among the `Retry` and `Hedge`
    objects of one dependency.

    Args:
        ratio: retries for each call.
        reserve_per_second: retries in a second that there are means for in any case.
        window: how far back calls and retries count, in seconds.
        clock: what tells the time, in seconds.

    Raises:
        ValueError: for a negative setting.
    """

    def __init__(
        self,
        ratio: float = 0.2,
        *,
        reserve_per_second: float = 10.0,
        window: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._policy = BudgetPolicy(ratio, reserve_per_second, window)
        self._clock = clock

    def deposit(self) -> None:
        """Count a call that is made for the first time."""
        self._policy.deposit(self._clock())

    def withdraw(self) -> bool:
        """Tell whether there are means for one more retry, and take them then."""
        return self._policy.withdraw(self._clock())

    def stats(self) -> RetryBudgetStats:
        """Return what it has seen."""
        return RetryBudgetStats(*self._policy.counts(self._clock()))


@dataclass(slots=True)
class RetryStats:
    """What a `Retry` has seen."""

    calls: int = 0
    retries: int = 0
    recovered: int = 0
    """Calls that succeeded with a retry."""
    gave_up: int = 0
    """Calls that failed with an error of the kind that is retried."""


_REASONS = {
    "attempts": "the last of {most}",
    "time": "the next would come too late",
    "budget": "the retry budget is used up",
}


class Retry:
    """Tries again: `@retry` above an async function, `retry.call(…)`, or `async for`.

    Only errors named in `on` are retried, and only code that may run twice should be decorated.
    The pause grows with each attempt and is random, so that those who failed together do not come
    back together. An error with a `retry_after`, as `RateLimited` has one, is heeded. No attempt
    begins after a `Deadline` around it. The last error is raised as it is, with a note of what was
    tried.

    As a loop, where the code is no function:

        async for attempt in Retry(on=ConnectionError):
            async with attempt:
                ...

    Args:
        on: which exceptions are retried: a class, several, or a function that tells.
        attempts: how many in all, the first included.
        total: no attempt begins later than so many seconds after the first.
        first: the pause after the first attempt, in seconds, before randomness.
        factor: how many times as long each next pause is.
        longest: the longest pause, in seconds; one that `retry_after` asks for may be longer.
        jitter: "full": any moment up to the pause; "decorrelated": any moment from `first` to three
            times the last pause; "none".
        budget: what all retries of a dependency are paid from.
        clock: what tells the time, in seconds.
        random: what gives a number from 0 to below 1.

    Raises:
        ValueError: for a setting that cannot be meant.
    """

    def __init__(
        self,
        *,
        on: Errors,
        attempts: int = 3,
        total: float | None = None,
        first: float = 0.1,
        factor: float = 2.0,
        longest: float = 10.0,
        jitter: Literal["full", "decorrelated", "none"] = "full",
        budget: RetryBudget | None = None,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random.random,
    ) -> None:
        if attempts < 1:
            raise ValueError("attempts counts the first one too: it has to be at least 1")
        self._policy = RetryPolicy(attempts, total, first, factor, longest, jitter)
        self._attempts = attempts
        self._is_retried = matcher(on)
        self._budget = budget
        self._clock = clock
        self._random = random
        self._stats = RetryStats()

    def stats(self) -> RetryStats:
        """Return what it has seen."""
        seen = self._stats
        return RetryStats(seen.calls, seen.retries, seen.recovered, seen.gave_up)

    async def call(
        self,
        function: Callable[_Arguments, Awaitable[_Result]],
        *args: _Arguments.args,
        **kwargs: _Arguments.kwargs,
    ) -> _Result:
        """Call an async function until it succeeds or there is no other attempt."""
        trials = Trials(self)
        while True:
            try:
                result = await function(*args, **kwargs)
            except Exception as error:
                pause = trials.pause_after(error)
                if pause is None:
                    raise
            else:
                trials.succeeded()
                return result
            await asyncio.sleep(pause)

    def __call__(
        self, function: Callable[_Arguments, Awaitable[_Result]]
    ) -> Callable[_Arguments, Coroutine[object, None, _Result]]:
        """Return the async function with each of its calls retried."""
        inner = async_function(function, self)

        @functools.wraps(function)
        async def retried(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
            return await self.call(inner, *args, **kwargs)

        return retried

    def __aiter__(self) -> _Attempts:
        """Return the attempts of one call."""
        return _Attempts(Trials(self))


class Trials:
    """The attempts of one call, so far; for `Retry`, and for who has a loop of its own."""

    def __init__(self, retry: Retry) -> None:
        self.retry = retry
        self.number = 1
        self.began = retry._clock()
        self.last_pause: float | None = None
        retry._stats.calls += 1
        if retry._budget is not None:
            retry._budget.deposit()

    def succeeded(self) -> None:
        self.retry._stats.recovered += self.number > 1

    def pause_after(self, error: BaseException, left: float | None = None) -> float | None:
        """Return how long to wait before the next attempt; None if there is none.

        `left` is how many seconds there are; None: as many as a `Deadline` around it leaves.
        """
        retry = self.retry
        if not isinstance(error, Exception) or not retry._is_retried(error):
            return None
        asked = getattr(error, "retry_after", None)
        elapsed = retry._clock() - self.began
        decision: float | str = retry._policy.decide(
            self.number,
            True,
            elapsed,
            self.last_pause,
            asked if isinstance(asked, int | float) else None,
            retry._random(),
        )
        if not isinstance(decision, str):
            left = Deadline.left() if left is None else left
            if left is not None and decision >= left:
                decision = "time"
            elif retry._budget is not None and not retry._budget.withdraw():
                decision = "budget"
        if isinstance(decision, str):
            retry._stats.gave_up += 1
            why = _REASONS[decision].format(most=retry._attempts)
            error.add_note(f"attempt {self.number} after {elapsed:.3g} s; no other: {why}")
            return None
        retry._stats.retries += 1
        self.number += 1
        self.last_pause = decision
        return decision


class _Attempts:
    """What `async for attempt in retry` goes through."""

    def __init__(self, trials: Trials) -> None:
        self._trials = trials
        self._attempt: Attempt | None = None

    def __aiter__(self) -> _Attempts:
        return self

    async def __anext__(self) -> Attempt:
        before = self._attempt
        if before is not None:
            if before.pause is None:
                raise StopAsyncIteration
            await asyncio.sleep(before.pause)
        self._attempt = Attempt(self._trials)
        return self._attempt


class Attempt:
    """One attempt of a `Retry`: `async with attempt:` around the code that may be repeated."""

    def __init__(self, trials: Trials) -> None:
        self._trials = trials
        self.number: int = trials.number
        """Which one it is, from 1."""
        self.pause: float | None = None
        """Seconds until the next one; None while there is none."""

    async def __aenter__(self) -> Attempt:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if error is None:
            self._trials.succeeded()
            return False
        self.pause = self._trials.pause_after(error)
        return self.pause is not None
