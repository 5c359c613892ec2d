"""`ConcurrencyLimit`: so many at once, and the others in the order in which they came."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import ParamSpec, TypeVar

from hoopsnake._native import Places
from hoopsnake.limits._around import around
from hoopsnake.limits._errors import QueueFull

__all__ = ["ConcurrencyLimit", "ConcurrencyStats"]

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class ConcurrencyStats:
    """What a `ConcurrencyLimit` holds now, and what it has seen."""

    limit: int
    running: int
    waiting: int
    entered: int
    """How many ever had a place."""
    refused: int
    """How many found no room to wait: `QueueFull`."""
    most_running: int
    most_waiting: int


class ConcurrencyLimit:
    """So many at once: `async with limit:`, or `@limit` above an async function.

    Who finds no place waits, and is served in order: nobody overtakes. One who is cancelled while
    it waits leaves the queue, and a place that it was just given goes to the next.

    Args:
        limit: how many may be inside at once; at least 1.
        max_waiting: how many may wait. The next one gets `QueueFull` at once. None: any number.

    Raises:
        ValueError: for a limit below 1, or a max_waiting below 0.
    """

    def __init__(self, limit: int, *, max_waiting: int | None = None) -> None:
        if limit < 1 or (max_waiting is not None and max_waiting < 0):
            raise ValueError("limit has to be at least 1 and max_waiting at least 0")
        self._places = Places(limit, max_waiting)
        self._waiting: dict[int, asyncio.Future[None]] = {}

    async def acquire(self) -> None:
        """Take a place, waiting for one if need be; `release` gives it back.

        Raises:
            QueueFull: there is none, and no room to wait for one.
        """
        ticket = self._places.enter()
        if ticket is None:
            return
        if ticket < 0:
            limit, running, waiting = self._places.depth()
            raise QueueFull(f"{running} of {limit} places are taken and {waiting} wait already")
        arrived = asyncio.get_running_loop().create_future()
        self._waiting[ticket] = arrived
        try:
            await arrived
        except BaseException:
            self._waiting.pop(ticket, None)
            self._admit(self._places.give_up(ticket))
            raise

    def try_acquire(self) -> bool:
        """Take a place if there is one at once, and nobody waits for it; tell whether."""
        return self._places.enter_at_once()

    def release(self) -> None:
        """Give a place back; it goes to the one who has waited longest.

        Raises:
            RuntimeError: none is taken.
        """
        if self._places.depth()[1] == 0:
            raise RuntimeError("release() without acquire()")
        self._admit(self._places.leave())

    def resize(self, limit: int) -> None:
        """Change how many may be inside at once. Those who are inside stay.

        Raises:
            ValueError: for a limit below 1.
        """
        for ticket in self._places.resize(limit):
            self._admit(ticket)

    def stats(self) -> ConcurrencyStats:
        """Return what it holds now, and what it has seen."""
        limit, running, waiting = self._places.depth()
        return ConcurrencyStats(limit, running, waiting, *self._places.counts())

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._admit(self._places.leave())

    def __call__(
        self, function: Callable[_Arguments, Awaitable[_Result]]
    ) -> Callable[_Arguments, Coroutine[object, None, _Result]]:
        """Return the async function with each of its calls inside of the limit."""
        return around(lambda: self, function, self)

    def _admit(self, ticket: int | None) -> None:
        """Tell whoever has a place now; those whose loop has ended have no more use for it."""
        while ticket is not None:
            arrived = self._waiting.pop(ticket, None)
            if arrived is not None and not arrived.done() and not arrived.get_loop().is_closed():
                arrived.set_result(None)
                return
            if arrived is not None and arrived.cancelled() and not arrived.get_loop().is_closed():
                # Its task gives the place up itself, as soon as it runs.
                return
            ticket = self._places.leave()
