"""install(): `asyncio.run` and its kin use our loop from then on."""

from __future__ import annotations

import subprocess

import pytest
from loop_under_test import LONGEST_SECONDS
from parked_programs import StartProgram

pytestmark = pytest.mark.ours


def lines(process: subprocess.Popen[str]) -> list[str]:
    out, err = process.communicate(timeout=LONGEST_SECONDS)
    assert (process.returncode, err) == (0, "")
    return out.splitlines()


def test_asyncio_runs_on_our_loop_once_it_is_installed(start_program: StartProgram) -> None:
    process = start_program("""
        async def which():
            return type(asyncio.get_running_loop()).__name__

        print(asyncio.run(which()) != "EventLoop")
        hoopsnake.install()
        print(asyncio.run(which()))
        with asyncio.Runner() as runner:
            print(runner.run(which()))
        loop = asyncio.new_event_loop()
        print(isinstance(loop, hoopsnake.EventLoop))
        loop.close()
    """)
    assert lines(process) == ["True", "EventLoop", "EventLoop", "True"]


def test_installing_twice_does_no_harm(start_program: StartProgram) -> None:
    process = start_program("""
        hoopsnake.install()
        hoopsnake.install()
        print(asyncio.run(asyncio.sleep(0, "fine")))
    """)
    assert lines(process) == ["fine"]


def test_subprocesses_run_under_the_installed_policy(start_program: StartProgram) -> None:
    process = start_program("""
        hoopsnake.install()

        async def main():
            child = await asyncio.create_subprocess_shell("exit 4")
            return await child.wait()

        print(asyncio.run(main()))
    """)
    assert lines(process) == ["4"]


def test_threads_have_loops_of_their_own(start_program: StartProgram) -> None:
    process = start_program("""
        import threading
        hoopsnake.install()
        seen = []
        threads = [
            threading.Thread(target=lambda: seen.append(asyncio.run(asyncio.sleep(0.001, "ran"))))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(*seen)
    """)
    assert lines(process) == ["ran ran ran ran"]
