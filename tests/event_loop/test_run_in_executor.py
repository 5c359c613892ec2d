"""Blocking calls in threads: cancelled, failing, too late, and in executors of other kinds."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import threading
import weakref
from asyncio import AbstractEventLoop
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.thread import BrokenThreadPool
from typing import Any

import pytest
from loop_under_test import NewLoop, Run


class Gate:
    """A call that says that it has begun, and waits to be let through."""

    def __init__(self) -> None:
        self.begun, self.release = threading.Event(), threading.Event()

    def __call__(self) -> str:
        self.begun.set()
        assert self.release.wait(20)
        return "through"


def test_a_call_that_was_cancelled_before_it_began_never_begins(run: Run) -> None:
    ran: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as pool:
            gate = Gate()
            first = loop.run_in_executor(pool, gate)
            second = loop.run_in_executor(pool, ran.append, "second")
            third = loop.run_in_executor(pool, ran.append, "third")
            assert second.cancel()
            gate.release.set()
            assert await first == "through"
            await third
            with pytest.raises(asyncio.CancelledError):
                await second

    run(main())
    assert ran == ["third"]


def test_a_call_that_is_cancelled_while_it_runs_ends_unheard(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as pool:
            gate = Gate()
            call = loop.run_in_executor(pool, gate)
            while not gate.begun.is_set():
                await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            gate.release.set()
            # The thread is free again.
            assert await loop.run_in_executor(pool, abs, -1) == 1

    run(main())


def test_a_pool_that_cancels_what_has_not_begun_cancels_who_waits(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        pool = ThreadPoolExecutor(1)
        gate = Gate()
        first = loop.run_in_executor(pool, gate)
        second = loop.run_in_executor(pool, abs, -1)
        pool.shutdown(wait=False, cancel_futures=True)
        gate.release.set()
        assert await first == "through"
        with pytest.raises(asyncio.CancelledError):
            await second
        with pytest.raises(RuntimeError, match="after shutdown"):
            loop.run_in_executor(pool, abs, -1)

    run(main())


def test_a_pool_whose_threads_cannot_start_fails_who_waits(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        pool = ThreadPoolExecutor(1, initializer=lambda: 1 / 0)
        with pytest.raises(BrokenThreadPool):
            await loop.run_in_executor(pool, abs, -1)
        with pytest.raises(BrokenThreadPool):
            await loop.run_in_executor(pool, abs, -1)

    run(main())
    assert "Exception in initializer" in caplog.text


@pytest.mark.parametrize(
    "make",
    [
        lambda: KeyError("wrong"),
        lambda: SystemExit(3),
        lambda: concurrent.futures.InvalidStateError("x"),
    ],
)
def test_an_exception_comes_back_whatever_it_is(
    run: Run, make: Callable[[], BaseException]
) -> None:
    raised = make()

    def fail() -> None:
        raise raised

    async def main() -> None:
        loop = asyncio.get_running_loop()
        expected: type[BaseException] = type(raised)
        if expected is concurrent.futures.InvalidStateError:
            expected = asyncio.InvalidStateError
        with pytest.raises(expected):
            await loop.run_in_executor(None, fail)

    run(main())


@pytest.mark.ours
def test_stop_iteration_comes_back_as_an_error(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="StopIteration") as raised:
            await asyncio.get_running_loop().run_in_executor(None, next, iter(()))
        assert isinstance(raised.value.__cause__, StopIteration)

    run(main())


def test_a_failed_call_leaves_no_cycle_behind(run: Run) -> None:
    class Local:
        pass

    seen: list[weakref.ref[Local]] = []

    def fail() -> None:
        local = Local()
        seen.append(weakref.ref(local))
        raise LookupError

    async def main() -> None:
        with pytest.raises(LookupError):
            await asyncio.get_running_loop().run_in_executor(None, fail)

    gc.disable()
    try:
        run(main())
        assert seen[0]() is None
    finally:
        gc.enable()


def test_a_result_that_comes_after_the_loop_was_closed_goes_nowhere(new_loop: NewLoop) -> None:
    loop = new_loop()
    pool = ThreadPoolExecutor(1)
    gate = Gate()
    loop.run_in_executor(pool, gate)
    assert gate.begun.wait(20)
    loop.close()
    gate.release.set()
    pool.shutdown()


def test_a_closed_loop_takes_no_calls(new_loop: NewLoop) -> None:
    loop = new_loop()
    loop.run_until_complete(loop.run_in_executor(None, abs, -1))
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        loop.run_in_executor(None, abs, -1)


def test_an_executor_of_ones_own_is_asked_by_its_submit(run: Run) -> None:
    class Counting(ThreadPoolExecutor):
        submitted = 0

        def submit(self, *arguments: Any, **keywords: Any) -> concurrent.futures.Future[Any]:
            self.submitted += 1
            return super().submit(*arguments, **keywords)

    async def main(pool: Counting) -> None:
        assert await asyncio.get_running_loop().run_in_executor(pool, abs, -1) == 1

    with Counting(1) as pool:
        run(main(pool))
        assert pool.submitted == 1


def test_a_process_pool_works(run: Run) -> None:
    async def main(pool: Executor) -> None:
        assert await asyncio.get_running_loop().run_in_executor(pool, abs, -7) == 7

    with ProcessPoolExecutor(1) as pool:
        run(main(pool))


def test_debug_mode_refuses_a_coroutine_function(loop: AbstractEventLoop) -> None:
    async def coroutine() -> None:
        """Never run."""

    loop.set_debug(True)
    with pytest.raises(TypeError, match="coroutines cannot be used with run_in_executor"):
        loop.run_in_executor(None, coroutine)
    loop.set_debug(False)


def test_the_loops_own_threads_have_asyncios_name(run: Run) -> None:
    async def main() -> list[str]:
        name = lambda: threading.current_thread().name  # noqa: E731
        return [await asyncio.to_thread(name) for _ in range(3)]

    assert all(name.startswith("asyncio_") for name in run(main()))


def test_calls_from_many_tasks_use_as_many_threads_as_there_are(run: Run) -> None:
    together = threading.Barrier(3)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(3) as pool:
            for _ in range(2):
                # Each waits for the others: one thread alone would wait for ever.
                await asyncio.gather(
                    *(loop.run_in_executor(pool, together.wait, 20) for _ in range(3))
                )

    run(main())
