"""So much time for all that is done inside, however deep."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from hoopsnake.limits import Deadline, DeadlineExceeded

Run = Callable[[Coroutine[Any, Any, Any]], Any]


def test_what_takes_longer_is_ended(run: Run) -> None:
    async def main() -> None:
        deadline = Deadline(0.001)
        with pytest.raises(DeadlineExceeded, match=r"the deadline of 0.001 s has passed") as caught:
            async with deadline:
                await asyncio.Event().wait()
        assert deadline.expired
        assert isinstance(caught.value, TimeoutError)
        assert Deadline.left() is None
        async with Deadline(5) as met:
            pass
        assert not met.expired
        with pytest.raises(RuntimeError, match="entered once"):
            async with met:
                pass

    run(main())


def test_the_nearest_counts_and_is_the_one_that_raises(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(DeadlineExceeded, match=r"of 0.002 s"):
            async with Deadline(0.002):
                async with Deadline(60):
                    left = Deadline.left()
                    assert left is not None
                    assert left <= 0.002 + 1e-6
                    await asyncio.Event().wait()
        async with Deadline(60):
            with pytest.raises(DeadlineExceeded, match=r"of 0.001 s"):
                async with Deadline(0.001):
                    await asyncio.Event().wait()
            left = Deadline.left()
            assert left is not None
            assert left > 50

    run(main())


def test_tasks_that_are_started_inside_know_it(run: Run) -> None:
    async def main() -> None:
        async def child() -> str:
            left = Deadline.left()
            assert left is not None
            try:
                async with Deadline(60):
                    await asyncio.Event().wait()
            except DeadlineExceeded:
                return "in time"
            return "never"

        async with Deadline(0.1):
            task = asyncio.create_task(child())
            await asyncio.sleep(0)
        assert await task == "in time"

    run(main())


def test_as_a_decorator_it_begins_with_each_call(run: Run) -> None:
    async def main() -> None:
        @Deadline(60)
        async def left() -> float:
            await asyncio.sleep(0)
            found = Deadline.left()
            assert found is not None
            return found

        for _ in range(2):
            assert 50 < await left() <= 60

    run(main())


def test_a_cancellation_from_outside_stays_one(run: Run) -> None:
    async def main() -> None:
        async def wait() -> None:
            async with Deadline(60):
                await asyncio.Event().wait()

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    run(main())


def test_one_that_is_withdrawn_leaves_any_time_or_that_of_the_one_around_it(run: Run) -> None:
    async def main() -> None:
        async with Deadline(0.001) as deadline:
            deadline.withdraw()
            assert Deadline.left() is None
            assert not deadline.is_over
            # It would have ended by then.
            await asyncio.sleep(0.01)
        assert not deadline.expired

        with pytest.raises(DeadlineExceeded, match=r"of 0.2 s"):
            async with Deadline(0.2):
                async with Deadline(0.001) as inner:
                    inner.withdraw()
                    left = Deadline.left()
                    assert left is not None and left > 0.002
                    await asyncio.Event().wait()

        async def child() -> str:
            try:
                async with Deadline(0.001) as own:
                    own.withdraw()
                    await asyncio.Event().wait()
            except DeadlineExceeded:
                return "the one around it"
            raise AssertionError("unreachable")

        with pytest.raises(DeadlineExceeded):
            async with Deadline(0.02):
                task = asyncio.create_task(child())
                await asyncio.Event().wait()
        assert await task == "the one around it"

        with pytest.raises(RuntimeError, match="not entered"):
            Deadline(1).withdraw()

    run(main())
