"""A turnstile: how many may be inside at once, how many may wait for it, and for how long."""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ["Full", "Turnstile"]


class Full(Exception):
    """There is no place inside, and none in the queue, or the wait was too long."""


class Turnstile:
    """Lets at most `limit` in; `queue` may wait (None: any number), for `wait` seconds at most.

    Who waits is let in in the order of coming. It belongs to one event loop at a time: nothing of
    it is bound to a loop while nobody waits.
    """

    def __init__(self, limit: int, *, queue: int | None = None, wait: float | None = None) -> None:
        if limit < 1:
            raise ValueError(f"at least one has to be let in, not {limit}")
        self.limit = limit
        self.queue = queue
        self.wait = wait
        self.inside = 0
        """How many are inside."""
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    async def enter(self) -> None:
        """Get in, now or when it is our turn; raises Full. Each `enter` wants its `leave`."""
        if self.inside < self.limit and not self._waiting:
            self.inside += 1
            return
        if self.queue is not None and len(self._waiting) >= self.queue:
            raise Full
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self.wait):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                # The place was given to us, and we no longer want it.
                self.leave()
            elif turn in self._waiting:
                self._waiting.remove(turn)
            if isinstance(error, TimeoutError):
                raise Full from None
            raise

    def leave(self) -> None:
        """Give the place to who has waited longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.inside -= 1

    async def __aenter__(self) -> None:
        await self.enter()

    async def __aexit__(self, *details: object) -> None:
        self.leave()
