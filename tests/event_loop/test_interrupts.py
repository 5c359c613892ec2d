"""Ctrl-C in every state that a loop may be in: parked, spinning, in blocking code."""

from __future__ import annotations

import signal

import pytest
from parked_programs import StartProgram, finish, wait_until_parked


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


def test_ctrl_c_interrupts_blocking_code_in_a_task(start_program: StartProgram) -> None:
    process = start_program("""
        async def main():
            task = asyncio.current_task()
            print("ready", flush=True)
            while not task.cancelling():
                pass
            print("cancelled", flush=True)
            while True:
                pass
        try:
            asyncio.Runner(loop_factory=new_loop).run(main())
        except KeyboardInterrupt:
            print("interrupted")
    """)
    # The first cancels the task, which does not wait and so does not hear; the second raises in it.
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "cancelled\n"
    process.send_signal(signal.SIGINT)
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
