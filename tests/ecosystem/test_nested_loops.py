"""Nested use, as notebooks try it: refused with an error that says so, and the loop goes on."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from loop_under_test import ON_REFERENCE, make_loop

import hoopsnake


async def inner() -> None:
    raise AssertionError("this was to be refused")


def run_on_the_running_loop(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.get_running_loop().run_until_complete(coroutine)


def run_on_another_loop(coroutine: Coroutine[Any, Any, None]) -> None:
    other = make_loop()
    try:
        other.run_until_complete(coroutine)
    finally:
        other.close()


def run_by_a_runner(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.Runner(loop_factory=make_loop).run(coroutine)


WAYS: dict[Callable[[Coroutine[Any, Any, None]], Any], str] = {
    asyncio.run: "asyncio.run() cannot be called from a running event loop",
    hoopsnake.run: "hoopsnake.run() cannot be called from a running event loop",
    run_by_a_runner: "Runner.run() cannot be called from a running event loop",
    run_on_the_running_loop: "This event loop is already running",
    run_on_another_loop: "Cannot run the event loop while another loop is running",
}


@pytest.mark.parametrize("run", WAYS, ids=lambda run: run.__name__)
async def test_a_loop_in_a_loop_is_refused(run: Callable[[Coroutine[Any, Any, None]], Any]) -> None:
    coroutine = inner()
    with pytest.raises(RuntimeError) as refused:
        run(coroutine)
    coroutine.close()
    assert str(refused.value) == WAYS[run]
    await goes_on()


async def goes_on() -> None:
    """What a loop does that is in order: callbacks, timers, sockets, threads."""
    loop = asyncio.get_running_loop()
    await asyncio.wait_for(asyncio.sleep(0.001), 10)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
    assert await asyncio.to_thread(asyncio._get_running_loop) is None
    assert asyncio.get_running_loop() is loop


@pytest.mark.skipif(
    ON_REFERENCE,
    reason="CPython 3.13's loop forgets that it runs as it refuses to run again",
)
async def test_run_forever_and_close_are_refused_too() -> None:
    loop, other = asyncio.get_running_loop(), make_loop()
    with pytest.raises(RuntimeError, match="This event loop is already running"):
        loop.run_forever()
    with pytest.raises(RuntimeError, match="while another loop is running"):
        other.run_forever()
    with pytest.raises(RuntimeError, match="Cannot close a running event loop"):
        loop.close()
    other.close()
    await goes_on()


async def test_another_thread_may_have_a_loop_of_its_own() -> None:
    async def answer() -> int:
        await goes_on()
        return 42

    def run() -> int:
        with asyncio.Runner(loop_factory=make_loop) as runner:
            return runner.run(answer())

    assert await asyncio.gather(*(asyncio.to_thread(run) for _ in range(4))) == [42] * 4


PATCHED = """
import asyncio
import hoopsnake
import nest_asyncio

async def inner():
    await asyncio.sleep(0)

async def main():
    nest_asyncio.apply()
    asyncio.run(inner())

hoopsnake.run(main())
"""


@pytest.mark.skipif(ON_REFERENCE, reason="nest_asyncio is made for asyncio's own loop")
def test_nest_asyncio_is_refused_with_what_to_do_instead(tmp_path: Path) -> None:
    pytest.importorskip("nest_asyncio")
    program = tmp_path / "program.py"
    program.write_text(PATCHED)
    done = subprocess.run(
        [sys.executable, program], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 1
    assert "RuntimeError: hoopsnake's event loop cannot be run inside itself" in done.stderr
