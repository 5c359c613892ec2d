"""How much of each thing is done: counts, never times, so that every run does the same."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


class WentWrong(Exception):
    """Something did not do what it should: a profile of that would be of no use."""


@dataclass(frozen=True)
class Amount:
    """Scales all counts alike."""

    scale: float = 1.0

    def of(self, usual: int) -> int:
        """How many there are of what usually is done so often: one at least."""
        return max(1, round(usual * self.scale))

    async def repeat(
        self, usual: int, once: Callable[[int], Awaitable[None]], *, at_once: int = 1
    ) -> None:
        """Await `once(number)` as often as `of` says, in so many tasks."""
        numbers = iter(range(self.of(usual)))

        async def take_turns() -> None:
            for number in numbers:
                await once(number)

        async with asyncio.TaskGroup() as group:
            for _ in itertools.repeat(None, min(at_once, self.of(usual))):
                group.create_task(take_turns())


def expect(right: bool, what: str) -> None:
    """Raise WentWrong, with what was wrong, unless it was right."""
    if not right:
        raise WentWrong(what)
