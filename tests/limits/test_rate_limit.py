"""So often in so long, for each key, in order; and nobody who was cancelled has taken anything."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from hoopsnake.limits import RateLimit, RateLimited

Run = Callable[[Coroutine[Any, Any, Any]], Any]


def test_a_burst_passes_and_the_next_is_told_when(clock: Any) -> None:
    limit = RateLimit(2, per=10, burst=3, clock=clock)
    for left in (3, 2, 1):
        assert limit.left() == left
        limit.check()
    with pytest.raises(
        RateLimited, match=r"2 in 10 s, 3 at once; the next may be in 5 s"
    ) as caught:
        limit.check()
    assert caught.value.retry_after == pytest.approx(5)
    clock.now += 5
    assert limit.try_acquire()
    assert not limit.try_acquire()
    stats = limit.stats()
    assert (stats.allowed, stats.refused, stats.waiting, stats.keys) == (4, 1, 0, 1)


def test_each_key_has_a_rate_of_its_own(clock: Any) -> None:
    limit = RateLimit(1, clock=clock)
    assert limit.try_acquire("ann")
    assert limit.try_acquire("bob")
    assert not limit.try_acquire("ann")
    with pytest.raises(RateLimited, match="the rate of 'bob' is"):
        limit.check("bob")
    limit.reset("bob")
    limit.check("bob")


def test_what_costs_more_than_the_burst_never_may(clock: Any, run: Run) -> None:
    limit = RateLimit(1, burst=2, clock=clock)

    async def main() -> None:
        with pytest.raises(RateLimited, match="costs more than that at once") as caught:
            await limit.acquire(cost=3)
        assert caught.value.retry_after is None

    run(main())


def test_the_keys_are_bounded(clock: Any) -> None:
    limit = RateLimit(1, max_keys=10, clock=clock)
    for number in range(100):
        limit.check(str(number))
    stats = limit.stats()
    assert stats.keys <= 10
    assert stats.forgotten >= 90


def test_who_comes_too_early_waits_in_order(run: Run) -> None:
    async def main() -> None:
        limit = RateLimit(200, burst=2)
        loop = asyncio.get_running_loop()
        order: list[int] = []
        began = loop.time()

        @limit
        async def act(number: int) -> None:
            order.append(number)

        await asyncio.gather(*map(act, range(12)))
        assert order == list(range(12))
        assert loop.time() - began >= 10 / 200 - 0.001
        assert limit.stats().allowed == 12

    run(main())


def test_who_would_wait_too_long_is_told_at_once(run: Run) -> None:
    async def main() -> None:
        limit = RateLimit(1, max_wait=1.5)
        async with limit:
            pass
        waiting = asyncio.create_task(limit.acquire())
        await asyncio.sleep(0)
        with pytest.raises(RateLimited) as caught:
            await limit.acquire()
        assert caught.value.retry_after == pytest.approx(2, abs=0.5)
        # It also says no to those who do not wait, as long as somebody does.
        assert not limit.try_acquire()
        await waiting

    run(main())


def test_one_who_is_cancelled_takes_nothing(run: Run, clock: Any) -> None:
    async def main() -> None:
        limit = RateLimit(1, per=0.01, clock=clock)
        await limit.acquire()
        first, second = (asyncio.create_task(limit.acquire()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        clock.now += 0.01
        await second
        assert (limit.stats().allowed, limit.stats().waiting) == (2, 0)
        # One that was let through, and cancelled before it ran, gives back what it took.
        clock.now += 0.01
        await limit.acquire()
        third = asyncio.create_task(limit.acquire())
        await asyncio.sleep(0)
        clock.now += 0.01
        limit._serve("")
        assert limit.stats().waiting == 0
        third.cancel()
        await asyncio.wait([third])
        assert third.cancelled()
        assert limit.try_acquire()

    run(main())


def test_keys_come_from_arguments_or_are_named(run: Run, clock: Any) -> None:
    async def main() -> None:
        limit = RateLimit(1, burst=2, max_wait=0, clock=clock)

        @limit.by(lambda host, path: host)
        async def fetch(host: str, path: str) -> str:
            return host + path

        assert await fetch("a", "/") == "a/"
        async with limit.of("a"):
            pass
        with pytest.raises(RateLimited):
            await fetch("a", path="/")
        assert await limit.of("b", cost=2)(fetch)("c", "/") == "c/"
        assert limit.left("b") == 0

    run(main())


def test_a_storm_of_cancellations_keeps_the_rate_and_the_order(
    run: Run, seeded: random.Random
) -> None:
    async def main() -> None:
        limit = RateLimit(5000, burst=3)
        loop = asyncio.get_running_loop()
        passed: list[tuple[float, int]] = []

        async def act(number: int) -> None:
            await limit.acquire()
            passed.append((loop.time(), number))

        tasks = [asyncio.create_task(act(number)) for number in range(600)]
        while not all(task.done() for task in tasks):
            seeded.choice(tasks).cancel()
            await asyncio.sleep(0)
        assert [number for _, number in passed] == sorted(number for _, number in passed)
        stats = limit.stats()
        assert (stats.allowed, stats.waiting, limit._lines) == (len(passed), 0, {})
        assert 0 < len(passed) < 600
        # Times are taken a little after the act was allowed, so a few of slack.
        for first in range(len(passed)):
            for last in range(first, len(passed), 50):
                allowed = 3 + (passed[last][0] - passed[first][0]) * 5000
                assert last - first + 1 <= allowed + 25

    run(main())


def test_settings_that_mean_nothing_are_refused() -> None:
    for settings in ({"rate": 0}, {"rate": -1}, {"rate": 1, "per": 0}, {"rate": 1, "burst": 0}):
        with pytest.raises(ValueError):
            RateLimit(**settings)  # type: ignore[arg-type]
