"""What fails is tried again, after pauses, within bounds, and for the reasons that were named."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from hoopsnake.limits import (
    Deadline,
    RateLimited,
    Retry,
    RetryBudget,
    retry_after_seconds,
)

Run = Callable[[Coroutine[Any, Any, Any]], Any]


class Flaky:
    """Fails so many times, then succeeds."""

    def __init__(self, failures: int, error: Callable[[], Exception] = OSError) -> None:
        self.left = failures
        self.calls = 0
        self.error = error

    async def __call__(self, value: int = 7) -> int:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise self.error()
        return value


def quick(**settings: Any) -> Retry:
    return Retry(**{"on": OSError, "first": 0.001, "longest": 0.002, **settings})


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch, clock: Any) -> list[float]:
    """The pauses that were slept, during which the clock went on."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(round(seconds, 6))
        clock.now += seconds

    monkeypatch.setattr("hoopsnake.limits._retry.asyncio.sleep", sleep)
    return slept


def test_it_tries_until_it_succeeds_with_growing_pauses(clock: Any, pauses: list[float]) -> None:
    retry = Retry(on=OSError, attempts=6, longest=0.5, jitter="none", clock=clock)
    flaky = Flaky(4)
    assert one_value(retry, flaky) == 3
    assert (flaky.calls, pauses) == (5, [0.1, 0.2, 0.4, 0.5])
    stats = retry.stats()
    assert (stats.calls, stats.retries, stats.recovered, stats.gave_up) == (1, 4, 1, 0)


def one_value(retry: Retry, flaky: Flaky) -> Any:
    """Run to the end what never really waits."""
    coroutine = retry.call(flaky, 3)
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it waits")


@pytest.mark.parametrize(
    ("jitter", "expected"),
    [("full", [0.05, 0.1, 0.2]), ("decorrelated", [0.2, 0.35, 0.575])],
)
def test_pauses_are_random(
    clock: Any, pauses: list[float], jitter: Any, expected: list[float]
) -> None:
    retry = Retry(on=OSError, attempts=4, jitter=jitter, clock=clock, random=lambda: 0.5)
    one_value(retry, Flaky(3))
    assert pauses == expected


def test_the_last_error_is_raised_with_a_note(clock: Any, pauses: list[float]) -> None:
    retry = Retry(on=OSError, attempts=2, jitter="none", clock=clock)
    with pytest.raises(OSError) as caught:
        one_value(retry, Flaky(9))
    assert caught.value.__notes__ == ["attempt 2 after 0.1 s; no other: the last of 2"]
    assert retry.stats().gave_up == 1


def test_only_errors_that_were_named_are_retried(clock: Any, pauses: list[float]) -> None:
    retry = Retry(on=lambda error: "again" in str(error), clock=clock)
    flaky = Flaky(1, lambda: KeyError("never"))
    with pytest.raises(KeyError):
        one_value(retry, flaky)
    assert flaky.calls == 1
    assert one_value(retry, Flaky(1, lambda: KeyError("again"))) == 3


def test_no_attempt_begins_after_the_time_for_all(clock: Any, pauses: list[float]) -> None:
    retry = Retry(on=OSError, attempts=99, total=0.5, jitter="none", clock=clock)
    with pytest.raises(OSError) as caught:
        one_value(retry, Flaky(99))
    assert pauses == [0.1, 0.2]
    assert "too late" in caught.value.__notes__[0]


def test_what_is_asked_for_is_heeded(clock: Any, pauses: list[float]) -> None:
    retry = Retry(on=RateLimited, total=60, clock=clock)
    assert one_value(retry, Flaky(1, lambda: RateLimited("slow", 30))) == 3
    assert pauses == [30]
    with pytest.raises(RateLimited):
        one_value(retry, Flaky(1, lambda: RateLimited("slow", 90)))


def test_a_budget_bounds_the_retries_of_all(clock: Any, pauses: list[float]) -> None:
    budget = RetryBudget(0.5, reserve_per_second=0.1, clock=clock)
    retry = Retry(on=OSError, attempts=9, jitter="none", first=0.001, budget=budget, clock=clock)
    for _ in range(10):
        with pytest.raises(OSError) as caught:
            one_value(retry, Flaky(99))
    assert "budget" in caught.value.__notes__[0]
    stats = budget.stats()
    assert (stats.calls, stats.retries, stats.refused) == (10, 6, 10)
    assert stats.left < 1


def test_a_loop_of_attempts(run: Run) -> None:
    async def main() -> None:
        flaky = Flaky(2)
        numbers = []
        async for attempt in quick():
            async with attempt:
                numbers.append(attempt.number)
                await flaky()
        assert numbers == [1, 2, 3]
        with pytest.raises(OSError):
            async for attempt in quick(attempts=2):
                async with attempt:
                    raise OSError
        with pytest.raises(KeyError):
            async for attempt in quick():
                async with attempt:
                    raise KeyError

    run(main())


def test_a_deadline_ends_the_attempts(run: Run) -> None:
    async def main() -> None:
        flaky = Flaky(99)
        async with Deadline(5):
            with pytest.raises(OSError) as caught:
                await quick(first=9, longest=9, jitter="none")(flaky)()
        assert flaky.calls == 1
        assert "too late" in caught.value.__notes__[0]

    run(main())


def test_cancelled_it_does_not_try_again(run: Run) -> None:
    async def main() -> None:
        flaky = Flaky(99)
        task = asyncio.create_task(quick(on=BaseException, first=9, longest=9).call(flaky))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert flaky.calls == 1

    run(main())


def test_retry_after_is_seconds_or_a_date() -> None:
    assert retry_after_seconds("120") == 120
    assert retry_after_seconds("Sun, 06 Nov 1994 08:49:37 GMT", now=784_111_747) == 30
    assert retry_after_seconds("Sun, 06 Nov 1994 08:49:37 GMT") == 0
    assert retry_after_seconds("soon") is None


def test_settings_that_mean_nothing_are_refused() -> None:
    for settings in (
        {"attempts": 0},
        {"jitter": "some"},
        {"first": 0},
        {"factor": 0.5},
        {"total": 0},
    ):
        with pytest.raises(ValueError):
            quick(**settings)
    with pytest.raises(ValueError):
        RetryBudget(-1)
