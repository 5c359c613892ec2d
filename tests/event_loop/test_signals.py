"""Signals: handlers of the loop's, where they run and who may set them."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from asyncio import AbstractEventLoop

import pytest
from loop_under_test import Reports, Run
from parked_programs import StartProgram, finish, wait_until_parked


def test_a_handler_runs_on_the_loop_with_its_arguments(run: Run) -> None:
    async def main() -> list[tuple[str, int, bool]]:
        loop = asyncio.get_running_loop()
        seen: list[tuple[str, int, bool]] = []
        arrived = asyncio.Event()

        def handler(name: str, number: int) -> None:
            seen.append((name, number, asyncio.get_running_loop() is loop))
            arrived.set()

        loop.add_signal_handler(signal.SIGUSR1, handler, "name", 7)
        os.kill(os.getpid(), signal.SIGUSR1)
        await arrived.wait()
        assert loop.remove_signal_handler(signal.SIGUSR1)
        assert not loop.remove_signal_handler(signal.SIGUSR1)
        return seen

    assert run(main()) == [("name", 7, True)]
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL


def test_a_handler_takes_the_place_of_the_one_before(run: Run) -> None:
    async def main() -> str:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.add_signal_handler(signal.SIGUSR1, future.set_result, "first")
        loop.add_signal_handler(signal.SIGUSR1, future.set_result, "second")
        os.kill(os.getpid(), signal.SIGUSR1)
        try:
            return await future
        finally:
            loop.remove_signal_handler(signal.SIGUSR1)

    assert run(main()) == "second"


def test_a_handler_set_before_the_loop_runs_works(loop: AbstractEventLoop) -> None:
    loop.add_signal_handler(signal.SIGUSR1, loop.stop)
    os.kill(os.getpid(), signal.SIGUSR1)
    loop.run_forever()
    loop.remove_signal_handler(signal.SIGUSR1)


def test_a_handler_that_fails_is_reported(loop: AbstractEventLoop, reports: Reports) -> None:
    def fail() -> None:
        loop.stop()
        raise LookupError("in the handler")

    loop.add_signal_handler(signal.SIGUSR1, fail)
    os.kill(os.getpid(), signal.SIGUSR1)
    loop.run_forever()
    loop.remove_signal_handler(signal.SIGUSR1)
    assert str(reports.pop()["exception"]) == "in the handler"


def test_two_signals_have_a_handler_each(run: Run) -> None:
    async def main() -> set[str]:
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[str] = asyncio.Queue()
        loop.add_signal_handler(signal.SIGUSR1, queue.put_nowait, "first")
        loop.add_signal_handler(signal.SIGUSR2, queue.put_nowait, "second")
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR2)
        seen = {await queue.get(), await queue.get()}
        loop.remove_signal_handler(signal.SIGUSR1)
        # The other one is still listened to.
        os.kill(os.getpid(), signal.SIGUSR2)
        seen.add("again " + await queue.get())
        loop.remove_signal_handler(signal.SIGUSR2)
        return seen

    assert run(main()) == {"first", "second", "again second"}


def test_wrong_handlers_are_refused(loop: AbstractEventLoop) -> None:
    async def coroutine() -> None: ...

    with pytest.raises(TypeError, match="coroutines cannot be used"):
        loop.add_signal_handler(signal.SIGUSR1, coroutine)
    with pytest.raises(ValueError, match="invalid signal number"):
        loop.add_signal_handler(0, print)
    with pytest.raises(RuntimeError, match="cannot be caught"):
        loop.add_signal_handler(signal.SIGKILL, print)


def test_only_the_main_thread_sets_handlers(loop: AbstractEventLoop) -> None:
    refused: list[BaseException] = []

    def elsewhere() -> None:
        with pytest.raises((RuntimeError, ValueError)) as refusal:
            loop.add_signal_handler(signal.SIGUSR1, print)
        refused.append(refusal.value)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(refused) == 1


def test_the_wakeup_descriptor_of_before_is_put_back(loop: AbstractEventLoop) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer)
    try:
        loop.run_until_complete(asyncio.sleep(0))
        assert signal.set_wakeup_fd(writer) == writer
    finally:
        signal.set_wakeup_fd(before)
        os.close(reader)
        os.close(writer)


def test_a_handler_of_pythons_own_runs_while_the_loop_is_parked(run: Run) -> None:
    async def main() -> str:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        before = signal.signal(
            signal.SIGALRM,
            lambda *_: loop.call_soon_threadsafe(future.set_result, "rung"),
        )
        signal.setitimer(signal.ITIMER_REAL, 0.005)
        try:
            return await future
        finally:
            signal.signal(signal.SIGALRM, before)

    assert run(main()) == "rung"


def test_an_exception_of_pythons_own_handler_leaves_the_loop(loop: AbstractEventLoop) -> None:
    def leave(*_: object) -> None:
        raise SystemExit("rung")

    before = signal.signal(signal.SIGALRM, leave)
    try:
        loop.call_soon(signal.setitimer, signal.ITIMER_REAL, 0.005)
        with pytest.raises(SystemExit, match="rung"):
            loop.run_forever()
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_signal_wakes_a_parked_loop(start_program: StartProgram) -> None:
    process = start_program("""
        loop = new_loop()
        loop.add_signal_handler(signal.SIGTERM, loop.stop)
        loop.call_soon(lambda: print("ready", flush=True))
        loop.run_forever()
        loop.close()
        print("stopped", signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)
    """)
    wait_until_parked(process)
    process.send_signal(signal.SIGTERM)
    assert finish(process) == (0, "stopped True\n", "")
