"""Many at once, at most so many of them, and all of them ended when it ends."""

from __future__ import annotations

import asyncio
import io
import random
import re
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextvars import ContextVar
from typing import Any

import pytest

import hoopsnake

Run = Callable[[Coroutine[Any, Any, Any]], Any]


class Work:
    """Counts how many are at work."""

    def __init__(self) -> None:
        self.begun = self.inside = self.most = 0

    async def __call__(self, number: int, turns: int = 2) -> int:
        self.begun += 1
        self.inside += 1
        self.most = max(self.most, self.inside)
        try:
            for _ in range(turns):
                await asyncio.sleep(0)
        finally:
            self.inside -= 1
        return number * 10


async def fail(turns: int = 1, error: type[Exception] = OSError) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)
    raise error("down")


async def forever() -> None:
    await asyncio.Event().wait()


def test_results_are_in_the_order_of_what_was_given(run: Run) -> None:
    async def main() -> None:
        work = Work()
        assert await hoopsnake.gather(work(1, 9), work(2, 0), work(3, 4)) == (10, 20, 30)
        assert await hoopsnake.gather([work(1), work(2)]) == [10, 20]
        assert await hoopsnake.gather(work(4)) == (40,)
        assert await hoopsnake.gather() == ()
        assert await hoopsnake.gather([]) == []

        async def numbers() -> AsyncIterator[Coroutine[Any, Any, int]]:
            for number in range(5):
                await asyncio.sleep(0)
                yield work(number)

        assert await hoopsnake.gather(numbers(), limit=2) == [0, 10, 20, 30, 40]

    run(main())


def test_a_generator_is_pulled_only_as_far_as_there_is_room(run: Run) -> None:
    async def main() -> None:
        work = Work()
        pulled = 0

        def calls() -> Iterator[Coroutine[Any, Any, int]]:
            nonlocal pulled
            for number in range(1000):
                pulled += 1
                assert pulled - work.begun <= 10
                yield work(number, 1 + number % 3)

        assert await hoopsnake.gather(calls(), limit=10) == [n * 10 for n in range(1000)]
        assert work.most == 10

    run(main())


def test_the_first_failure_ends_the_others_and_is_raised_as_it_is(run: Run) -> None:
    async def main() -> None:
        ended = []

        async def wait(number: int) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                ended.append(number)

        error = None
        try:
            await hoopsnake.gather(wait(1), fail(), wait(2), forever(), limit=3)
        except OSError as caught:
            error = caught
        assert str(error) == "down"
        assert sorted(ended) == [1, 2]

    run(main())


def test_what_was_never_started_is_closed(run: Run) -> None:
    async def main() -> None:
        # A coroutine that nobody awaits warns, which is an error here.
        with pytest.raises(OSError):
            await hoopsnake.gather([fail(0), *(forever() for _ in range(5))], limit=1)
        closed = False

        def calls() -> Iterator[Coroutine[Any, Any, None]]:
            nonlocal closed
            try:
                while True:
                    yield fail()
            finally:
                closed = True

        with pytest.raises(OSError):
            await hoopsnake.gather(calls(), limit=3)
        assert closed

    run(main())


def test_an_error_of_the_source_ends_all(run: Run) -> None:
    async def main() -> None:
        def calls() -> Iterator[Coroutine[Any, Any, None]]:
            yield forever()
            raise LookupError("no more")

        with pytest.raises(LookupError, match="no more"):
            await hoopsnake.gather(calls(), limit=5)

        async def more_calls() -> AsyncIterator[Coroutine[Any, Any, None]]:
            yield forever()
            raise LookupError("no more")

        with pytest.raises(LookupError, match="no more"):
            await hoopsnake.gather(more_calls(), limit=5, collect=True)
        with pytest.raises(TypeError, match="expected an awaitable, got int"):
            await hoopsnake.gather(forever(), 3)  # type: ignore[call-overload]
        with pytest.raises(TypeError, match="iterable"):
            await hoopsnake.gather(3)  # type: ignore[call-overload]
        with pytest.raises(ValueError, match="at least 1"):
            await hoopsnake.gather([], limit=0)

    run(main())


def test_each_outcome_can_be_collected(run: Run) -> None:
    async def main() -> None:
        work = Work()
        dropped = asyncio.create_task(forever())
        await asyncio.sleep(0)
        dropped.cancel()
        good, bad, gone = await hoopsnake.gather(work(1), fail(), dropped, collect=True)
        assert (good.ok, good.value, good.error, good.index) == (True, 10, None, 0)
        assert (bad.ok, bad.index) == (False, 1)
        with pytest.raises(OSError, match="down"):
            _ = bad.value
        assert isinstance(gone.error, asyncio.CancelledError)
        assert repr(good) == "Outcome(index=0, value=10)"
        assert repr(bad) == "Outcome(index=1, error=OSError('down'))"

    run(main())


