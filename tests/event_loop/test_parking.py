"""A loop that has nothing to do sleeps: no state of a connection or timer keeps it spinning."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
from loop_under_test import Run
from recording_protocol import Pair, RecordingProtocol, connected_pair

WATCHED_SECONDS = 0.3
# A loop that spins uses all of the time that it is watched for.
MOST_OF_IT_IDLE = 0.5 * WATCHED_SECONDS


async def nothing(_: Pair) -> None: ...


async def half_closed(pair: Pair) -> None:
    pair.client.transport.write_eof()
    await pair.server.ended


async def paused_with_data_waiting(pair: Pair) -> None:
    pair.server.transport.pause_reading()
    pair.client.transport.write(b"x" * 10_000_000)


async def paused_at_the_end(pair: Pair) -> None:
    pair.server.transport.pause_reading()
    pair.client.transport.write(b"x")
    pair.client.transport.write_eof()


async def paused_and_reset(pair: Pair) -> None:
    pair.server.transport.pause_reading()
    sock = pair.client.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    pair.client.transport.abort()
    await pair.client.lost


async def ended_while_closing(pair: Pair) -> None:
    pair.client.transport.pause_reading()
    pair.server.transport.write(b"x" * 10_000_000)
    pair.server.transport.close()
    pair.client.transport.write_eof()


async def far_timers(_: Pair) -> None:
    loop = asyncio.get_running_loop()
    for delay in (1000, 1e9, float("inf")):
        loop.call_later(delay, print)
    loop.call_later(1000, print).cancel()


async def a_thread_called(_: Pair) -> None:
    await asyncio.to_thread(lambda: None)


@pytest.mark.parametrize(
    "state",
    [
        *(nothing, half_closed, paused_with_data_waiting, paused_at_the_end, paused_and_reset),
        *(ended_while_closing, far_timers, a_thread_called),
    ],
    ids=lambda state: state.__name__,
)
def test_the_loop_sleeps(run: Run, state: Callable[[Pair], Awaitable[None]]) -> None:
    async def main() -> float:
        pair = await connected_pair(make_server=partial(RecordingProtocol, keep_open_at_end=True))
        await state(pair)
        await asyncio.sleep(0.01)
        before = time.thread_time()
        # Time has to pass for a loop that spins to be seen.
        await asyncio.sleep(WATCHED_SECONDS)
        used = time.thread_time() - before
        await pair.close()
        return used

    assert run(main()) < MOST_OF_IT_IDLE
