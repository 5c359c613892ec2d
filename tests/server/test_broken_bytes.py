"""Frames with bytes that are wrong at random: nothing breaks but their own connection."""

from __future__ import annotations

import asyncio
import contextlib
import random
from pathlib import Path

import hpack
import pytest
from applications import read_all
from certificate_authority import Authority
from frames import BINARY, CLOSE, PING, TEXT, frame, handshake, opened
from http2 import DATA, HEADERS, PREFACE, SETTINGS, WINDOW_UPDATE
from http2 import PING as H2_PING
from http2 import frame as http2_frame
from served import Receive, Scope, Send, Served, served
from test_websocket_deflate import COMPRESSED, DEFLATE, deflated

ROUNDS = 200


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Read all of a request or a WebSocket, and answer it."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            await send({**event, "type": "websocket.send"})
        return
    if scope["method"] == "POST":
        with contextlib.suppress(AssertionError):
            await read_all(receive)
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"hello"})


def http2_stream() -> bytes:
    """A connection of HTTP/2: two requests, and a WebSocket."""
    encoder = hpack.Encoder()
    request = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "test")]
    websocket = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        *request[1:],
        ("sec-websocket-version", "13"),
    ]
    parts = [PREFACE, http2_frame(SETTINGS), http2_frame(SETTINGS, 1)]
    for stream in (1, 3):
        parts.append(http2_frame(HEADERS, 4, stream, encoder.encode(request)))
        parts.append(http2_frame(DATA, 0, stream, b"some data"))
        parts.append(http2_frame(DATA, 1, stream, b"and more"))
    parts.append(http2_frame(H2_PING, 0, 0, b"8 bytes!"))
    parts.append(http2_frame(WINDOW_UPDATE, 0, 0, b"\x00\x00\x10\x00"))
    parts.append(http2_frame(HEADERS, 4, 5, encoder.encode(websocket)))
    parts.append(http2_frame(DATA, 0, 5, frame(TEXT, b"hello")))
    parts.append(http2_frame(DATA, 1, 5, frame(CLOSE)))
    return b"".join(parts)


def websocket_stream() -> bytes:
    """The frames of a WebSocket, some of them compressed."""
    return b"".join(
        [
            frame(TEXT, b"hello"),
            frame(TEXT, deflated(b"again and again, " * 10), reserved=COMPRESSED),
            frame(PING, b"there?"),
            frame(BINARY, bytes(1000)),
            frame(CLOSE, b"\x03\xe8"),
        ]
    )


def broken(chance: random.Random, data: bytes, sound: int) -> bytes:
    """Change, cut, repeat or insert something behind the first `sound` bytes."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(sound, len(changed))
        kind = chance.choice(["flip", "cut", "insert", "repeat"])
        if kind == "flip":
            changed[at] ^= 1 << chance.randrange(8)
        elif kind == "cut":
            del changed[at : at + chance.randint(1, 20)]
        elif kind == "insert":
            changed[at:at] = chance.randbytes(chance.randint(1, 20))
        else:
            changed[at:at] = changed[at : at + chance.randint(1, 200)]
        if len(changed) <= sound:
            break
    return bytes(changed)


async def one(server: Served, data: bytes, *, websocket: bool) -> None:
    """Send it, end this side, and wait for the server to end its own."""
    async with await server.connect() as wire:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            if websocket:
                await opened(wire, "/", DEFLATE)
            await wire.send(data)
            wire.writer.write_eof()
            while await wire.reader.read(65536):
                pass


@pytest.mark.parametrize("kind", ["HTTP/2", "WebSocket", "TLS"])
async def test_the_next_good_request_is_answered(kind: str, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    authority = Authority()
    settings = {"ssl_certfile": authority.write(tmp_path)} if kind == "TLS" else {}
    sound, data = {
        "HTTP/2": (len(PREFACE), http2_stream()),
        "WebSocket": (0, websocket_stream()),
        # A record of a handshake, whose content is no handshake.
        "TLS": (3, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(600)),
    }[kind]
    async with served(app, lifespan="off", faulty=True, **settings) as server:
        for _ in range(ROUNDS // 20):
            await asyncio.gather(
                *(
                    one(server, broken(chance, data, sound), websocket=kind == "WebSocket")
                    for _ in range(20)
                )
            )
        tls = authority.client() if kind == "TLS" else None
        async with await server.connect(tls=tls) as wire:
            await wire.get()
            assert (await wire.answer()).body == b"hello"
            await wire.send(handshake())
            assert (await wire.head()).status == 101
        assert "panicked" not in server.log.text
        assert not [fault for fault in server.log.faults if "ClientDisconnected" not in fault]
