"""How a WebSocket ends: by either side, by a fault of either, by a broken wire."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import websockets
from frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    TEXT,
    close,
    frame,
    next_frame,
    opened,
)
from served import Application, Message, Receive, Scope, Send, served

MEGABYTE = 1024 * 1024


def telling(told: asyncio.Queue[Message]) -> Application:
    """An application that accepts and tells what it receives, to the end."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            event = await receive()
            told.put_nowait(event)
            if event["type"] == "websocket.disconnect":
                return

    return app


def disconnect(code: int, reason: str = "") -> Message:
    return {"type": "websocket.disconnect", "code": code, "reason": reason}


@pytest.mark.parametrize(
    ("message", "code", "reason"),
    [
        ({}, 1000, ""),
        ({"code": 1001, "reason": "going home"}, 1001, "going home"),
        ({"code": 3000, "reason": "é" * 61}, 3000, "é" * 61),
        ({"code": 4999, "reason": None}, 4999, ""),
        ({"code": 1012}, 1012, ""),
    ],
)
async def test_the_application_closes_with_code_and_reason(
    message: dict[str, Any], code: int, reason: str
) -> None:
    told: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", **message})
        told.append(await receive())

    async with served(app, lifespan="off") as server:
        async with websockets.connect(server.websocket_url) as client:
            await client.wait_closed()
    assert (client.close_code, client.close_reason) == (code, reason)
    assert told[0]["type"] == "websocket.disconnect"


@pytest.mark.parametrize(
    ("raw", "event"),
    [
        (close(1000), disconnect(1000)),
        (close(1001, "tab closed"), disconnect(1001, "tab closed")),
        (close(4321, "naïve"), disconnect(4321, "naïve")),
        (frame(CLOSE), disconnect(1005)),
    ],
)
async def test_the_client_closes_with_code_and_reason(raw: bytes, event: Message) -> None:
    told: asyncio.Queue[Message] = asyncio.Queue()
    async with served(telling(told), lifespan="off") as server:
        async with await server.connect() as wire:
            await opened(wire)
            await wire.send(raw)
            assert await told.get() == event
            assert (await next_frame(wire)).opcode == CLOSE, "a close is answered"
            assert await wire.rest() == b""


async def test_messages_before_a_close_come_first_and_a_disconnect_comes_again() -> None:
    told: list[Message] = []
    sent, done = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await sent.wait()
        told.extend([await receive() for _ in range(4)])
        done.set()

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await opened(wire)
            await wire.send(frame(TEXT, b"1") + frame(TEXT, b"2") + close(1000, "done"))
            await wire.rest()
            sent.set()
            await done.wait()
    assert [each.get("text") for each in told[:2]] == ["1", "2"]
    assert told[2:] == [disconnect(1000, "done")] * 2


@pytest.mark.parametrize("manner", ["vanish", "leave"])
async def test_a_client_that_goes_without_a_word_is_a_1006(manner: str) -> None:
    told: asyncio.Queue[Message] = asyncio.Queue()
    async with served(telling(told), lifespan="off") as server:
        async with await server.connect() as wire:
            await opened(wire)
            await wire.send(frame(TEXT, b"last words"))
            assert (await told.get())["text"] == "last words"
            getattr(wire, manner)()
            assert await told.get() == disconnect(1006)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (frame(TEXT, b"\xff\xfe"), 1007),
        (frame(TEXT, b"caf\xc3", final=False) + frame(CONTINUATION, b"("), 1007),
        (frame(TEXT, b"caf\xc3"), 1007),
        (frame(TEXT, b"unmasked", masked=False), 1002),
        (frame(3, b"reserved opcode"), 1002),
        (frame(11, b"reserved control opcode"), 1002),
        (frame(TEXT, b"reserved bit", reserved=4), 1002),
        (frame(PING, b"x" * 126), 1002),
        (frame(PING, b"fragmented", final=False), 1002),
        (frame(CONTINUATION, b"of nothing"), 1002),
        (frame(TEXT, b"a", final=False) + frame(TEXT, b"b"), 1002),
        (frame(CLOSE, b"\x03"), 1002),
        (close(1005), 1002),
        (close(999), 1002),
    ],
)
async def test_a_breach_of_the_protocol_is_told_to_both_sides(raw: bytes, code: int) -> None:
    told: asyncio.Queue[Message] = asyncio.Queue()
    async with served(telling(told), lifespan="off") as server:
        async with await server.connect() as wire:
            await opened(wire)
            await wire.send(raw)
            event = await told.get()
            answer = await next_frame(wire)
            assert answer.close[0] == code
            assert await wire.rest() == b""
    assert event["type"] == "websocket.disconnect"
    assert event["code"] == code


@pytest.mark.parametrize("fragments", [1, 17])
async def test_a_message_that_is_too_large_is_a_1009(fragments: int) -> None:
    told: asyncio.Queue[Message] = asyncio.Queue()
    size = 16 * MEGABYTE + fragments
    async with served(telling(told), lifespan="off") as server:
        async with websockets.connect(server.websocket_url) as client:
            piece = bytes(size // fragments)
            with pytest.raises(websockets.ConnectionClosed):
                await client.send(piece if fragments == 1 else [piece] * fragments)
                await client.recv()
        assert (await told.get())["code"] == 1009
        assert client.close_code == 1009
        async with websockets.connect(server.websocket_url) as client:
            await client.send("the server goes on")
            assert (await told.get())["text"] == "the server goes on"


async def test_what_was_sent_before_a_close_arrives_before_it() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        for number in range(50):
            await send({"type": "websocket.send", "bytes": bytes([number]) * 10_000})

    async with served(app, lifespan="off") as server:
        async with websockets.connect(server.websocket_url) as client:
            messages = [message async for message in client]
    assert messages == [bytes([number]) * 10_000 for number in range(50)]
    assert client.close_code == 1000


@pytest.mark.parametrize("message", [frame(TEXT, b"x"), frame(BINARY, bytes(40_000))])
async def test_a_close_does_not_wait_for_messages_that_nobody_reads(message: bytes) -> None:
    flooded = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await flooded.wait()
        await send({"type": "websocket.close", "code": 4001})

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await opened(wire)
            wire.writer.write(message * 300)
            flooded.set()
            assert (await next_frame(wire)).close == (4001, "")
            # The client answers behind all that it had begun to send.
            async with asyncio.timeout(3):
                await wire.send(close(4001))
                assert await wire.rest() == b""
