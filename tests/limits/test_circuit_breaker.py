"""A dependency that fails too often is left alone, and asked again after a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from hoopsnake.limits import CircuitBreaker, CircuitOpen, QueueFull

Run = Callable[[Coroutine[Any, Any, Any]], Any]


async def call(breaker: CircuitBreaker, error: BaseException | None = None) -> None:
    async with breaker:
        if error is not None:
            raise error


async def fail(breaker: CircuitBreaker, times: int) -> None:
    for _ in range(times):
        with pytest.raises(OSError):
            await call(breaker, OSError("down"))


def test_it_opens_refuses_probes_and_closes(run: Run, clock: Any) -> None:
    async def main() -> None:
        breaker = CircuitBreaker(least_calls=4, open_for=5, probes=2, clock=clock)
        await call(breaker)
        await fail(breaker, 3)
        assert breaker.state == "open"
        with pytest.raises(CircuitOpen, match="it is probed again in 5 s") as caught:
            await call(breaker)
        assert caught.value.retry_after == pytest.approx(5)
        clock.now += 5
        assert breaker.state == "half-open"
        await call(breaker)
        await fail(breaker, 1)
        assert breaker.state == "open"
        clock.now += 5
        async with breaker, breaker:
            with pytest.raises(CircuitOpen, match="probes are under way"):
                await call(breaker)
        assert breaker.state == "closed"
        stats = breaker.stats()
        assert (stats.succeeded, stats.failed, stats.refused, stats.openings) == (0, 0, 2, 2)

    run(main())


def test_what_says_nothing_of_the_dependency_does_not_count(run: Run, clock: Any) -> None:
    async def main() -> None:
        breaker = CircuitBreaker(least_calls=1, failures=ConnectionError, clock=clock)
        with pytest.raises(KeyError):
            await call(breaker, KeyError("an answer, if an odd one"))
        with pytest.raises(QueueFull):
            await call(breaker, QueueFull("it was not called"))
        task = asyncio.create_task(around(breaker))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert (breaker.stats().succeeded, breaker.stats().failed) == (1, 0)
        assert breaker._inside == {}

    async def around(breaker: CircuitBreaker) -> None:
        async with breaker:
            await asyncio.Event().wait()

    run(main())


def test_a_probe_that_is_cancelled_makes_room_for_another(run: Run, clock: Any) -> None:
    async def main() -> None:
        breaker = CircuitBreaker(least_calls=1, open_for=1, probes=1, clock=clock)
        breaker.open()
        clock.now += 1

        @breaker
        async def wait() -> None:
            await asyncio.Event().wait()

        probe = asyncio.create_task(wait())
        await asyncio.sleep(0)
        with pytest.raises(CircuitOpen):
            await wait()
        probe.cancel()
        await asyncio.wait([probe])
        await call(breaker)
        assert breaker.state == "closed"

    run(main())


def test_tasks_at_once_do_not_mix_up_their_calls(run: Run, clock: Any) -> None:
    async def main() -> None:
        breaker = CircuitBreaker(least_calls=100, clock=clock)

        async def one(number: int) -> None:
            async with breaker:
                await asyncio.sleep(0)
                if number % 2:
                    raise OSError

        await asyncio.gather(*map(one, range(10)), return_exceptions=True)
        assert (breaker.stats().succeeded, breaker.stats().failed) == (5, 5)
        breaker.open()
        breaker.close()
        await call(breaker)

    run(main())


def test_settings_that_mean_nothing_are_refused() -> None:
    for settings in ({"failure_rate": 0}, {"failure_rate": 1.1}, {"least_calls": 0}, {"window": 0}):
        with pytest.raises(ValueError):
            CircuitBreaker(**settings)  # type: ignore[arg-type]
