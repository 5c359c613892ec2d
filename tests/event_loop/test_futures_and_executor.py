"""Futures, work in threads, and the end of the default executor."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from asyncio import AbstractEventLoop
from concurrent.futures import ThreadPoolExecutor

import pytest
from loop_under_test import NewLoop, Reports, Run

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


def test_a_future_belongs_to_its_loop(loop: AbstractEventLoop) -> None:
    future = loop.create_future()
    assert future.get_loop() is loop
    assert isinstance(future, asyncio.Future)
    assert not future.done()


def test_done_callbacks_run_on_the_loop_in_order(run: Run) -> None:
    ran: list[str] = []

    async def main() -> None:
        future = asyncio.get_running_loop().create_future()
        for name in ("first", "second", "third"):
            future.add_done_callback(lambda _, name=name: ran.append(name))
        future.set_result(None)
        assert ran == []
        await asyncio.sleep(0)

    run(main())
    assert ran == ["first", "second", "third"]


def test_a_done_callback_runs_in_its_context(run: Run) -> None:
    seen: list[str] = []

    async def main() -> None:
        future = asyncio.get_running_loop().create_future()
        context = contextvars.copy_context()
        context.run(variable.set, "named")
        future.add_done_callback(lambda _: seen.append(variable.get()), context=context)
        future.add_done_callback(lambda _: seen.append(variable.get()))
        future.set_result(None)
        await asyncio.sleep(0)

    run(main())
    assert seen == ["named", "unset"]


def test_a_future_that_failed_unseen_is_reported(loop: AbstractEventLoop, reports: Reports) -> None:
    loop.create_future().set_exception(LookupError("unseen"))
    gc.collect()
    report = reports.pop()
    assert report["message"] == "Future exception was never retrieved"
    assert str(report["exception"]) == "unseen"


def test_a_future_of_another_loop_cannot_be_awaited(
    loop: AbstractEventLoop, new_loop: NewLoop
) -> None:
    foreign = new_loop().create_future()

    async def wait() -> None:
        await foreign

    with pytest.raises(RuntimeError, match="attached to a different loop"):
        loop.run_until_complete(wait())


def test_work_in_a_thread_gives_its_result_or_error(run: Run) -> None:
    def fail() -> None:
        raise LookupError("in the thread")

    async def main() -> int:
        loop = asyncio.get_running_loop()
        here = threading.get_ident()
        assert await loop.run_in_executor(None, threading.get_ident) != here
        with pytest.raises(LookupError, match="in the thread"):
            await loop.run_in_executor(None, fail)
        return await loop.run_in_executor(None, max, 3, 7)

    assert run(main()) == 7


def test_work_goes_to_the_executor_that_is_named(run: Run) -> None:
    async def main() -> tuple[str, str]:
        loop = asyncio.get_running_loop()
        name = lambda: threading.current_thread().name  # noqa: E731
        with ThreadPoolExecutor(1, "named") as named:
            loop.set_default_executor(ThreadPoolExecutor(1, "default"))
            return await loop.run_in_executor(named, name), await loop.run_in_executor(None, name)

    named, default = run(main())
    assert named.startswith("named") and default.startswith("default")


def test_to_thread_takes_the_context_along(run: Run) -> None:
    async def main() -> str:
        variable.set("of the task")
        return await asyncio.to_thread(variable.get)

    assert run(main()) == "of the task"


def test_much_work_in_threads_all_comes_back(run: Run) -> None:
    async def main() -> list[int]:
        return await asyncio.gather(*(asyncio.to_thread(abs, -number) for number in range(1000)))

    assert run(main()) == list(range(1000))


def test_the_loop_runs_on_while_threads_work(run: Run) -> None:
    async def main() -> bool:
        release = threading.Event()
        work = asyncio.ensure_future(asyncio.to_thread(release.wait, 20))
        await asyncio.sleep(0.001)
        assert not work.done()
        release.set()
        return await work

    assert run(main())


def test_the_executor_shuts_down_and_refuses_more(loop: AbstractEventLoop) -> None:
    names: set[str] = set()

    async def main() -> None:
        names.add(await asyncio.to_thread(lambda: threading.current_thread().name))
        await loop.shutdown_default_executor()

    loop.run_until_complete(main())
    assert not names & {thread.name for thread in threading.enumerate() if thread.is_alive()}
    with pytest.raises(RuntimeError, match="Executor shutdown has been called"):
        loop.run_in_executor(None, print)


def test_shutdown_waits_for_work_in_progress(loop: AbstractEventLoop) -> None:
    release, finished = threading.Event(), threading.Event()

    def work() -> None:
        release.wait(20)
        finished.set()

    async def main() -> None:
        loop.run_in_executor(None, work)
        loop.call_soon(release.set)
        await loop.shutdown_default_executor()

    loop.run_until_complete(main())
    assert finished.is_set()
