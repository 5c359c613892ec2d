"""Results as they come or in order, a source that is held back, and an early end that is clean."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import pytest

import hoopsnake

Run = Callable[[Coroutine[Any, Any, Any]], Any]


class Source:
    """Numbers without end, which knows how far it was pulled and whether it was closed."""

    def __init__(self) -> None:
        self.pulled = 0
        self.closed = False
        self.tasks: set[asyncio.Task[Any] | None] = set()

    def __iter__(self) -> Iterator[int]:
        try:
            while True:
                self.pulled += 1
                yield self.pulled
        finally:
            self.closed = True

    async def __aiter__(self) -> AsyncIterator[int]:
        try:
            while True:
                self.tasks.add(asyncio.current_task())
                await asyncio.sleep(0)
                self.pulled += 1
                yield self.pulled
        finally:
            await asyncio.sleep(0)
            self.closed = True


class Sync:
    """The same, and only an iterable."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __iter__(self) -> Iterator[int]:
        return iter(self._source)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def nap(turns: int) -> int:
    for _ in range(turns):
        await asyncio.sleep(0)
    return turns


def test_results_come_as_they_are_done_or_in_order(run: Run) -> None:
    async def main() -> None:
        naps = [12, 3, 6, 0]
        results = hoopsnake.map_concurrent(nap, naps, limit=4)
        assert [result async for result in results] == [0, 3, 6, 12]
        results = hoopsnake.map_concurrent(nap, naps, limit=4, ordered=True)
        assert [result async for result in results] == naps
        completed = hoopsnake.as_completed(map(nap, naps))
        assert [result async for result in completed] == [0, 3, 6, 12]
        collected = hoopsnake.as_completed([nap(5), nap(0)], collect=True)
        assert [(each.index, each.value) async for each in collected] == [(1, 0), (0, 5)]
        # It is over, and stays so.
        assert [result async for result in results] == []

    run(main())


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("is_async", [False, True])
def test_a_slow_loop_holds_the_source_back(run: Run, ordered: bool, is_async: bool) -> None:
    async def main() -> None:
        source = Source()
        items: Any = source if is_async else Sync(source)
        taken = 0
        async with hoopsnake.map_concurrent(nap_once, items, limit=5, ordered=ordered) as results:
            assert source.pulled == 0
            async for _ in results:
                taken += 1
                await settle()
                assert source.pulled <= taken + 5 + is_async
                if taken == 30:
                    break
        assert source.closed
        assert len(source.tasks) == is_async

    async def nap_once(number: int) -> int:
        await asyncio.sleep(0)
        return number

    run(main())


@pytest.mark.parametrize("is_async", [False, True])
def test_leaving_the_loop_early_leaves_no_task(run: Run, is_async: bool) -> None:
    async def main() -> None:
        source = Source()
        ended = []

        async def work(number: int) -> int:
            try:
                if number > 3:
                    await asyncio.Event().wait()
                return number
            finally:
                ended.append(number)

        async for number in hoopsnake.map_concurrent(
            work, source if is_async else Sync(source), limit=8
        ):
            if number == 3:
                break
        await settle()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert source.closed
        assert set(ended) <= set(range(1, source.pulled + 1))

    run(main())


def test_a_loop_that_is_left_by_an_error_leaves_no_task(run: Run) -> None:
    async def main() -> None:
        async def consume(keep: list[BaseException]) -> None:
            try:
                async for _ in hoopsnake.map_concurrent(nap, [0, 10**9, 10**9], limit=3):
                    raise LookupError
            except LookupError as error:
                # The traceback keeps the frame alive, and with it the iterator.
                keep.append(error)

        kept: list[BaseException] = []
        await asyncio.create_task(consume(kept))
        await settle()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert len(kept) == 1

    run(main())


def test_closing_waits_until_all_have_ended(run: Run) -> None:
    async def main() -> None:
        ended = []

        async def work(number: int) -> int:
            try:
                await asyncio.sleep(0 if number == 0 else 3600)
            finally:
                await asyncio.sleep(0)
                ended.append(number)
            return number

        results = hoopsnake.map_concurrent(work, range(3), limit=3)
        assert await anext(results) == 0
        await results.aclose()
        assert sorted(ended) == [0, 1, 2]
        with pytest.raises(StopAsyncIteration):
            await anext(results)
        # One that was never asked has nothing to close.
        await hoopsnake.map_concurrent(work, range(3), limit=3).aclose()

    run(main())


@pytest.mark.parametrize("ordered", [False, True])
def test_the_first_failure_ends_the_others(run: Run, ordered: bool) -> None:
    async def main() -> None:
        ended = []

        async def work(number: int) -> int:
            try:
                if number == 2:
                    raise OSError("down")
                await asyncio.sleep(0 if number == 0 else 3600)
                return number
            finally:
                ended.append(number)

        got = []
        with pytest.raises(OSError, match="down"):
            async for number in hoopsnake.map_concurrent(work, range(9), limit=4, ordered=ordered):
                got.append(number)
        assert got in ([], [0])
        assert sorted(ended) == [0, 1, 2, 3] or sorted(ended) == [0, 1, 2, 3, 4]

    run(main())


def test_each_outcome_can_be_collected(run: Run) -> None:
    async def main() -> None:
        async def work(number: int) -> int:
            if number % 2:
                raise ValueError(number)
            return number

        seen = {}
        async for outcome in hoopsnake.map_concurrent(work, range(6), limit=2, collect=True):
            seen[outcome.index] = outcome.ok
        assert seen == {0: True, 1: False, 2: True, 3: False, 4: True, 5: False}

        def broken(number: int) -> Any:
            raise LookupError(number)

        results = hoopsnake.map_concurrent(broken, [1, 2], limit=1, collect=True)
        assert [type(each.error) async for each in results] == [LookupError] * 2

    run(main())


def test_two_tasks_cannot_ask_at_once(run: Run) -> None:
    async def main() -> None:
        async with hoopsnake.map_concurrent(nap, [50], limit=1) as results:
            first = asyncio.ensure_future(anext(results))
            await asyncio.sleep(0)
            with pytest.raises(RuntimeError, match="two tasks ask"):
                await anext(results)
            assert await first == 50

    run(main())


def test_cancelled_while_it_waits_it_ends_all(run: Run) -> None:
    async def main() -> None:
        inside = 0

        async def work(number: int) -> None:
            nonlocal inside
            inside += 1
            try:
                await asyncio.Event().wait()
            finally:
                inside -= 1

        async def consume() -> None:
            async for _ in hoopsnake.map_concurrent(work, range(10), limit=4):
                raise AssertionError("nothing is ever done")

        task = asyncio.create_task(consume())
        await settle()
        assert inside == 4
        task.cancel()
        await asyncio.wait([task])
        assert inside == 0

    run(main())
