"""Floods of frames that make work and ask for nothing (RFC 9113 section 10.5): they are counted."""

from __future__ import annotations

import asyncio
import contextlib
import struct

import h2.errors
import pytest
from applications import hello
from http2 import (
    CONTINUATION,
    DATA,
    HEADERS,
    PING,
    PREFACE,
    PRIORITY,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Client,
    frame,
)
from served import served
from test_http2_hostile import (
    CALM,
    END_HEADERS,
    END_STREAM,
    HEAD,
    attacked,
    ended_with,
    head,
    resident_mebibytes,
)
from wire import Wire

ACK = 1
# What a client may have at once, and some that time gives back while it sends.
FRAMES_IN_A_ROW = 1000
SOME = 500
CANCEL = struct.pack("!I", h2.errors.ErrorCodes.CANCEL)

FLOODS = {
    "pings": frame(PING, payload=b"8 bytes!"),
    "answers to pings": frame(PING, ACK, payload=b"8 bytes!"),
    "settings": frame(SETTINGS, payload=struct.pack("!HI", 1, 0)),
    "windows of the connection": frame(WINDOW_UPDATE, payload=struct.pack("!I", 1)),
    "windows of a closed stream": frame(WINDOW_UPDATE, 0, 1, struct.pack("!I", 1)),
    "resets of a closed stream": frame(RST_STREAM, 0, 1, CANCEL),
    "priorities": frame(PRIORITY, 0, 99, bytes(5)),
    "frames of a type that nobody knows": frame(0xFA, payload=b"anything"),
}


