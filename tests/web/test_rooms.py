"""Rooms: WebSockets that are sent the same, over real sockets, on our server and on another."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import websockets
from either_server import on_either_server, serving, until
from frames import BINARY, TEXT, Frame, close, frame, next_frame, opened
from pydantic import BaseModel
from wire import Wire

from hoopsnake.web import App, LocalBus, Room, WebSocket, WebSocketDisconnect

PIECE = bytes(range(256)) * 64
KERNEL = 16 * 1024 * 1024
"""More than the sockets on both sides hold."""


class Note(BaseModel):
    text: str
    number: int = 0


def app_of(room: Room) -> App:
    """Whoever comes is a member; what it says all are told."""
    app = App()

    @app.websocket("/")
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        async with room.member(socket):
            async for message in socket:
                await room.broadcast(message)

    @app.websocket("/deaf")
    async def stay(socket: WebSocket) -> None:
        await socket.accept()
        await room.join(socket)
        await asyncio.Event().wait()

    return app


@contextlib.asynccontextmanager
async def members(server: Any, count: int, **options: int) -> AsyncIterator[list[Wire]]:
    """Open so many WebSockets."""
    async with contextlib.AsyncExitStack() as exits:
        wires = []
        for _ in range(count):
            wire = await exits.enter_async_context(await server.connect(**options))
            await opened(wire)
            wires.append(wire)
        yield wires


@on_either_server
async def test_all_members_are_sent_the_same_in_the_same_order(kind: str) -> None:
    room = Room("lobby")
    async with serving(app_of(room), kind) as server, members(server, 3) as wires:
        await until(lambda: len(room) == 3)
        assert repr(room) == "<Room 'lobby' of 3>"
        for number in range(100):
            assert await room.broadcast(f"{number}") == 3
        await room.broadcast(PIECE)
        await room.broadcast(Note(text="hi"))
        await wires[0].send(frame(TEXT, b"from one"))
        for wire in wires:
            for number in range(100):
                assert await next_frame(wire) == Frame(TEXT, f"{number}".encode())
            assert await next_frame(wire) == Frame(BINARY, PIECE)
            assert (await next_frame(wire)).payload == b'{"text":"hi","number":0}'
            assert await next_frame(wire) == Frame(TEXT, b"from one")
    assert room.dropped == 0


@on_either_server
async def test_who_goes_is_no_member_any_more(kind: str) -> None:
    room = Room("lobby")
    async with serving(app_of(room), kind) as server, members(server, 4) as wires:
        await until(lambda: len(room) == 4)
        told = asyncio.ensure_future(next_frame(wires[3]))
        await wires[0].send(close(1000))
        wires[1].vanish()
        wires[2].leave()
        await until(lambda: len(room) == 1)
        assert await room.broadcast("left") == 1
        assert await told == Frame(TEXT, b"left")
    assert room.members == ()


async def test_a_handler_that_does_not_listen_need_not_take_it_out() -> None:
    room = Room("lobby")
    async with serving(app_of(room)) as server, await server.connect() as wire:
        await opened(wire, "/deaf")
        await until(lambda: len(room) == 1)
        wire.vanish()
        await until(lambda: len(room) == 0)
        assert await room.broadcast("anybody?") == 0


@on_either_server
async def test_a_slow_member_misses_messages_until_it_has_caught_up(kind: str) -> None:
    room = Room("lobby", slow="drop", queue_bytes=100_000)
    async with serving(app_of(room), kind) as server, members(server, 1) as [quick]:
        await until(lambda: len(room) == 1)
        async with members(server, 1, receive_buffer=8192, read_ahead=8192) as [slow]:
            await until(lambda: len(room) == 2)
            number = 0
            while room.dropped < 20:
                await room.broadcast(number.to_bytes(4, "big") + PIECE)
                assert int.from_bytes((await next_frame(quick)).payload[:4], "big") == number
                number += 1
                assert number * len(PIECE) < KERNEL
            for expected in range(number - 20):
                payload = (await next_frame(slow)).payload
                assert int.from_bytes(payload[:4], "big") == expected
            assert await room.broadcast("now") == 2
            assert await next_frame(slow) == Frame(TEXT, b"now")


@on_either_server
async def test_a_slow_member_is_put_out(kind: str) -> None:
    room = Room("lobby", slow="disconnect", queue_bytes=100_000)
    async with serving(app_of(room), kind) as server, members(server, 1) as [quick]:
        await until(lambda: len(room) == 1)
        async with members(server, 1, receive_buffer=8192, read_ahead=8192) as [slow]:
            await until(lambda: len(room) == 2)
            sent = 0
            while len(room) == 2:
                await room.broadcast(PIECE)
                assert await next_frame(quick) == Frame(BINARY, PIECE)
                sent += len(PIECE)
                assert sent < KERNEL
            assert room.dropped == 1
            while (last := await next_frame(slow)).opcode == BINARY:
                assert last.payload == PIECE
            assert last.close == (1013, "too slow")
        assert await room.broadcast("still here") == 1


@on_either_server
async def test_a_slow_member_makes_the_others_wait_and_nobody_misses_a_message(kind: str) -> None:
    room = Room("lobby", slow="wait", queue_bytes=100_000)
    told = 0

    async def tell() -> None:
        nonlocal told
        while told < KERNEL // len(PIECE):
            await room.broadcast(told.to_bytes(4, "big") + PIECE)
            told += 1

    async def hear(wire: Wire) -> None:
        for expected in range(KERNEL // len(PIECE)):
            payload = (await next_frame(wire)).payload
            assert int.from_bytes(payload[:4], "big") == expected

    async with serving(app_of(room), kind) as server, members(server, 1) as [quick]:
        async with members(server, 1, receive_buffer=8192, read_ahead=8192) as [slow]:
            await until(lambda: len(room) == 2)
            telling = asyncio.ensure_future(tell())
            hearing = asyncio.ensure_future(hear(quick))
            before = -1
            while before != told or not told:
                before = told
                await asyncio.sleep(0.1)
            assert 0 < told < KERNEL // len(PIECE)
            await hear(slow)
            await asyncio.gather(telling, hearing)
    assert room.dropped == 0


async def test_a_thousand_members() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 4096), hard), hard))
    room = Room("stadium")
    async with serving(app_of(room)) as server, members(server, 1000) as wires:
        await until(lambda: len(room) == 1000)
        for number in range(3):
            assert await room.broadcast(f"{number}") == 1000
        for wire in wires:
            assert [(await next_frame(wire)).payload for _ in range(3)] == [b"0", b"1", b"2"]
        for wire in wires[::2]:
            wire.vanish()
        assert (await room.broadcast("who is left?") or 0) >= 500
        await until(lambda: len(room) == 500)
        for wire in wires[1::2]:
            assert await next_frame(wire) == Frame(TEXT, b"who is left?")
    assert len(room) == 0


@on_either_server
async def test_what_was_sent_before_it_leaves_still_arrives(kind: str) -> None:
    room, other = Room("lobby"), Room("bar")
    async with serving(app_of(room), kind) as server, members(server, 1) as [wire]:
        await until(lambda: len(room) == 1)
        [socket] = room.members
        assert socket in room
        await other.join(socket)
        await room.broadcast("first")
        room.leave(socket)
        room.leave(socket)
        assert socket not in room
        await room.broadcast("for nobody")
        await other.broadcast("second")
        received = {(await next_frame(wire)).payload for _ in range(2)}
        assert received == {b"first", b"second"}
    assert len(other) == 0


async def test_members_are_told_that_the_server_stops() -> None:
    room = Room("lobby")
    async with serving(app_of(room)) as server, members(server, 2) as wires:
        await until(lambda: len(room) == 2)
        await room.broadcast("last words")
        server.stop()
        for wire in wires:
            assert await next_frame(wire) == Frame(TEXT, b"last words")
            assert (await next_frame(wire)).close[0] == 1012
        await until(lambda: len(room) == 0)


@pytest.mark.parametrize("takeover", [True, False])
async def test_compressed_messages_for_all_mix_with_those_for_one(takeover: bool) -> None:
    room = Room("lobby")
    extension = websockets.extensions.permessage_deflate.ClientPerMessageDeflateFactory(
        server_no_context_takeover=not takeover, client_max_window_bits=True
    )
    async with serving(app_of(room)) as server:
        options: dict[str, Any] = {"compression": None, "extensions": [extension]}
        async with (
            websockets.connect(server.websocket_url, **options) as one,
            websockets.connect(server.websocket_url, **options) as two,
            websockets.connect(server.websocket_url, compression=None) as plain,
        ):
            await until(lambda: len(room) == 3)
            first = room.members[0]
            for number in range(20):
                await first.send_text(f"for one {number} " * 20)
                await room.broadcast(f"for all {number} " * 20)
                await room.broadcast(f"{number}")
            for number in range(20):
                assert await one.recv() == f"for one {number} " * 20
                for client in (one, two, plain):
                    assert await client.recv() == f"for all {number} " * 20
                    assert await client.recv() == f"{number}"


async def test_only_an_open_websocket_joins() -> None:
    room = Room("lobby")
    said: list[str] = []
    app = App()

    @app.websocket("/")
    async def hasty(socket: WebSocket) -> None:
        with pytest.raises(RuntimeError, match="accepted") as early:
            await room.join(socket)
        said.append(str(early.value))
        await socket.accept()
        await socket.close()
        with pytest.raises(RuntimeError):
            await room.join(socket)
        said.append("late")

    async with serving(app) as server, await server.connect() as wire:
        await opened(wire)
        assert (await next_frame(wire)).close[0] == 1000
        await until(lambda: len(said) == 2)
    assert len(room) == 0


def test_settings_that_cannot_be_meant() -> None:
    with pytest.raises(ValueError, match="'drop', 'disconnect' or 'wait'"):
        Room("lobby", slow="ignore")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="queue_bytes"):
        Room("lobby", queue_bytes=-1)


async def test_rooms_of_one_name_hear_each_other_over_a_bus() -> None:
    bus = LocalBus()
    here, there = Room("lobby", bus=bus), Room("lobby", bus=bus)
    elsewhere = Room("bar", bus=bus)
    async with (
        serving(app_of(here)) as server,
        serving(app_of(there)) as twin,
        members(server, 2) as ours,
        members(twin, 1) as theirs,
    ):
        await until(lambda: (len(here), len(there)) == (2, 1))
        assert await elsewhere.broadcast("not for them") is None
        assert await here.broadcast("text") is None
        await there.broadcast(b"bytes")
        for wire in ours + theirs:
            assert await next_frame(wire) == Frame(TEXT, b"text")
            assert await next_frame(wire) == Frame(BINARY, b"bytes")
    assert (len(here), len(there)) == (0, 0)
    assert bus.topics == ()


@dataclass
class Move:
    x: int
    y: int


async def test_messages_have_types() -> None:
    app = App()
    ended: list[object] = []

    @app.websocket("/")
    async def board(socket: WebSocket) -> None:
        await socket.accept()
        first = await socket.receive_model(Note)
        await socket.send_model(first)
        try:
            while True:
                move = await socket.receive_model(Move)
                await socket.send_model(Move(move.y, move.x))
        except WebSocketDisconnect as gone:
            ended.append((gone.code, gone.reason))

    async with serving(app) as server, await server.connect() as wire:
        await opened(wire)
        await wire.send(frame(TEXT, b'{"text":"hi","number":"5"}'))
        assert (await next_frame(wire)).payload == b'{"text":"hi","number":5}'
        await wire.send(frame(BINARY, b'{"x":1,"y":2}'))
        assert (await next_frame(wire)).payload == b'{"x":2,"y":1}'
        await wire.send(frame(TEXT, b'{"x":1,"y":"up"}'))
        code, reason = (await next_frame(wire)).close
        assert code == 1007
        assert reason.startswith("y: Input should be a valid integer")
        assert ended == [(code, reason)]


async def test_going_through_models_ends_with_the_client() -> None:
    app = App()
    seen: list[Note] = []
    over = asyncio.Event()

    @app.websocket("/")
    async def notes(socket: WebSocket) -> None:
        await socket.accept()
        async for note in socket.iter_models(Note):
            seen.append(note)
        over.set()

    async with serving(app) as server, await server.connect() as wire:
        await opened(wire)
        await wire.send(frame(TEXT, b'{"text":"a"}') + frame(TEXT, b'{"text":"b"}') + close(1000))
        await over.wait()
    assert [note.text for note in seen] == ["a", "b"]
