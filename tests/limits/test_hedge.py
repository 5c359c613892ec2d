"""A call that is late gets company, and whoever answers first is the answer."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any

import pytest

from hoopsnake.limits import Hedge, RetryBudget

Run = Callable[[Coroutine[Any, Any, Any]], Any]


def test_a_late_call_gets_company_and_the_first_answer_counts(run: Run) -> None:
    async def main() -> None:
        hedge = Hedge(after=0.001)
        calls: list[asyncio.Task[Any] | None] = []

        @hedge
        async def call(value: int) -> int:
            calls.append(asyncio.current_task())
            if len(calls) == 1:
                await asyncio.Event().wait()
            return value

        assert await call(5) == 5
        assert len(calls) == 2
        assert calls[0] is not None
        assert calls[0].cancelled()
        stats = hedge.stats()
        assert (stats.calls, stats.hedged, stats.won, stats.known) == (1, 1, 1, 1)

    run(main())


def test_without_knowledge_nothing_is_added(run: Run) -> None:
    async def main() -> None:
        hedge = Hedge(least_calls=3)
        mine = asyncio.current_task()
        slow = asyncio.Event()

        async def call() -> asyncio.Task[Any] | None:
            return asyncio.current_task()

        for _ in range(3):
            assert await hedge.call(call) is mine
        assert await hedge.call(call) is not mine, "now it would know what is late"
        tries = []

        async def late() -> None:
            tries.append(1)
            if len(tries) == 2:
                slow.set()
            await slow.wait()

        await hedge.call(late)
        assert len(tries) == 2

    run(main())


def test_all_failing_is_the_first_failure_and_one_alone_waits_for_the_other(run: Run) -> None:
    async def main() -> None:
        tries: list[int] = []

        async def fail() -> None:
            tries.append(len(tries))
            mine = len(tries)
            while len(tries) < 2:
                await asyncio.sleep(0)
            raise OSError(f"number {mine}")

        with pytest.raises(OSError, match="number 1"):
            await Hedge(after=0.001).call(fail)
        tries.clear()

        async def recover() -> str:
            tries.append(len(tries))
            if len(tries) == 1:
                while len(tries) < 2:
                    await asyncio.sleep(0)
                raise OSError("the first fails when the second has begun")
            await asyncio.sleep(0.002)
            return "well"

        assert await Hedge(after=0.001).call(recover) == "well"

    run(main())


def test_a_budget_says_how_many(run: Run) -> None:
    async def main() -> None:
        budget = RetryBudget(0, reserve_per_second=0.1)
        hedge = Hedge(after=0.001, budget=budget)
        tries = begun = 0

        async def call() -> None:
            nonlocal tries
            tries += 1
            # It ends when it has company, or when that was refused.
            while tries + budget.stats().refused < 2 * begun:
                await asyncio.sleep(0)

        for _ in range(3):
            begun += 1
            await hedge.call(call)
        assert tries == 4
        assert budget.stats().refused == 2

    run(main())


def test_attempts_see_the_callers_context(run: Run) -> None:
    async def main() -> None:
        variable: ContextVar[int] = ContextVar("variable")
        variable.set(3)

        async def call() -> int:
            return variable.get()

        assert await Hedge(after=0.001).call(call) == 3

    run(main())


def test_a_storm_of_cancellations_leaves_no_task(run: Run, seeded: random.Random) -> None:
    async def main() -> None:
        hedge = Hedge(after=0.0001, shortest=0.0001, most=2)
        inside = 0

        async def call() -> None:
            nonlocal inside
            inside += 1
            try:
                await asyncio.sleep(seeded.choice([0, 0.0005]))
            finally:
                inside -= 1

        tasks = [asyncio.create_task(hedge.call(call)) for _ in range(300)]
        while not all(task.done() for task in tasks):
            seeded.choice(tasks).cancel()
            await asyncio.sleep(0)
        assert inside == 0

    run(main())
