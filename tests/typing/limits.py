"""Limits and gather as a typed program uses them: functions keep their parameters and results."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, assert_type

import hoopsnake
from hoopsnake import Outcome, Results
from hoopsnake.limits import (
    CircuitBreaker,
    CircuitOpen,
    ConcurrencyLimit,
    Deadline,
    DeadlineExceeded,
    Hedge,
    LimitError,
    RateLimit,
    RateLimited,
    Retry,
    RetryBudget,
)

rate = RateLimit(100, per=60, burst=10)
places = ConcurrencyLimit(10, max_waiting=100)
breaker = CircuitBreaker(failures=(ConnectionError, TimeoutError))
budget = RetryBudget(0.1)
retry = Retry(on=lambda error: isinstance(error, OSError), attempts=5, budget=budget)
hedge = Hedge(0.99, budget=budget)


@rate
@places
@breaker
@retry
@hedge
@Deadline(2)
async def fetch(url: str, *, times: int = 1) -> bytes:
    return url.encode() * times


async def count(number: int) -> int:
    return number


async def name(number: int) -> str:
    return str(number)


async def bound() -> None:
    assert_type(await fetch("/", times=2), bytes)
    await fetch(3)  # type: ignore[arg-type]
    await fetch("/", timess=2)  # type: ignore[call-arg]
    assert_type(await retry.call(fetch, "/", times=3), bytes)
    assert_type(await hedge.call(count, 3), int)
    assert_type(await rate.of("host", cost=2)(count)(3), int)
    assert_type(await rate.by(lambda number: str(number))(count)(3), int)
    async with rate, places, breaker, rate.of("key"), Deadline(None) as deadline:
        assert_type(deadline.expired, bool)
        assert_type(Deadline.left(), float | None)
    async for attempt in retry:
        async with attempt:
            assert_type(attempt.number, int)
    assert_type(places.stats().waiting, int)
    assert_type(rate.try_acquire("key"), bool)
    assert_type(budget.stats().left, float)
    try:
        rate.check("key", cost=3)
    except (RateLimited, CircuitOpen) as error:
        assert_type(error.retry_after, float | None)
        said: LimitError = error
        raise said from None
    except DeadlineExceeded as error:
        late: TimeoutError = error
        raise late from None


async def numbers() -> AsyncIterator[int]:
    yield 1


async def gathered() -> None:
    assert_type(await hoopsnake.gather(count(1), name(2)), tuple[int, str])
    assert_type(await hoopsnake.gather(count(1), name(2), fetch("/")), tuple[int, str, bytes])
    both = await hoopsnake.gather(count(1), name(2), limit=1, collect=True)
    assert_type(both, tuple[Outcome[int], Outcome[str]])
    assert_type(both[1].value, str)
    assert_type(both[1].error, BaseException | None)
    assert_type(await hoopsnake.gather(count(n) for n in range(3)), list[int])
    assert_type(await hoopsnake.gather([count(1)], limit=3, collect=True), list[Outcome[int]])
    many = [count(n) for n in range(9)]
    assert_type(await hoopsnake.gather(*many), tuple[int, ...])
    await hoopsnake.gather(3)  # type: ignore[call-overload]
    async for completed in hoopsnake.as_completed([name(1)], limit=2):
        assert_type(completed, str)
    results = hoopsnake.map_concurrent(name, numbers(), limit=2, ordered=True, progress="names")
    assert_type(results, Results[str])
    async with results:
        assert_type(await anext(results), str)
    async for outcome in hoopsnake.map_concurrent(name, [1, 2], limit=2, collect=True):
        assert_type(outcome, Outcome[str])
    hoopsnake.map_concurrent(name, ["one"], limit=2)  # type: ignore[arg-type]
    hoopsnake.map_concurrent(name, [1])  # type: ignore[call-overload]
    hoopsnake.as_completed([name(1)], progress=tell)


def tell(done: int, total: int | None) -> Any:
    return done, total
