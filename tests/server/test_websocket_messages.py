"""Messages over a WebSocket, with a real client and frame by frame."""

from __future__ import annotations

import asyncio

import pytest
import websockets
from frames import BINARY, CONTINUATION, PING, PONG, TEXT, frame, next_frame, opened
from served import Message, Receive, Scope, Send, served

MEGABYTE = 1024 * 1024


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Send back every message as it came."""
    assert scope["type"] == "websocket"
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await send({**event, "type": "websocket.send"})


@pytest.mark.parametrize(
    "message",
    [
        "",
        "text",
        "naïve 😀 \x00",
        b"",
        b"\x00\xff binary",
        "x" * 125,
        "x" * 126,
        b"y" * 65535,
        b"z" * 65536,
        "é" * (MEGABYTE // 2),
        bytes(range(256)) * 4096,
    ],
    ids=lambda message: f"{type(message).__name__}-{len(message)}",
)
async def test_a_message_comes_back_as_it_was(message: str | bytes) -> None:
    async with served(echo, lifespan="off") as server:
        async with websockets.connect(server.websocket_url, max_size=None) as client:
            for _ in range(2):
                await client.send(message)
                assert await client.recv() == message


async def test_messages_keep_their_order() -> None:
    async with served(echo, lifespan="off") as server:
        async with websockets.connect(server.websocket_url) as client:
            for number in range(500):
                await client.send(f"{number}")
            assert [await client.recv() for _ in range(500)] == [f"{each}" for each in range(500)]


async def test_an_event_has_text_or_bytes() -> None:
    events: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        events.extend([await receive() for _ in range(2)])

    async with served(app, lifespan="off") as server:
        async with websockets.connect(server.websocket_url) as client:
            await client.send("text")
            await client.send(b"bytes")
            await client.wait_closed()
    for event, (key, other) in zip(events, [("text", "bytes"), ("bytes", "text")], strict=True):
        assert event["type"] == "websocket.receive"
        assert event[key] == (key if key == "text" else b"bytes")
        assert event.get(other) is None


@pytest.mark.parametrize("absent", [{}, {"bytes": None}])
async def test_a_message_may_spell_out_what_it_has_not(absent: dict[str, None]) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
        await send({"type": "websocket.send", "text": "x", **absent})
        await send({"type": "websocket.close", "reason": None})

    async with served(app, lifespan="off") as server:
        async with websockets.connect(server.websocket_url) as client:
            assert await client.recv() == "x"


async def test_fragments_are_put_together() -> None:
    async with served(echo, lifespan="off") as server:
        async with await server.connect() as wire:
            await opened(wire)
            # Cut within the two bytes of the é, and with a ping in between.
            await wire.send(frame(TEXT, b"caf\xc3", final=False) + frame(PING, b"now"))
            await wire.send(frame(CONTINUATION, b"\xa9 au", final=False))
            await wire.send(frame(CONTINUATION, b" lait"))
            assert await next_frame(wire) == (PONG, b"now", True)
            assert await next_frame(wire) == (TEXT, "café au lait".encode(), True)
            await wire.send(
                frame(BINARY, b"a", final=False) + frame(CONTINUATION, b"", final=False)
            )
            await wire.send(frame(CONTINUATION, b"b"))
            assert await next_frame(wire) == (BINARY, b"ab", True)


async def test_a_frame_may_arrive_byte_by_byte() -> None:
    raw = frame(TEXT, b"slowly")
    async with served(echo, lifespan="off") as server:
        async with await server.connect() as wire:
            await opened(wire)
            for index in range(len(raw)):
                await wire.send(raw[index : index + 1])
            assert (await next_frame(wire)).payload == b"slowly"


async def test_pings_are_answered_while_the_application_is_busy() -> None:
    accepted, done = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        accepted.set()
        await done.wait()

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await opened(wire)
            await accepted.wait()
            for payload in (b"", b"one", b"x" * 125):
                await wire.send(frame(PING, payload))
                assert await next_frame(wire) == (PONG, payload, True)
        done.set()


async def test_pongs_that_nobody_asked_for_are_passed_over() -> None:
    async with served(echo, lifespan="off") as server:
        async with await server.connect() as wire:
            await opened(wire)
            await wire.send(frame(PONG, b"unasked") + frame(TEXT, b"next"))
            assert await next_frame(wire) == (TEXT, b"next", True)


async def test_the_largest_message_is_taken() -> None:
    message = bytes(16 * MEGABYTE)
    async with served(echo, lifespan="off") as server:
        async with websockets.connect(server.websocket_url, max_size=None) as client:
            await client.send(message)
            assert await client.recv() == message


async def test_giving_up_waiting_loses_no_message() -> None:
    gave_up = asyncio.Event()
    texts: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while len(texts) < 20:
            try:
                texts.append((await asyncio.wait_for(receive(), 0.002))["text"])
            except TimeoutError:
                gave_up.set()

    async with served(app, lifespan="off") as server:
        async with websockets.connect(server.websocket_url) as client:
            for number in range(20):
                gave_up.clear()
                await gave_up.wait()
                await client.send(f"{number}")
            await client.wait_closed()
    assert texts == [f"{each}" for each in range(20)]


@pytest.mark.parametrize("turns", range(0, 16, 2))
async def test_a_receive_cancelled_at_any_moment_loses_no_message(turns: int) -> None:
    sent = asyncio.Event()
    texts: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        first = asyncio.ensure_future(receive())
        await sent.wait()
        for _ in range(turns):
            await asyncio.sleep(0)
        first.cancel()
        (outcome,) = await asyncio.gather(first, return_exceptions=True)
        if isinstance(outcome, dict):
            texts.append(outcome["text"])
        while len(texts) < 2:
            texts.append((await receive())["text"])

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await opened(wire)
            await wire.send(frame(TEXT, b"1") + frame(TEXT, b"2"))
            sent.set()
            await next_frame(wire)
    assert texts == ["1", "2"]


async def test_one_task_may_send_while_another_receives() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})

        async def tick() -> None:
            for number in range(20):
                await send({"type": "websocket.send", "text": f"{number}"})
                await asyncio.sleep(0)

        ticking = asyncio.create_task(tick())
        assert (await receive())["text"] == "enough"
        await ticking

    async with served(app, lifespan="off") as server:
        async with websockets.connect(server.websocket_url) as client:
            assert [await client.recv() for _ in range(20)] == [f"{each}" for each in range(20)]
            await client.send("enough")
            await client.wait_closed()
            assert client.close_code == 1000


async def test_a_hundred_clients_talk_at_once() -> None:
    async def talk(url: str, number: int) -> None:
        async with websockets.connect(url) as client:
            for turn in range(10):
                await client.send(f"{number}:{turn}")
                assert await client.recv() == f"{number}:{turn}"

    async with served(echo, lifespan="off") as server:
        await asyncio.gather(*(talk(server.websocket_url, number) for number in range(100)))
