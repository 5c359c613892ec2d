"""HTTP/2 from clients that mean harm: each is stopped, and the others are served."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import h2.errors
import h2.settings
import hpack
import pytest
from applications import body, echo, hello, start
from http2 import (
    CONTINUATION,
    DATA,
    HEADERS,
    PING,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Client,
    frame,
)
from served import Receive, Scope, Send, Served, served

END_STREAM, END_HEADERS = 1, 4
CALM = h2.errors.ErrorCodes.ENHANCE_YOUR_CALM
HEAD = [(":method", "GET"), (":path", "/"), (":scheme", "http"), (":authority", "test")]


def head(*fields: tuple[str, str]) -> bytes:
    """A block of fields that needs no table."""
    return hpack.Encoder().encode([*fields] or HEAD, huffman=False)


@asynccontextmanager
async def attacked(application: Any = hello) -> AsyncIterator[tuple[Client, Served]]:
    """A server, a connection that is about to attack it, and the proof that others are served."""
    async with served(application, lifespan="off") as server:
        async with await server.connect() as wire, await server.connect() as neighbour:
            other = await Client.begin(neighbour)
            yield await Client.begin(wire), server
            assert (await other.get("/well")).status == 200
        assert (await server.get("/well")).status == 200


async def ended_with(client: Client, code: int | None) -> None:
    """Read until the server ends the connection, for this reason."""
    await client.until_closed()
    if client.goaway is not None:
        assert client.goaway.code == code


async def test_streams_that_are_opened_and_reset_at_once_end_the_connection() -> None:
    calls = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal calls
        calls += 1
        await hello(scope, receive, send)

    async with attacked(app) as (client, _):
        reset = struct.pack("!I", h2.errors.ErrorCodes.CANCEL)
        for first in range(1, 20_000, 200):
            if client.wire.reader.at_eof():
                break
            streams = range(first, first + 200, 2)
            try:
                await client.wire.send(
                    b"".join(
                        frame(HEADERS, END_STREAM | END_HEADERS, stream, head())
                        + frame(RST_STREAM, 0, stream, reset)
                        for stream in streams
                    )
                )
            except ConnectionError:
                break
        await ended_with(client, CALM)
        assert calls < 200, calls


async def test_requests_that_are_given_up_again_and_again_end_the_connection() -> None:
    at_work = 0
    begun = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal at_work
        if scope["path"] != "/slow":
            return await hello(scope, receive, send)
        at_work += 1
        begun.set()
        await asyncio.get_running_loop().create_future()

    async with served(app, faulty=True, lifespan="off", graceful_timeout=0.0) as server:
        async with await server.connect() as wire:
            client = await Client.begin(wire)
            while not client.ended:
                begun.clear()
                stream = await client.request("/slow")
                # Each request is known to have begun, so that hyper's own limit is not the one.
                waiting = asyncio.ensure_future(begun.wait())
                reading = asyncio.ensure_future(client.until_closed())
                await asyncio.wait([waiting, reading], return_when=asyncio.FIRST_COMPLETED)
                reading.cancel()
                await asyncio.wait([reading])
                if client.ended:
                    break
                client.h2.reset_stream(stream, h2.errors.ErrorCodes.CANCEL)
                await client.flush()
        assert 256 <= at_work < 400, at_work
        assert (await server.get("/well")).status == 200


async def test_streams_that_the_server_is_made_to_reset_end_the_connection() -> None:
    async with attacked() as (client, _):
        # A window above 2^31 - 1 is an error of the stream (RFC 9113 section 6.9.1).
        too_much = struct.pack("!I", 2**31 - 1)
        attack = b"".join(
            frame(HEADERS, END_HEADERS, stream, head()) + frame(WINDOW_UPDATE, 0, stream, too_much)
            for stream in range(1, 4001, 2)
        )
        await client.wire.send(attack)
        await ended_with(client, CALM)


async def test_a_head_that_never_ends_ends_the_connection() -> None:
    async with attacked() as (client, _):
        await client.wire.send(frame(HEADERS, END_STREAM, 1, head()))
        field = hpack.Encoder().encode([("x-more", "a" * 1000)], huffman=False)
        try:
            for _ in range(1000):
                await client.wire.send(frame(CONTINUATION, 0, 1, field))
        except ConnectionError:
            pass
        await ended_with(client, CALM)


async def test_empty_continuations_end_the_connection() -> None:
    async with attacked() as (client, _):
        await client.wire.send(frame(HEADERS, END_STREAM, 1, head()))
        try:
            for _ in range(1000):
                await client.wire.send(frame(CONTINUATION, 0, 1) * 100)
        except ConnectionError:
            pass
        await ended_with(client, CALM)


async def take_in(scope: Scope, receive: Receive, send: Send) -> None:
    """Read until the client has gone; say hello to the others."""
    if scope["method"] == "GET":
        return await hello(scope, receive, send)
    while (await receive())["type"] != "http.disconnect":
        pass


@pytest.mark.parametrize("data", [b"", b"x"], ids=["empty", "of one byte"])
async def test_a_flood_of_tiny_pieces_of_a_body_takes_no_memory(data: bytes) -> None:
    async with attacked(take_in) as (client, _):
        fields = [(":method", "POST"), *HEAD[1:]]
        await client.wire.send(frame(HEADERS, END_HEADERS, 1, head(*fields)))
        client.h2.send_headers(1, HEAD)
        client.h2.data_to_send()
        before = resident_mebibytes()
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                await client.wire.send(frame(DATA, 0, 1, data) * 10_000)
        if data:
            await ended_with(client, CALM)
        assert resident_mebibytes() < before + 64


def resident_mebibytes() -> int:
    """Memory of this process, server and client together."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 2**20


