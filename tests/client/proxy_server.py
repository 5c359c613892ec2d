"""A proxy for tests: HTTP in absolute form and by CONNECT, or SOCKS 5, on a scripted server."""

from __future__ import annotations

import asyncio
import contextlib
import re

from scripted_server import ScriptedServer


class HttpProxy:
    """Forwards requests and makes tunnels; all of them to `target`, whatever name they have."""

    def __init__(self, target: int, login: str | None = None) -> None:
        self.target, self.login = target, login

    async def __call__(
        self, server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            head = await server.head(reader)
            if self.login and f"proxy-authorization: {self.login}".encode() not in head:
                writer.write(b"HTTP/1.1 407 Who?\r\ncontent-length: 0\r\n\r\n")
                continue
            if head.startswith(b"CONNECT "):
                writer.write(b"HTTP/1.1 200 Connection established\r\nx-proxy: 1\r\n\r\n")
                await join(reader, writer, self.target)
                return
            body = await server.body(head, reader)
            back_reader, back_writer = await asyncio.open_connection("127.0.0.1", self.target)
            relative = re.sub(rb"^(\S+) http://[^/]+", rb"\1 ", head)
            back_writer.write(relative + body)
            answer = await server.head(back_reader)
            server.requests.pop()
            writer.write(answer + await server.body(answer, back_reader))
            back_writer.close()


class SocksProxy:
    """Makes connections by SOCKS 5, all of them to `target`; remembers what it was asked for."""

    def __init__(self, target: int, login: tuple[bytes, bytes] | None = None) -> None:
        self.target, self.login = target, login
        self.asked: list[tuple[int, bytes, int]] = []

    async def __call__(
        self, server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        assert await reader.readexactly(1) == b"\x05"
        methods = await reader.readexactly((await reader.readexactly(1))[0])
        if self.login is None:
            writer.write(b"\x05\x00")
        elif 2 not in methods:
            writer.write(b"\x05\xff")
            return
        else:
            writer.write(b"\x05\x02")
            assert await reader.readexactly(1) == b"\x01"
            name = await reader.readexactly((await reader.readexactly(1))[0])
            password = await reader.readexactly((await reader.readexactly(1))[0])
            if (name, password) != self.login:
                writer.write(b"\x01\x01")
                return
            writer.write(b"\x01\x00")
        assert await reader.readexactly(3) == b"\x05\x01\x00"
        kind = (await reader.readexactly(1))[0]
        length = {1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0]
        host = await reader.readexactly(length)
        port = int.from_bytes(await reader.readexactly(2), "big")
        self.asked.append((kind, host, port))
        writer.write(b"\x05\x00\x00\x03\x04here\x00\x50")
        await join(reader, writer, self.target)


async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Pass bytes both ways until both are over."""
    back_reader, back_writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        await asyncio.gather(passed(reader, back_writer), passed(back_reader, writer))
    finally:
        back_writer.close()


async def passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    with contextlib.suppress(OSError, NotImplementedError, RuntimeError):
        writer.close()
