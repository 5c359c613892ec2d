"""`Deadline`: so much time for all that is done inside, however deep it is called."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from hoopsnake._native import heed_deadlines
from hoopsnake.limits._around import around
from hoopsnake.limits._errors import DeadlineExceeded

__all__ = ["Deadline"]

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class _Moment:
    """When time is up on the loop's clock, perhaps never, and the task that is ended then."""

    __slots__ = ("at", "task")

    def __init__(self, at: float, task: asyncio.Task[Any] | None) -> None:
        self.at = at
        self.task = task


# The nearest deadline of the code at work.
_nearest: ContextVar[_Moment | None] = ContextVar("hoopsnake_deadline", default=None)


class Deadline:
    """So many seconds: `async with Deadline(2):`, or `@Deadline(2)` above an async function.

    What is still at work then is cancelled, and `DeadlineExceeded` is raised, which is a
    `TimeoutError`. Deadlines inside of each other never add time: the nearest counts. Tasks that
    are started inside know the deadline too (it is in their context), so that what they call can
    ask for `Deadline.left()` and pass it on.

    One is entered once, like `asyncio.timeout`; as a decorator it begins anew with each call.

    Args:
        seconds: the time, from entering on. None: no deadline of its own.
    """

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self._timeout: asyncio.Timeout | None = None
        self._outer: Token[_Moment | None] | None = None
        self._moment = _Moment(math.inf, None)
        self._around: _Moment | None = None

    @staticmethod
    def left() -> float | None:
        """Return the seconds until the nearest deadline of the code that calls; None: any time.

        It is 0 once the deadline has passed.
        """
        nearest = _nearest.get()
        if nearest is None or nearest.at == math.inf:
            return None
        return max(0.0, nearest.at - asyncio.get_running_loop().time())

    @property
    def expired(self) -> bool:
        """Whether it ended what was at work inside."""
        return self._timeout is not None and self._timeout.expired()

    @property
    def is_over(self) -> bool:
        """Whether its time is up, whatever has become of what is inside."""
        return self.expired or self._moment.at <= asyncio.get_running_loop().time()

    def withdraw(self) -> None:
        """Let what is inside take its time from now on, or that of a deadline around this one.

        Raises:
            RuntimeError: it was not entered, or was left.
        """
        if self._timeout is None:
            raise RuntimeError("the deadline was not entered")
        around = self._around or _Moment(math.inf, None)
        if self._moment.at < around.at:
            self._moment.at = around.at
            # The one around it ends its own task by itself.
            is_theirs = around.task is self._moment.task or around.at == math.inf
            self._timeout.reschedule(None if is_theirs else around.at)

    async def __aenter__(self) -> Self:
        if self._timeout is not None:
            raise RuntimeError("a deadline is entered once; make another")
        heed_deadlines(Deadline.left)
        task = asyncio.current_task()
        nearest = self._around = _nearest.get()
        at = nearest.at if nearest is not None else math.inf
        if self.seconds is not None:
            at = min(at, asyncio.get_running_loop().time() + self.seconds)
        # Where a deadline around this one is nearer and ends this task, nothing is left to do here.
        is_theirs = nearest is not None and nearest.at == at and nearest.task is task
        timeout = self._timeout = asyncio.timeout_at(None if is_theirs or at == math.inf else at)
        self._moment = _Moment(at, task)
        self._outer = _nearest.set(self._moment)
        try:
            await timeout.__aenter__()
        except BaseException:
            _nearest.reset(self._outer)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._timeout is None or self._outer is None:
            raise RuntimeError("the deadline was not entered")
        _nearest.reset(self._outer)
        try:
            await self._timeout.__aexit__(kind, error, traceback)
        except TimeoutError as passed:
            whose = "of the caller" if self.seconds is None else f"of {self.seconds:g} s"
            raise DeadlineExceeded(f"the deadline {whose} has passed") from passed.__cause__

    def __call__(
        self, function: Callable[_Arguments, Awaitable[_Result]]
    ) -> Callable[_Arguments, Coroutine[object, None, _Result]]:
        """Return the async function with so much time for each of its calls."""
        return around(lambda: Deadline(self.seconds), function, self)
