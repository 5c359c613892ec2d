"""Signals: handlers of the loop's, and Ctrl-C in every state that a loop may be in."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import LONGEST_SECONDS, Reports, Run

StartProgram = Callable[[str], subprocess.Popen[str]]


def wait_until_parked(process: subprocess.Popen[str]) -> None:
    """Wait for the program's word that it is ready, and then until it waits in the poller."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line == "ready\n", process.communicate(timeout=LONGEST_SECONDS)
    state = Path(f"/proc/{process.pid}/syscall")
    # The calls that a poller waits in, by number: epoll_wait and its kin on x86-64, 22 on arm64.
    while state.read_text().split()[0] not in {"232", "281", "7", "23", "22"}:
        os.sched_yield()


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=LONGEST_SECONDS)
    return process.returncode, out, err


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


def test_ctrl_c_cancels_main_and_run_raises_keyboard_interrupt(start_program: StartProgram) -> None:
    process = start_program("""
        async def main():
            print("ready", flush=True)
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                await asyncio.sleep(0)
                print("cleaned up")
                raise

        try:
            asyncio.Runner(loop_factory=new_loop).run(main())
        except KeyboardInterrupt:
            print("interrupted")
    """)
    wait_until_parked(process)
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process)
    assert (code, out) == (0, "cleaned up\ninterrupted\n"), err


@pytest.mark.ours
def test_ctrl_c_in_hoopsnake_run_without_a_handler_ends_as_python_does(
    start_program: StartProgram,
) -> None:
    process = start_program("""
        async def main():
            print("ready", flush=True)
            await asyncio.get_running_loop().create_future()

        hoopsnake.run(main())
    """)
    wait_until_parked(process)
    process.send_signal(signal.SIGINT)
    code, _, err = finish(process)
    assert code == -signal.SIGINT
    assert err.rstrip().endswith("KeyboardInterrupt")


def test_a_second_ctrl_c_interrupts_a_task_that_ignores_the_first(
    start_program: StartProgram,
) -> None:
    process = start_program("""
        async def main():
            while True:
                try:
                    print("ready", flush=True)
                    await asyncio.sleep(1000)
                except asyncio.CancelledError:
                    pass

        runner = asyncio.Runner(loop_factory=new_loop)
        try:
            runner.run(main())
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        os._exit(0)
    """)
    wait_until_parked(process)
    process.send_signal(signal.SIGINT)
    wait_until_parked(process)
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process)
    assert (code, out) == (0, "interrupted\n"), err


def test_ctrl_c_leaves_a_bare_loop_which_can_be_used_on(start_program: StartProgram) -> None:
    process = start_program("""
        loop = new_loop()
        loop.call_soon(lambda: print("ready", flush=True))
        try:
            loop.run_forever()
        except KeyboardInterrupt:
            print("interrupted", loop.is_running())
        print(loop.run_until_complete(asyncio.sleep(0.001, "works")))
        loop.close()
    """)
    wait_until_parked(process)
    process.send_signal(signal.SIGINT)
    assert finish(process) == (0, "interrupted False\nworks\n", "")


@pytest.mark.parametrize("spin", ["loop.call_soon(spin)", "loop.call_later(0, spin)"])
def test_ctrl_c_interrupts_a_loop_that_never_parks(start_program: StartProgram, spin: str) -> None:
    process = start_program(f"""
        loop = new_loop()
        def spin():
            {spin}
        loop.call_soon(lambda: print("ready", flush=True))
        loop.call_soon(spin)
        try:
            loop.run_forever()
        except KeyboardInterrupt:
            print("interrupted")
        loop.close()
    """)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert finish(process) == (0, "interrupted\n", "")


def test_ctrl_c_interrupts_blocking_code_in_a_callback(start_program: StartProgram) -> None:
    process = start_program("""
        import time
        async def main():
            print("ready", flush=True)
            while True:
                pass
        try:
            asyncio.Runner(loop_factory=new_loop).run(main())
        except KeyboardInterrupt:
            print("interrupted")
    """)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    # The first cancels the task, which does not look; a later one raises inside it. Signals of one
    # kind that come too close together count as one, so it is asked again.
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
    code, out, err = finish(process)
    assert (code, out) == (0, "interrupted\n"), err


def test_ctrl_c_is_heard_after_the_last_handler_was_removed(start_program: StartProgram) -> None:
    process = start_program("""
        async def main():
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGUSR1, lambda: None)
            loop.remove_signal_handler(signal.SIGUSR1)
            # Removing the last handler must not turn off the wake-up that Ctrl-C needs.
            print("ready", flush=True)
            try:
                await asyncio.sleep(1000)
            finally:
                print("cancelled")
        try:
            asyncio.Runner(loop_factory=new_loop).run(main())
        except KeyboardInterrupt:
            print("interrupted")
    """)
    wait_until_parked(process)
    process.send_signal(signal.SIGINT)
    assert finish(process)[:2] == (0, "cancelled\ninterrupted\n")