async def pour(wire: Wire, flood: bytes, times: int) -> None:
    """Send it again and again, as far as the server takes it."""
    with contextlib.suppress(ConnectionError):
        for _ in range(times // 1000):
            await wire.send(flood * 1000)


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
async def test_a_flood_ends_its_connection(flood: bytes) -> None:
    async with attacked() as (client, _):
        assert (await client.get()).status == 200
        # The package must not answer what it is not told of.
        client.h2.receive_data = lambda _: []  # type: ignore[assignment]
        pouring = asyncio.ensure_future(pour(client.wire, flood, 100_000))
        await ended_with(client, CALM)
        assert client.goaway is not None and client.goaway.last_stream == 1
        assert b"ask for nothing" in client.goaway.text
        pouring.cancel()
        await asyncio.wait([pouring])


@pytest.mark.parametrize(
    ("flood", "answer"),
    [
        (frame(PING, payload=b"8 bytes!"), frame(PING, ACK, payload=b"8 bytes!")),
        (frame(SETTINGS), frame(SETTINGS, ACK)),
    ],
    ids=["pings", "settings"],
)
async def test_of_a_flood_that_wants_answers_only_the_allowed_are_answered(
    flood: bytes, answer: bytes
) -> None:
    async with served(hello, lifespan="off") as server:
        async with await server.connect(receive_buffer=4096, read_ahead=1024) as wire:
            before = resident_mebibytes()
            # Nothing of what comes is read until the whole flood has been sent.
            await wire.send(PREFACE + frame(SETTINGS))
            await pour(wire, flood, 100_000)
            assert (await server.get()).status == 200
            assert resident_mebibytes() < before + 16
            came = await wire.rest()
            # Its reader has some more that it has read ahead.
            assert came.count(answer) <= FRAMES_IN_A_ROW + SOME


async def test_a_client_that_takes_large_bodies_may_say_so_with_every_piece() -> None:
    large = bytes(2 * 1024 * 1024)

    async def app(scope, receive, send):  # type: ignore[no-untyped-def]
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": large})

    async with served(app, lifespan="off") as server, await server.connect() as wire:
        client = await Client.begin(wire)
        for _ in range(6):
            # Each piece of 16 KiB is acknowledged twice: some 1,500 updates in all.
            assert (await client.get()).body == large


async def test_ten_thousand_requests_that_are_given_up_after_their_answer_are_no_flood() -> None:
    async with served(hello, lifespan="off") as server, await server.connect() as wire:
        client = await Client.begin(wire)
        for _ in range(1000):
            streams = [await client.request() for _ in range(10)]
            for stream in streams:
                assert (await client.response(stream)).status == 200
            await wire.send(b"".join(frame(RST_STREAM, 0, each, CANCEL) for each in streams))
        assert (await client.get()).status == 200


# "Made you reset" (CVE-2025-8671): what the server has to answer with a reset of its own.
OF_ONE_STREAM = {
    "a window that is too large": frame(WINDOW_UPDATE, 0, 1, struct.pack("!I", 2**31 - 1)),
    "a stream that depends on itself": frame(PRIORITY, 0, 1, struct.pack("!IB", 1, 15)),
    "a body beyond its length": frame(DATA, END_STREAM, 1, b"much too long"),
}
OF_ITS_CONNECTION = {
    "a window of nothing": frame(WINDOW_UPDATE, 0, 1, bytes(4)),
    "a second head": frame(HEADERS, END_HEADERS, 1, head()) * 2,
    "a body behind its end": frame(DATA, END_STREAM, 1, b"four") + frame(DATA, 0, 1, b"more"),
    "a priority of another length": frame(PRIORITY, 0, 1, bytes(4)),
}


def on(stream: int, frames: bytes) -> bytes:
    """The frames of stream 1, on another one."""
    moved = b""
    while frames:
        size = 9 + int.from_bytes(frames[:3], "big")
        moved += frames[:5] + struct.pack("!I", stream) + frames[9:size]
        if frames[3] == PRIORITY and size == 14 and frames[9:13] == struct.pack("!I", 1):
            moved = moved[:-5] + struct.pack("!IB", stream, 15)
        frames = frames[size:]
    return moved


@pytest.mark.parametrize(
    "attack",
    [*OF_ONE_STREAM.values(), *OF_ITS_CONNECTION.values()],
    ids=[*OF_ONE_STREAM, *OF_ITS_CONNECTION],
)
async def test_a_server_that_is_made_to_reset_again_and_again_ends_the_connection(
    attack: bytes,
) -> None:
    calls = 0

    async def app(scope, receive, send):  # type: ignore[no-untyped-def]
        nonlocal calls
        calls += scope["path"] == "/attack"
        while scope["path"] == "/attack" and (await receive())["type"] != "http.disconnect":
            pass
        await hello(scope, receive, send)

    fields = [(":method", "POST"), (":path", "/attack"), *HEAD[2:]]
    fields.append(("content-length", "4"))
    async with attacked(app) as (client, _):
        client.h2.receive_data = lambda _: []  # type: ignore[assignment]
        with contextlib.suppress(ConnectionError):
            for stream in range(1, 4001, 2):
                head_of_it = frame(HEADERS, END_HEADERS, stream, head(*fields))
                await client.wire.send(head_of_it + on(stream, attack))
        await client.until_closed()
        assert client.goaway is None or client.goaway.code != h2.errors.ErrorCodes.NO_ERROR
        assert calls <= 300, calls


async def test_trailers_that_are_too_large_end_the_request_or_its_connection() -> None:
    ended = asyncio.Event()

    async def app(scope, receive, send):  # type: ignore[no-untyped-def]
        if scope["method"] == "POST":
            while (event := await receive())["type"] == "http.request" and event["more_body"]:
                pass
            ended.set()
        await hello(scope, receive, send)

    async with attacked(app) as (client, _):
        fields = [(":method", "POST"), *HEAD[1:]]
        await client.wire.send(frame(HEADERS, END_HEADERS, 1, head(*fields)))
        trailer = head(*[(f"x-{number}", "a" * 1000) for number in range(10)])
        with contextlib.suppress(ConnectionError):
            await client.wire.send(frame(HEADERS, END_STREAM, 1, trailer))
            for _ in range(1000):
                await client.wire.send(frame(CONTINUATION, 0, 1, trailer))
        await client.until_closed()
        await ended.wait()
