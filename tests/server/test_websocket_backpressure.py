"""Backpressure over WebSockets: a peer that does not read makes the other one wait."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from frames import BINARY, close, frame, next_frame, opened
from served import Message, Receive, Scope, Send, served
from test_http_backpressure import KERNEL, TOTAL, standstill
from wire import Wire

PIECE = bytes(range(256)) * 128


async def test_a_client_that_does_not_read_makes_send_wait() -> None:
    sent = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal sent
        await receive()
        await send({"type": "websocket.accept"})
        while sent < TOTAL:
            await send({"type": "websocket.send", "bytes": PIECE})
            sent += len(PIECE)

    async with served(app, lifespan="off") as server:
        async with await server.connect(receive_buffer=8192, read_ahead=8192) as wire:
            await opened(wire)
            assert await standstill(lambda: sent) < KERNEL
            for _ in range(TOTAL // len(PIECE)):
                assert await next_frame(wire) == (BINARY, PIECE, True)
            assert (await next_frame(wire)).close[0] == 1000


async def test_an_application_that_does_not_read_makes_the_client_wait() -> None:
    go_on = asyncio.Event()
    arrived = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal arrived
        await receive()
        await send({"type": "websocket.accept"})
        await go_on.wait()
        while arrived < TOTAL:
            event = await receive()
            assert event["bytes"] == PIECE
            arrived += len(event["bytes"])

    given = 0

    async def flood(wire: Wire) -> None:
        nonlocal given
        raw = frame(BINARY, PIECE)
        while given < TOTAL:
            await wire.send(raw)
            given += len(PIECE)

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await opened(wire)
            flooding = asyncio.create_task(flood(wire))
            assert await standstill(lambda: given) < KERNEL
            go_on.set()
            await flooding
            assert (await next_frame(wire)).close[0] == 1000
    assert arrived == TOTAL


@pytest.mark.parametrize("leave", [Wire.leave, Wire.vanish], ids=["fin", "rst"])
async def test_a_send_that_waits_ends_when_the_client_leaves(leave: Any) -> None:
    waiting = asyncio.Event()
    ended: asyncio.Queue[Message] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        try:
            while True:
                sending = asyncio.ensure_future(
                    send({"type": "websocket.send", "bytes": PIECE * 8})
                )
                done, _ = await asyncio.wait([sending], timeout=0.2)
                if not done:
                    waiting.set()
                await sending
        finally:
            ended.put_nowait(await receive())

    async with served(app, lifespan="off") as server:
        async with await server.connect(receive_buffer=8192, read_ahead=8192) as wire:
            await opened(wire)
            await waiting.wait()
            leave(wire)
            assert (await ended.get())["code"] == 1006


async def test_the_server_goes_on_while_a_client_does_not_read() -> None:
    waiting = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        if scope["path"] == "/quick":
            return
        while True:
            sending = asyncio.ensure_future(send({"type": "websocket.send", "bytes": PIECE * 8}))
            done, _ = await asyncio.wait([sending], timeout=0.2)
            if not done:
                waiting.set()
            await sending

    async with served(app, lifespan="off", graceful_timeout=0) as server:
        async with await server.connect(receive_buffer=8192, read_ahead=8192) as slow:
            await opened(slow, "/slow")
            await waiting.wait()
            for _ in range(5):
                async with await server.connect() as quick:
                    await opened(quick, "/quick")
                    assert (await next_frame(quick)).close[0] == 1000
                    await quick.send(close(1000))
