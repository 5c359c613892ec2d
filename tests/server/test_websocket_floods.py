"""WebSocket clients that send much and say little: others are served, and no memory is taken."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from applications import hello
from frames import BINARY, CONTINUATION, PING, PONG, TEXT, close, frame, next_frame, opened
from served import Receive, Scope, Send, served
from test_http2_hostile import resident_mebibytes
from test_websocket_deflate import COMPRESSED, DEFLATE, deflated
from wire import Wire

ALLOWED_MEBIBYTES = 24


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Send back what comes; say hello to those who want no WebSocket."""
    if scope["type"] == "http":
        return await hello(scope, receive, send)
    await receive()
    await send({"type": "websocket.accept"})
    with contextlib.suppress(OSError):
        while (event := await receive())["type"] == "websocket.receive":
            await send({**event, "type": "websocket.send"})


@asynccontextmanager
async def flooded(**options: int) -> AsyncIterator[Wire]:
    """An open WebSocket, and the proof that others are served and that memory stays as it was."""
    async with served(echo, lifespan="off") as server:
        async with await server.connect(**options) as wire:
            await opened(wire, "/", DEFLATE)
            before = resident_mebibytes()
            yield wire
            assert (await server.get("/well")).status == 200
            assert resident_mebibytes() < before + ALLOWED_MEBIBYTES


async def pour(wire: Wire, flood: bytes, times: int) -> None:
    """Send it again and again; an event loop's turn in between lets others run."""
    with contextlib.suppress(ConnectionError):
        for _ in range(times):
            await wire.send(flood)
            await asyncio.sleep(0)


@pytest.mark.parametrize("reserved", [0, COMPRESSED], ids=["plain", "compressed"])
async def test_a_message_in_a_million_empty_pieces_is_a_message(reserved: int) -> None:
    async with flooded() as wire:
        await wire.send(frame(BINARY, b"", final=False, reserved=reserved))
        await pour(wire, frame(CONTINUATION, b"", final=False) * 10_000, 100)
        end = deflated(b"at last") if reserved else b"at last"
        await wire.send(frame(CONTINUATION, end))
        assert (await next_frame(wire)).payload == b"at last"


async def test_pings_of_a_client_that_reads_nothing_are_answered_by_the_last_alone() -> None:
    async with flooded(receive_buffer=4096, read_ahead=4096) as wire:
        # 50 MB of them: more than the sockets between here and there can hold.
        await pour(wire, frame(PING, bytes(120)) * 4000, 100)
        await wire.send(frame(PING, b"the last one"))
        answered = 0
        while (await next_frame(wire)).payload != b"the last one":
            answered += 1
        assert answered < 400_000


async def test_a_million_pongs_that_nobody_asked_for_are_passed_over() -> None:
    async with flooded() as wire:
        await pour(wire, frame(PONG) * 10_000, 100)
        await wire.send(frame(TEXT, b"still here"))
        assert (await next_frame(wire)).payload == b"still here"


async def test_bombs_one_after_the_other_take_no_more_than_one() -> None:
    bomb = deflated(bytes(10 * 1024 * 1024))
    assert len(bomb) < 20_000
    async with served(echo, lifespan="off", ws_max_size=1024 * 1024) as server:
        before = resident_mebibytes()
        for _ in range(20):
            async with await server.connect() as wire:
                await opened(wire, "/", DEFLATE)
                await wire.send(frame(BINARY, bomb, reserved=COMPRESSED))
                assert (await next_frame(wire)).close[0] == 1009
        assert (await server.get()).status == 200
        assert resident_mebibytes() < before + ALLOWED_MEBIBYTES


async def test_answers_to_what_came_before_a_close_come_before_the_close() -> None:
    async with flooded() as wire:
        await wire.send(frame(TEXT, b"one") + frame(TEXT, b"two") + close(1000, "bye"))
        assert [(await next_frame(wire)).payload for _ in range(2)] == [b"one", b"two"]
        assert (await next_frame(wire)).close == (1000, "bye")


async def test_answers_to_what_came_before_a_mistake_come_before_its_close() -> None:
    async with flooded() as wire:
        await wire.send(frame(TEXT, b"one") + frame(TEXT, b"two", reserved=1))
        assert (await next_frame(wire)).payload == b"one"
        assert (await next_frame(wire)).close[0] == 1002


async def test_a_close_does_not_wait_for_an_application_that_is_busy() -> None:
    busy = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        await busy.wait()

    async with served(app, lifespan="off") as server, await server.connect() as wire:
        await opened(wire)
        await wire.send(frame(TEXT, b"one") + close(1000, "bye"))
        assert (await next_frame(wire)).close == (1000, "bye")
        busy.set()


async def test_closes_that_cross_are_one_close() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 4001, "reason": "enough"})
        assert (await receive())["type"] == "websocket.disconnect"

    async with served(app, lifespan="off") as server, await server.connect() as wire:
        await opened(wire)
        await wire.send(close(4002, "me too"))
        assert (await next_frame(wire)).close == (4001, "enough")
        assert await wire.rest() == b""