def test_errors_beside_the_first_are_reported(run: Run, complaints: list[dict[str, Any]]) -> None:
    async def main() -> None:
        async def sulk() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                raise KeyError("while it was ended")

        with pytest.raises(OSError):
            await hoopsnake.gather(sulk(), fail())
        assert [str(each["exception"]) for each in complaints] == ["'while it was ended'"]
        complaints.clear()

    run(main())


def test_cancelled_it_ends_all_before_it_ends_itself(run: Run) -> None:
    async def main() -> None:
        work = Work()
        slow_to_leave = asyncio.Event()

        async def stubborn() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                await asyncio.sleep(0)
                slow_to_leave.set()
                raise

        task = asyncio.create_task(hoopsnake.gather(stubborn(), work(1, 10_000)))  # type: ignore
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert slow_to_leave.is_set()
        assert work.inside == 0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await hoopsnake.gather(forever(), forever())

    run(main())


def test_calls_see_the_callers_variables_and_not_each_others(run: Run) -> None:
    async def main() -> None:
        variable: ContextVar[str] = ContextVar("variable")
        variable.set("mine")

        async def change(number: int) -> str:
            before = variable.get()
            variable.set(f"call {number}")
            await asyncio.sleep(0)
            return before

        async def numbers() -> AsyncIterator[int]:
            for number in range(4):
                variable.set("the source's")
                yield number

        assert await hoopsnake.gather(map(change, range(4)), limit=2) == ["mine"] * 4
        results = hoopsnake.map_concurrent(change, numbers(), limit=2)
        assert [result async for result in results] == ["mine"] * 4
        assert variable.get() == "mine"

    run(main())


def test_progress_is_told(run: Run) -> None:
    async def main() -> None:
        told: list[tuple[int, int | None]] = []

        def tell(done: int, total: int | None) -> None:
            told.append((done, total))

        work = Work()
        await hoopsnake.gather([work(n) for n in range(3)], limit=1, progress=tell)
        assert told == [(1, 3), (2, 3), (3, 3)]
        told.clear()
        await hoopsnake.gather((work(n) for n in range(2)), progress=tell)
        assert told == [(1, None), (2, None)]

        def refuse(done: int, total: int | None) -> None:
            raise LookupError("the bar is broken")

        with pytest.raises(LookupError):
            await hoopsnake.gather(work(1), forever(), progress=refuse)

    run(main())


def test_a_bar_is_drawn_by_rich(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rich")

    async def main() -> None:
        work = Work()
        await hoopsnake.gather([work(n) for n in range(3)], progress="three things")

    run(main())
    drawn = capfd.readouterr().err
    assert "three things" in drawn
    assert "3/3" in drawn


def test_without_rich_it_is_a_plain_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "rich.progress", None)

    async def main() -> None:
        work = Work()
        await hoopsnake.gather([work(n) for n in range(3)], progress="three things")
        async for _ in hoopsnake.as_completed((work(n) for n in range(2)), progress=True):
            pass

    run(main())
    told = capfd.readouterr().err.splitlines()
    assert [re.sub(r"\d+\.\d s", "…", line) for line in told] == [
        "three things 3/3 in …",
        "as_completed 2 in …",
    ]


def test_a_plain_line_is_written_over_on_a_terminal(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("hoopsnake._progress_line.SECONDS_BETWEEN", 0.0)

    async def main() -> None:
        work = Work()
        await hoopsnake.gather([work(n) for n in range(3)], limit=1, progress="things")

    run(main())
    drawn = terminal.getvalue().split("\r\x1b[K")
    assert [line[:10] for line in drawn[1:]] == [f"things {n}/3" for n in (1, 2, 3, 3)]
    assert "left" in drawn[1] and "left" not in drawn[3]
    assert drawn[-1].endswith("\n")


def test_a_storm_of_cancellations_leaves_nothing(run: Run, seeded: random.Random) -> None:
    async def main() -> None:
        work = Work()

        async def job() -> None:
            turns = seeded.randrange(6)
            if seeded.random() < 0.2:
                await hoopsnake.gather(work(1, turns), fail(turns), limit=2, collect=True)
            elif seeded.random() < 0.5:
                await hoopsnake.gather((work(n, turns) for n in range(20)), limit=3)
            else:
                numbers = list(range(20))
                async for number in hoopsnake.map_concurrent(work, numbers, limit=4):
                    if number == seeded.choice([50, 100]):
                        break

        tasks = [asyncio.create_task(job()) for _ in range(200)]
        while not all(task.done() for task in tasks):
            seeded.choice(tasks).cancel()
            await asyncio.sleep(0)
        for _ in range(3):
            await asyncio.sleep(0)
        assert work.inside == 0
        assert [task for task in tasks if not task.cancelled() and task.exception()] == []

    run(main())
