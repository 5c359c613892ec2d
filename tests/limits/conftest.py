"""Both loops, and what a test must not leave on them: tasks, and complaints to the loop."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

import hoopsnake

LONGEST_SECONDS = 20


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["hoopsnake", "asyncio"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    new: Callable[[], asyncio.AbstractEventLoop] = (
        hoopsnake.new_event_loop if request.param == "hoopsnake" else asyncio.new_event_loop
    )
    made = new()
    yield made
    made.close()


@pytest.fixture
def complaints(loop: asyncio.AbstractEventLoop) -> list[dict[str, Any]]:
    """What was reported to the loop; a test that expects some takes them out."""
    reported: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: reported.append(context))
    return reported


@pytest.fixture
def run(
    loop: asyncio.AbstractEventLoop, complaints: list[dict[str, Any]]
) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine, and see that it leaves nothing."""

    def run(main: Coroutine[Any, Any, Any]) -> Any:
        async def main_and_after() -> Any:
            async with asyncio.timeout(LONGEST_SECONDS):
                result = await main
            # What was cancelled and not waited for has its turns to end in.
            for _ in range(5):
                await asyncio.sleep(0)
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return result

        result = loop.run_until_complete(main_and_after())
        gc.collect()
        loop.run_until_complete(asyncio.sleep(0))
        assert complaints == []
        return result

    return run


@pytest.fixture
def seeded(request: pytest.FixtureRequest) -> random.Random:
    """Randomness whose seed a failing test prints."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    return random.Random(seed)
