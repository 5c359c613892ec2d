"""`hoopsnake.serve` as a coroutine of a larger program: its signals, its cancellation, its loop."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import Any

import pytest
from applications import hello
from served import served

import hoopsnake
from hoopsnake import ServerConfig, ServerError


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_serve_returns_after_a_signal_and_gives_the_handlers_back(
    number: signal.Signals,
) -> None:
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(each) for each in signals]
    async with served(hello) as server:
        assert [signal.getsignal(each) for each in signals] != before
        os.kill(os.getpid(), number)
        await asyncio.wait([server.task])
        assert server.task.exception() is None
    assert [signal.getsignal(each) for each in signals] == before


async def test_a_handler_that_the_program_has_on_the_loop_works_again_afterwards() -> None:
    called = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, called.set)
    try:
        async with served(hello) as server:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.wait([server.task])
            assert not called.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(5):
            await called.wait()
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


async def test_cancelling_serve_stops_it_and_raises() -> None:
    async with served(hello) as server:
        server.task.cancel("enough")
        with pytest.raises(asyncio.CancelledError):
            await server.task
        assert "Stopped" in server.log.text


async def test_two_servers_share_a_loop() -> None:
    async with served(hello) as first:
        async with served(hello) as second:
            assert (await first.get("/1")).body == b"/1"
            assert (await second.get("/2")).body == b"/2"
        assert (await first.get("/3")).body == b"/3"


async def test_a_signal_after_an_inner_server_has_ended_still_stops_the_outer_one() -> None:
    async with served(hello) as outer:
        async with served(hello) as inner:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.wait([inner.task])
        assert not outer.task.done()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait([outer.task], timeout=5)
        assert outer.task.done()


def test_a_loop_that_is_not_hoopsnakes_is_refused() -> None:
    with pytest.raises(ServerError, match=r"needs hoopsnake's event loop.*hoopsnake\.run"):
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(hoopsnake.serve(hello, ServerConfig(port=0)))


def test_outside_the_main_thread_it_serves_without_signals() -> None:
    results: list[Any] = []

    async def main() -> None:
        async with served(hello) as server:
            results.append((await server.get("/x")).body)

    thread = threading.Thread(target=lambda: hoopsnake.run(main()))
    thread.start()
    thread.join(20)
    assert results == [b"/x"]