async def test_a_head_that_is_too_large_is_refused() -> None:
    async with attacked() as (client, _):
        headers = [(f"x-{number}", "a" * 4000) for number in range(20)]
        assert (await client.get("/", *headers)).status == 431
        assert (await client.get()).status == 200


async def test_a_head_that_unfolds_to_a_large_one_is_refused() -> None:
    encoder = hpack.Encoder()
    # One entry of the table, and then a byte for each time that it is meant.
    first = encoder.encode([*HEAD, ("x-bomb", "a" * 3000)], huffman=False)
    bomb = encoder.encode([("x-bomb", "a" * 3000)], huffman=False) * 10_000
    assert len(bomb) < 16_384
    async with attacked() as (client, _):
        await client.wire.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, first + bomb))
        await ended_with(client, CALM)


async def test_a_window_of_nothing_holds_the_body_back_and_nothing_else() -> None:
    async with attacked(echo) as (client, _):
        client.takes_data = False
        client.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
        stream = await client.request(method="POST", body=b"four")
        response = client.responses[stream]
        await client.until(lambda _: response.headers)
        for received in range(4):
            assert len(response.body) == received
            client.h2.increment_flow_control_window(1, stream)
            await client.flush()
            await client.until(lambda _, received=received: len(response.body) > received)
        assert (await client.response(stream)).body == b"four"


@pytest.mark.parametrize(
    "fields",
    [
        [(":method", "GET"), (":scheme", "http"), (":authority", "test")],
        [*HEAD, (":path", "/again")],
        [("x-first", "1"), *HEAD],
        [*HEAD, ("X-Upper", "1")],
        [*HEAD, ("connection", "close")],
        [*HEAD, ("transfer-encoding", "chunked")],
        [*HEAD, ("te", "gzip")],
        [*HEAD, (":status", "200")],
        [*HEAD, ("x-break", "a\r\nb: c")],
    ],
    ids=lambda fields: str(fields[-1] if fields[0] == HEAD[0] else fields[0]),
)
async def test_a_malformed_head_resets_its_stream_or_connection(
    fields: list[tuple[str, str]],
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["path"] == "/well", "the application was called"
        await hello(scope, receive, send)

    async with attacked(app) as (client, _):
        await client.wire.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, head(*fields)))
        # The package is told of the stream too, so that it understands what comes for it.
        client.h2.send_headers(1, HEAD, end_stream=True)
        client.h2.data_to_send()
        response = client.responses[1]
        while not (client.ended or response.ended or response.reset is not None or client.goaway):
            await client.read()
        assert not response.ended or response.status == 400


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([(":method", "GET"), (":path", "/"), (":scheme", "http")], 400),
        ([*HEAD, ("host", "other")], 400),
        ([*HEAD, ("host", "test"), ("host", "test")], 400),
        ([*HEAD[:3], (":authority", "a b")], 400),
        ([*HEAD[:3], (":authority", "user@test")], 400),
        ([(":method", "CONNECT"), (":authority", "example.org:443")], 501),
    ],
)
async def test_an_ambiguous_host_or_a_tunnel_is_refused(
    fields: list[tuple[str, str]], status: int
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["path"] == "/well", "the application was called"
        await hello(scope, receive, send)

    async with attacked(app) as (client, _):
        await client.wire.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, head(*fields)))
        client.h2.send_headers(1, HEAD, end_stream=True)
        client.h2.data_to_send()
        response = await client.response(1)
        # hyper itself resets what is no authority at all.
        assert response.reset is not None or response.status == status


async def test_a_body_of_another_length_than_declared_is_no_request() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (event := await receive())["type"] == "http.request":
            assert event["more_body"], "a body that is too short passed for a whole one"
        await send(start())
        await send(body())

    async with served(app, faulty=True, lifespan="off") as server:
        async with await server.connect() as wire:
            client = await Client.begin(wire)
            fields = [(":method", "POST"), *HEAD[1:], ("content-length", "10")]
            await wire.send(frame(HEADERS, END_HEADERS, 1, head(*fields)))
            await wire.send(frame(DATA, END_STREAM, 1, b"short"))
            client.h2.send_headers(1, HEAD, end_stream=True)
            client.h2.data_to_send()
            assert (await client.response(1)).reset is not None


@pytest.mark.parametrize(
    "broken",
    [
        frame(DATA, 0, 0, b"on stream 0"),
        frame(HEADERS, END_STREAM | END_HEADERS, 2, head()),
        frame(PING, payload=b"short"),
        frame(SETTINGS, payload=b"short"),
        frame(WINDOW_UPDATE, payload=struct.pack("!I", 0)),
        frame(CONTINUATION, END_HEADERS, 1, head()),
        b"\xff\xff\xff" + frame(DATA, 0, 1)[3:],
        frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\xff" * 50),
        b"GET / HTTP/1.1\r\nHost: test\r\n\r\n",
    ],
    ids=[
        "data on stream 0",
        "an even stream",
        "a short ping",
        "short settings",
        "an update of nothing",
        "a continuation of nothing",
        "a frame that is too large",
        "a head that cannot be decoded",
        "HTTP/1.1",
    ],
)
async def test_a_broken_frame_ends_the_connection(broken: bytes) -> None:
    async with attacked() as (client, _):
        await client.wire.send(broken)
        await client.until_closed()
        assert client.goaway is None or client.goaway.code != h2.errors.ErrorCodes.NO_ERROR
