"""What many are sent goes past the tasks of their connections: in order, whatever else goes on."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from certificate_authority import Authority
from either_server import until
from frames import BINARY, CLOSE, PING, PONG, TEXT, Frame, frame, next_frame, opened
from http2 import Client
from served import Served, served
from wire import Wire

from hoopsnake.web import App, EventChannel, Request, Response, Room, WebSocket

ACCESS = "hoopsnake.access"


def app_of(room: Room, channel: EventChannel) -> App:
    """Tell all what one says, between two messages for that one alone; stream the channel."""
    app = App()

    @app.websocket("/")
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        async with room.member(socket):
            async for message in socket:
                await socket.send_text(f"you say {message}")
                await room.broadcast(f"somebody says {message}")
                await socket.send_text(f"all know {message}")

    @app.get("/")
    async def news(request: Request) -> Response:
        return channel.response(request)

    return app


@pytest.fixture
def room() -> Room:
    return Room("lobby")


@pytest.fixture
def channel() -> EventChannel:
    return EventChannel("news")


class Running:
    """A server, and how it is connected to."""

    def __init__(self, server: Served, tls: ssl.SSLContext | None) -> None:
        self.log = server.log
        self._server, self._tls = server, tls

    async def connect(self) -> Wire:
        """Open a connection."""
        return await self._server.connect(tls=self._tls)


@contextlib.asynccontextmanager
async def running_on(layer: str, app: App, folder: Path) -> AsyncIterator[Running]:
    settings: dict[str, Any] = {"access_log": True}
    tls = None
    if layer == "tls":
        authority = Authority()
        settings["ssl_certfile"] = authority.write(folder)
        tls = authority.client()
    async with served(app, **settings) as server:
        yield Running(server, tls)


@contextlib.asynccontextmanager
async def two_members(
    layer: str, folder: Path, room: Room, channel: EventChannel
) -> AsyncIterator[tuple[Wire, Wire]]:
    """Have two WebSockets in a room."""
    async with (
        running_on(layer, app_of(room, channel), folder) as running,
        await running.connect() as one,
        await running.connect() as other,
    ):
        for wire in (one, other):
            await opened(wire)
        await until(lambda: len(room) == 2)
        yield one, other


on_either_layer = pytest.mark.parametrize("layer", ["bare", "tls"])


@on_either_layer
async def test_messages_for_all_keep_their_place_between_those_for_one(
    layer: str, tmp_path: Path, room: Room, channel: EventChannel
) -> None:
    async with two_members(layer, tmp_path, room, channel) as (one, other):
        for number in range(30):
            await one.send(frame(PING, b"%d" % number) + frame(TEXT, b"%d" % number))
            await room.broadcast(b"from outside %d" % number)
        from_one, from_other = [], []
        while not from_one or from_one[-1] != b"all know 29":
            opcode, payload, _ = await next_frame(one)
            from_one.append(payload if opcode != PONG else b"pong " + payload)
        while not from_other or from_other[-1] != b"somebody says 29":
            from_other.append((await next_frame(other)).payload)
    numbers = range(30)
    outside = [b"from outside %d" % number for number in numbers]
    said = [b"somebody says %d" % number for number in numbers]
    about = [
        each
        for number in numbers
        for each in (b"you say %d" % number, said[number], b"all know %d" % number)
    ]
    assert [each for each in from_one if each in outside] == outside
    assert [each for each in from_one if each in about] == about
    assert [each for each in from_one if each.startswith(b"pong")] == [
        b"pong %d" % number for number in numbers
    ]
    assert [each for each in from_other if each in outside] == outside
    assert [each for each in from_other if each in said] == said
    assert len(from_one) == 150
    assert len(from_other) == 60


@on_either_layer
async def test_a_close_comes_behind_what_was_told_before_it(
    layer: str, tmp_path: Path, room: Room, channel: EventChannel
) -> None:
    async with (
        running_on(layer, app_of(room, channel), tmp_path) as running,
        await running.connect() as wire,
    ):
        await opened(wire)
        await until(lambda: len(room) == 1)
        [member] = room.members
        assert await room.broadcast("the last") == 1
        await member.close(4000)
        assert await room.broadcast("too late") == 0
        assert await next_frame(wire) == Frame(TEXT, b"the last")
        assert (await next_frame(wire)).close == (4000, "")
        wire.leave()


@on_either_layer
async def test_one_that_vanishes_harms_nobody_and_is_found_out(
    layer: str, tmp_path: Path, room: Room, channel: EventChannel
) -> None:
    async with two_members(layer, tmp_path, room, channel) as (one, other):
        one.vanish()
        told = 0
        while len(room) == 2:
            await room.broadcast(b"%d" % told)
            assert await next_frame(other) == Frame(BINARY, b"%d" % told)
            told += 1
        assert await room.broadcast("now") == 1


async def next_event(wire: Wire) -> bytes:
    """Read a chunk, which is an event."""
    size = int(await wire.reader.readuntil(b"\r\n"), 16)
    return (await wire.reader.readexactly(size + 2))[:-2]


@on_either_layer
async def test_events_and_what_follows_them_are_as_they_were(
    layer: str, tmp_path: Path, room: Room, channel: EventChannel
) -> None:
    async with (
        running_on(layer, app_of(room, channel), tmp_path) as running,
        await running.connect() as wire,
    ):
        for _ in range(2):
            await wire.get()
            assert (await wire.head()).one("transfer-encoding") == "chunked"
            assert await next_event(wire) == b":\n\n"
            for number in range(20):
                # Some at once, some behind one that goes through the connection's task.
                text = f"{number} " * (1 + number % 4 * 5000)
                assert await channel.publish(text) == 1
                assert await channel.publish("short") == 1
                if number % 3 == 0:
                    assert await next_event(wire) == f"data: {text}\n\n".encode()
                    assert await next_event(wire) == b"data: short\n\n"
                else:
                    await next_event(wire)
                    await next_event(wire)
            channel.close()
            assert await next_event(wire) == b""


async def test_a_client_of_http_1_0_gets_no_chunks(room: Room, channel: EventChannel) -> None:
    async with served(app_of(room, channel)) as server, await server.connect() as wire:
        await wire.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        assert (await wire.head()).one("transfer-encoding") is None
        assert await wire.reader.readexactly(3) == b":\n\n"
        for number in range(3):
            await channel.publish(number)
            assert await wire.reader.readexactly(9) == b"data: %d\n\n" % number
        channel.close()
        assert await wire.rest() == b""


async def test_what_is_compressed_is_not_gone_around(room: Room, channel: EventChannel) -> None:
    async with (
        served(app_of(room, channel), compress=("gzip",)) as server,
        await server.connect() as wire,
    ):
        await wire.get("/", "Accept-Encoding: gzip")
        is_compressed = (await wire.head()).one("content-encoding") == "gzip"
        inflate = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress if is_compressed else bytes
        read = inflate(await next_event(wire))
        for number in range(3):
            await channel.publish(number)
        channel.close()
        while chunk := await next_event(wire):
            read += inflate(chunk)
        assert read == b":\n\ndata: 0\n\ndata: 1\n\ndata: 2\n\n"


async def test_streams_of_http2_get_what_others_get(room: Room, channel: EventChannel) -> None:
    async with served(app_of(room, channel)) as server, await server.connect() as wire:
        client = await Client.begin(wire)
        streams = [await client.request("/") for _ in range(3)]
        await until(lambda: len(channel) == 3)
        for number in range(5):
            assert await channel.publish(number) == 3
        channel.close()
        for stream in streams:
            response = await client.response(stream)
            assert response.body == b":\n\n" + b"".join(b"data: %d\n\n" % n for n in range(5))


@on_either_layer
async def test_all_of_it_is_counted(
    layer: str, tmp_path: Path, room: Room, channel: EventChannel
) -> None:
    async with running_on(layer, app_of(room, channel), tmp_path) as running:
        async with await running.connect() as wire:
            await opened(wire)
            await until(lambda: len(room) == 1)
            for _ in range(10):
                await room.broadcast("x" * 100)
            for _ in range(10):
                assert (await next_frame(wire)).payload == b"x" * 100
            await wire.send(frame(CLOSE))
            assert (await next_frame(wire)).opcode == CLOSE
        async with await running.connect() as wire:
            await wire.get()
            await wire.head()
            assert await next_event(wire) == b":\n\n"
            for _ in range(10):
                await channel.publish("y" * 100)
            for _ in range(10):
                assert await next_event(wire) == b"data: " + b"y" * 100 + b"\n\n"
            channel.close()
            assert await next_event(wire) == b""
        logged = lambda: [each for each in running.log.records if each.name == ACCESS]  # noqa: E731
        await until(lambda: len(logged()) == 2)
        assert [vars(each)["response_bytes"] for each in logged()] == [1000, 3 + 10 * 108]


@pytest.mark.parametrize("members", [1, 3])
async def test_a_broadcast_from_within_a_broadcasters_end(members: int, room: Room) -> None:
    """Whoever leaves has the others told of it, by the function that is called for its end."""
    app = App()

    @app.websocket("/")
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        try:
            async with room.member(socket):
                async for message in socket:
                    await room.broadcast(message)
        finally:
            await room.broadcast("one has left")

    async with served(app) as server, contextlib.AsyncExitStack() as exits:
        wires = []
        for _ in range(members):
            wires.append(await exits.enter_async_context(await server.connect()))
            await opened(wires[-1])
        await until(lambda: len(room) == members)
        await wires[0].send(frame(TEXT, b"bye") + frame(CLOSE))
        for wire in wires:
            assert await next_frame(wire) == Frame(TEXT, b"bye")
        for wire in wires[1:]:
            assert await next_frame(wire) == Frame(TEXT, b"one has left")


async def test_a_member_that_reads_late_gets_all_of_it() -> None:
    room = Room("lobby", queue_bytes=8 * 1024 * 1024)
    async with served(app_of(room, EventChannel("news"))) as server:
        async with await server.connect(receive_buffer=8192, read_ahead=8192) as wire:
            await opened(wire)
            await until(lambda: len(room) == 1)
            # More than the sockets hold, less than the queue: what does not go at once goes later.
            for number in range(1500):
                assert await room.broadcast(number.to_bytes(4, "big") * 1000) == 1
            for number in range(1500):
                assert (await next_frame(wire)).payload == number.to_bytes(4, "big") * 1000
            await asyncio.sleep(0)
            await room.broadcast("at once again")
            assert (await next_frame(wire)).payload == b"at once again"
    assert room.dropped == 0
