"""`CircuitBreaker`: a dependency that fails too often is left alone for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, ParamSpec, TypeVar

from hoopsnake._native import Breaker
from hoopsnake.limits._around import around
from hoopsnake.limits._errors import CircuitOpen, QueueFull, RateLimited

__all__ = ["BreakerStats", "CircuitBreaker", "Errors", "matcher"]

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

Errors = type[BaseException] | tuple[type[BaseException], ...] | Callable[[BaseException], bool]
"""Exceptions by class, by several, or by what a function says of one."""


def matcher(errors: Errors) -> Callable[[BaseException], bool]:
    """Return the function that tells whether an exception is one of those."""
    if isinstance(errors, type | tuple):
        classes = errors
        return lambda error: isinstance(error, classes)
    return errors


@dataclass(frozen=True, slots=True)
class BreakerStats:
    """What a `CircuitBreaker` does now, and what it has seen."""

    state: Literal["closed", "open", "half-open"]
    succeeded: int
    """Calls in the window that did."""
    failed: int
    """Calls in the window that did."""
    refused: int
    """How many ever got `CircuitOpen`."""
    openings: int
    """How often it has opened."""


class CircuitBreaker:
    """Leaves a failing dependency alone: `async with breaker:`, or `@breaker` above a function.

    Closed, it counts. Once at least `least_calls` calls are in the window and `failure_rate` of
    them failed it opens, and calls get `CircuitOpen` without being made. After `open_for` seconds
    it is half open: `probes` calls may be made. If all succeed it closes, if one fails it opens
    again. A call that is cancelled counts neither way.

    Args:
        failure_rate: the share of failures at which it opens, above 0 and at most 1.
        least_calls: below that many calls in the window it stays closed.
        window: how far back calls count, in seconds.
        open_for: how long it stays open, in seconds.
        probes: how many calls have to succeed before it closes.
        failures: which exceptions speak against the dependency: a class, several, or a function
            that tells. Others count as successes: it did answer.
        clock: what tells the time, in seconds.

    Raises:
        ValueError: for a setting that cannot be meant.
    """

    def __init__(
        self,
        *,
        failure_rate: float = 0.5,
        least_calls: int = 20,
        window: float = 10.0,
        open_for: float = 5.0,
        probes: int = 3,
        failures: Errors = Exception,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if least_calls < 1 or probes < 1:
            raise ValueError("least_calls and probes have to be at least 1")
        self._breaker = Breaker(failure_rate, least_calls, window, open_for, probes)
        self._is_failure = matcher(failures)
        self._clock = clock
        # Passages by the task that has them, the innermost last.
        self._inside: dict[asyncio.Task[Any] | None, list[int]] = {}

    @property
    def state(self) -> Literal["closed", "open", "half-open"]:
        """What it does with calls."""
        return self._breaker.state(self._clock())

    def open(self) -> None:
        """Refuse calls for `open_for` seconds, whatever was counted."""
        self._breaker.open(self._clock())

    def close(self) -> None:
        """Let calls pass, and forget what was counted."""
        self._breaker.close()

    def stats(self) -> BreakerStats:
        """Return what it does now, and what it has seen."""
        return BreakerStats(self.state, *self._breaker.counts(self._clock()))

    async def __aenter__(self) -> None:
        """Begin a call; the task that begins it has to end it.

        Raises:
            CircuitOpen: it must not be made.
        """
        passage, wait = self._breaker.enter(self._clock())
        if passage is None:
            said = f"it is probed again in {wait:.3g} s" if wait else "probes are under way"
            raise CircuitOpen(f"the circuit is open after too many failures; {said}", wait)
        self._inside.setdefault(asyncio.current_task(), []).append(passage)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        task = asyncio.current_task()
        passages = self._inside.get(task)
        if not passages:
            raise RuntimeError("a circuit breaker was left by a task that did not enter it")
        passage = passages.pop()
        if not passages:
            del self._inside[task]
        self._breaker.leave(passage, self._went_well(error), self._clock())

    def __call__(
        self, function: Callable[_Arguments, Awaitable[_Result]]
    ) -> Callable[_Arguments, Coroutine[object, None, _Result]]:
        """Return the async function with each of its calls inside of the breaker."""
        return around(lambda: self, function, self)

    def _went_well(self, error: BaseException | None) -> bool | None:
        if error is None:
            return True
        if isinstance(error, RateLimited | QueueFull | CircuitOpen):
            # Another limit said no, so the call was not made.
            return None
        if self._is_failure(error):
            return False
        # A caller that gives up says nothing of whom it called; an answer that is an error does.
        return True if isinstance(error, Exception) else None
