"""So many at once, in order, and no place is ever lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from hoopsnake.limits import ConcurrencyLimit, QueueFull

Run = Callable[[Coroutine[Any, Any, Any]], Any]


def test_no_more_than_the_limit_are_inside_and_who_came_first_goes_first(run: Run) -> None:
    async def main() -> None:
        limit = ConcurrencyLimit(3)
        inside, most, order = 0, 0, []

        @limit
        async def work(number: int) -> int:
            nonlocal inside, most
            inside += 1
            most = max(most, inside)
            order.append(number)
            await asyncio.sleep(0)
            inside -= 1
            return number

        assert await asyncio.gather(*map(work, range(50))) == list(range(50))
        assert (most, order) == (3, list(range(50)))
        stats = limit.stats()
        assert (stats.limit, stats.running, stats.waiting, stats.entered) == (3, 0, 0, 50)
        assert (stats.most_running, stats.most_waiting, stats.refused) == (3, 47, 0)

    run(main())


def test_nobody_overtakes_one_who_was_just_let_in(run: Run) -> None:
    async def main() -> None:
        limit = ConcurrencyLimit(1)
        await limit.acquire()
        order: list[str] = []

        async def come(name: str) -> None:
            async with limit:
                order.append(name)

        first = asyncio.create_task(come("first"))
        await asyncio.sleep(0)
        limit.release()
        # The place is the first one's already, though it has not run since.
        assert not limit.try_acquire()
        await asyncio.gather(come("second"), first)
        assert order == ["first", "second"]

    run(main())


def test_a_full_queue_says_so_at_once(run: Run) -> None:
    async def main() -> None:
        limit = ConcurrencyLimit(1, max_waiting=1)
        async with limit:
            waiting = asyncio.create_task(limit.acquire())
            await asyncio.sleep(0)
            with pytest.raises(QueueFull, match="1 of 1 places are taken and 1 wait already"):
                await limit.acquire()
        await waiting
        limit.release()
        assert limit.stats().refused == 1
        with pytest.raises(RuntimeError, match="without acquire"):
            limit.release()

    run(main())


def test_one_who_is_cancelled_as_it_gets_its_place_hands_it_on(run: Run) -> None:
    async def main() -> None:
        limit = ConcurrencyLimit(1)
        await limit.acquire()
        first, second = (asyncio.create_task(limit.acquire()) for _ in range(2))
        await asyncio.sleep(0)
        limit.release()
        first.cancel()
        await second
        assert first.cancelled()
        limit.release()
        # And the other way round: cancelled before the place comes free.
        await limit.acquire()
        first, second = (asyncio.create_task(limit.acquire()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        limit.release()
        await second
        limit.release()
        assert (limit.stats().running, limit.stats().waiting) == (0, 0)

    run(main())


def test_more_places_wake_those_who_wait(run: Run) -> None:
    async def main() -> None:
        limit = ConcurrencyLimit(1)
        async with limit:
            waiting = [asyncio.create_task(limit.acquire()) for _ in range(3)]
            await asyncio.sleep(0)
            limit.resize(3)
            await asyncio.wait(waiting[:2])
            assert not waiting[2].done()
        await waiting[2]
        assert limit.stats().running == 3
        with pytest.raises(ValueError, match="at least one place"):
            limit.resize(0)

    run(main())


def test_a_storm_of_cancellations_loses_no_place(run: Run, seeded: random.Random) -> None:
    async def main() -> None:
        limit = ConcurrencyLimit(5)
        inside = 0

        async def work(turns: int) -> None:
            nonlocal inside
            async with limit:
                inside += 1
                assert inside <= 5
                try:
                    for _ in range(turns):
                        await asyncio.sleep(0)
                finally:
                    inside -= 1

        tasks = [asyncio.create_task(work(seeded.randrange(4))) for _ in range(2000)]
        while not all(task.done() for task in tasks):
            for task in seeded.sample(tasks, 20):
                task.cancel()
            await asyncio.sleep(0)
        stats = limit.stats()
        assert (inside, stats.running, stats.waiting) == (0, 0, 0)
        assert any(task.cancelled() for task in tasks)
        async with limit:
            assert limit.stats().running == 1

    run(main())


def test_it_serves_one_loop_after_another() -> None:
    limit = ConcurrencyLimit(1)

    async def twice() -> None:
        async def once() -> None:
            async with limit:
                await asyncio.sleep(0)

        await asyncio.gather(once(), once())

    asyncio.run(twice())
    asyncio.run(twice())
    assert limit.stats().entered == 4


def test_what_ended_with_its_loop_holds_nobody_up() -> None:
    limit = ConcurrencyLimit(1)
    dead = asyncio.new_event_loop()

    async def take_and_leave() -> asyncio.Task[None]:
        await limit.acquire()
        waiting = asyncio.create_task(limit.acquire())
        await asyncio.sleep(0)
        return waiting

    waiting = dead.run_until_complete(take_and_leave())
    dead.close()

    async def main() -> None:
        mine = asyncio.create_task(limit.acquire())
        await asyncio.sleep(0)
        limit.release()
        await mine

    asyncio.run(main())
    assert not waiting.done()
    waiting.get_coro().close()  # type: ignore[union-attr]
    waiting._log_destroy_pending = False  # type: ignore[attr-defined]


def test_what_cannot_be_bounded_is_refused() -> None:
    limit = ConcurrencyLimit(1)
    with pytest.raises(ValueError, match="at least 1"):
        ConcurrencyLimit(0)

    async def numbers() -> Any:
        yield 1

    with pytest.raises(TypeError, match="numbers is an async generator"):
        limit(numbers)
    with pytest.raises(TypeError, match="is a plain function"):
        limit(lambda: None)  # type: ignore[arg-type, return-value]
