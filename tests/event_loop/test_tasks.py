"""Tasks: none vanishes, their exceptions are told, factories and eager starts work."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import sys
import weakref
from asyncio import AbstractEventLoop
from typing import Any

import pytest
from loop_under_test import Reports, Run

needs_eager_tasks = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="eager tasks came with Python 3.12"
)
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


@pytest.mark.ours  # CPython holds tasks weakly (gh-91887).
def test_a_pending_task_that_nobody_holds_survives_collection(loop: AbstractEventLoop) -> None:
    finished: list[int] = []

    async def forgotten(number: int) -> None:
        # Nothing but the task's own coroutine refers to this future.
        future = loop.create_future()
        watched = weakref.ref(future)
        loop.call_later(0.01, lambda: (found := watched()) is not None and found.set_result(number))
        finished.append(await future)

    async def main() -> None:
        for number in range(1000):
            asyncio.ensure_future(forgotten(number))  # noqa: RUF006 - the point of it
        for _ in range(5):
            await asyncio.sleep(0.001)
            gc.collect()
        await asyncio.sleep(0.02)
        gc.collect()

    loop.run_until_complete(main())
    assert sorted(finished) == list(range(1000))


def test_a_task_that_has_finished_is_freed(loop: AbstractEventLoop) -> None:
    async def work() -> None:
        await asyncio.sleep(0)

    async def main() -> list[weakref.ref[asyncio.Task[None]]]:
        tasks = [asyncio.ensure_future(work()) for _ in range(1000)]
        await asyncio.wait(tasks)
        return [weakref.ref(task) for task in tasks]

    watched = loop.run_until_complete(main())
    gc.collect()
    assert [reference() for reference in watched if reference() is not None] == []


def test_tasks_take_turns(run: Run) -> None:
    order: list[str] = []

    async def step(name: str) -> None:
        for number in range(3):
            order.append(f"{name}{number}")
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(step("a"), step("b"))

    run(main())
    assert order == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_a_task_has_its_name_and_context(run: Run) -> None:
    async def name_and_value() -> tuple[str, str]:
        task = asyncio.current_task()
        assert task is not None
        return task.get_name(), variable.get()

    async def main() -> list[tuple[str, str]]:
        loop = asyncio.get_running_loop()
        context = contextvars.copy_context()
        context.run(variable.set, "named")
        tasks = [
            loop.create_task(name_and_value(), name="mine", context=context),
            loop.create_task(name_and_value(), name="other", context=None),
        ]
        return [await task for task in tasks]

    assert run(main()) == [("mine", "named"), ("other", "unset")]


def test_a_cancelled_task_cleans_up(run: Run) -> None:
    steps: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError as error:
            steps.append(f"cancelled: {error}")
            raise
        finally:
            await asyncio.sleep(0)
            steps.append("cleaned up")

    async def main() -> None:
        task = asyncio.ensure_future(work())
        await asyncio.sleep(0)
        task.cancel("enough")
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())
    assert steps == ["cancelled: enough", "cleaned up"]


def test_a_timeout_cancels_what_it_guards(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.002):
                await asyncio.get_running_loop().create_future()

    run(main())


def test_a_task_group_gathers_failures(run: Run) -> None:
    async def fail(number: int) -> None:
        await asyncio.sleep(0)
        raise LookupError(number)

    async def main() -> list[str]:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(fail(1))
                group.create_task(fail(2))
                group.create_task(asyncio.sleep(1000))
        except ExceptionGroup as failures:
            return sorted(str(failure) for failure in failures.exceptions)
        return []

    assert run(main()) == ["1", "2"]


def test_an_exception_that_nobody_retrieves_is_reported(
    loop: AbstractEventLoop, reports: Reports
) -> None:
    async def fail() -> None:
        raise LookupError("mine")

    async def main() -> None:
        asyncio.ensure_future(fail())  # noqa: RUF006 - the point of it
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    loop.run_until_complete(main())
    gc.collect()
    report = reports.pop()
    assert report["message"] == "Task exception was never retrieved"
    assert str(report["exception"]) == "mine"


def test_an_exception_in_a_done_callback_is_reported(
    loop: AbstractEventLoop, reports: Reports
) -> None:
    def fail(_: object) -> None:
        raise LookupError("in the callback")

    async def main() -> None:
        future = loop.create_future()
        future.add_done_callback(fail)
        future.set_result(None)
        await asyncio.sleep(0)

    loop.run_until_complete(main())
    assert str(reports.pop()["exception"]) == "in the callback"


def test_a_task_factory_makes_the_tasks(loop: AbstractEventLoop) -> None:
    made: list[dict[str, Any]] = []

    def factory(owner: AbstractEventLoop, coroutine: Any, **keywords: Any) -> asyncio.Task[Any]:
        assert owner is loop
        made.append(keywords)
        return asyncio.Task(coroutine, loop=owner, **keywords)

    async def main() -> str:
        context = contextvars.copy_context()
        task = loop.create_task(asyncio.sleep(0), name="mine", context=context)
        await task
        assert made[-1]["context"] is context
        return task.get_name()

    loop.set_task_factory(factory)
    assert loop.get_task_factory() is factory
    assert loop.run_until_complete(main()) == "mine"
    assert len(made) == 2
    loop.set_task_factory(None)
    assert loop.get_task_factory() is None
    loop.run_until_complete(asyncio.sleep(0))
    assert len(made) == 2


def test_what_is_no_task_factory_is_refused(loop: AbstractEventLoop) -> None:
    with pytest.raises(TypeError, match="task factory must be a callable or None"):
        loop.set_task_factory(42)  # type: ignore[arg-type]


def test_what_is_no_coroutine_is_refused(loop: AbstractEventLoop) -> None:
    with pytest.raises(TypeError, match="a coroutine was expected"):
        loop.create_task(42)  # type: ignore[arg-type]
    coroutine = asyncio.sleep(0)
    with pytest.raises(TypeError, match="unknown"):
        loop.create_task(coroutine, unknown=True)  # type: ignore[call-arg]
    coroutine.close()


@needs_eager_tasks
def test_an_eager_task_that_never_waits_is_done_at_once(loop: AbstractEventLoop) -> None:
    async def answer() -> int:
        return 42

    async def main() -> int:
        loop.set_task_factory(asyncio.eager_task_factory)
        task = loop.create_task(answer())
        assert task.done()
        return task.result()

    assert loop.run_until_complete(main()) == 42


@needs_eager_tasks
def test_an_eager_task_that_waits_is_finished_later(loop: AbstractEventLoop) -> None:
    steps: list[str] = []

    async def work() -> str:
        steps.append("begun")
        await asyncio.sleep(0.001)
        return "finished"

    async def main() -> str:
        task = asyncio.Task(work(), loop=loop, eager_start=True)
        steps.append("started")
        return await task

    assert loop.run_until_complete(main()) == "finished"
    assert steps == ["begun", "started"]


@pytest.mark.ours
@needs_eager_tasks
def test_an_eager_start_can_be_asked_of_the_loop(loop: AbstractEventLoop) -> None:
    async def main() -> bool:
        return loop.create_task(asyncio.sleep(0), eager_start=True, name="now").done()  # type: ignore[call-arg]

    assert not loop.run_until_complete(main())
