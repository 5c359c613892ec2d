"""WebSocket servers for the client's tests, with manners and without."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import websockets.asyncio.server
from frames import BINARY, CLOSE, PING, TEXT, Frame, accept_of
from scripted_server import ScriptedServer, scripted

Talk = Callable[["Peer"], Awaitable[None]]


@contextlib.asynccontextmanager
async def websockets_server(
    handle: Callable[[websockets.asyncio.server.ServerConnection], Awaitable[None]], **options: Any
) -> AsyncIterator[str]:
    """Serve by the package `websockets`; the value is its URL."""
    async with websockets.asyncio.server.serve(handle, "127.0.0.1", 0, **options) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def echo(socket: websockets.asyncio.server.ServerConnection) -> None:
    """Send back every message."""
    async for message in socket:
        await socket.send(message)


class Peer:
    """The server's end of a connection, byte for byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def frame(self) -> Frame:
        """Read a frame of the client's, which has to be masked."""
        first, second = await self.reader.readexactly(2)
        assert second & 0x80, "a client masks"
        length = second & 0x7F
        if length >= 126:
            length = int.from_bytes(await self.reader.readexactly(2 if length == 126 else 8), "big")
        key = await self.reader.readexactly(4)
        masked = await self.reader.readexactly(length)
        payload = bytes(byte ^ key[place % 4] for place, byte in enumerate(masked))
        opcode = first & 0x0F
        assert opcode in (TEXT, BINARY, CLOSE, PING, 10)
        return Frame(opcode, payload, bool(first & 0x80))


def key_of(head: bytes) -> bytes:
    """Find the key of a handshake, as it came."""
    lines = dict(line.split(b": ", 1) for line in head.split(b"\r\n") if b": " in line)
    return {name.lower(): value for name, value in lines.items()}[b"sec-websocket-key"]


def answer(head: bytes, *fields: str, status: str = "101 Switching Protocols") -> bytes:
    """Write an answer that accepts a handshake, but for what these fields say otherwise."""
    own = {
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-accept": accept_of(base64.b64decode(key_of(head))),
    }
    given = {field.partition(":")[0].lower() for field in fields}
    lines = [f"{name}: {value}" for name, value in own.items() if name not in given]
    lines += [field for field in fields if not field.endswith(":")]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


@contextlib.asynccontextmanager
async def rude(talk: Talk, *fields: str) -> AsyncIterator[ScriptedServer]:
    """Accept a handshake, then say what `talk` says."""

    async def handle(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = await server.head(reader)
        writer.write(answer(head, *fields))
        await talk(Peer(reader, writer))

    async with scripted(handle) as server:
        yield server
