"""A bare HTTP/1.1 client: it sees what others hide and sends what they refuse to send."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass
class Answer:
    """A response as it came."""

    version: str
    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    # The sizes of the chunks, if it was chunked.
    chunks: list[int] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        """All values of a header."""
        return [value for each, value in self.headers if each.lower() == name]

    def one(self, name: str) -> str | None:
        """The value of a header that may be there once at most."""
        values = self.all(name)
        assert len(values) < 2, f"{name} came {len(values)} times: {values}"
        return values[0] if values else None


class Wire:
    """One connection."""

    def __init__(
        self, sock: socket.socket, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.sock = sock
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(
        cls,
        address: tuple[str, int] | str,
        *,
        receive_buffer: int = 0,
        read_ahead: int = 65536,
        tls: ssl.SSLContext | None = None,
    ) -> Self:
        """Connect to a host and port, or to the path of a Unix socket, and speak TLS if told to.

        A small `receive_buffer` and `read_ahead` make a client that takes in next to nothing until
        it is read from.
        """
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            await asyncio.get_running_loop().sock_connect(sock, address)
            secured: dict[str, Any] = (
                {} if tls is None else {"ssl": tls, "server_hostname": "localhost"}
            )
            opened = (
                asyncio.open_unix_connection(sock=sock, limit=read_ahead, **secured)
                if isinstance(address, str)
                else asyncio.open_connection(sock=sock, limit=read_ahead, **secured)
            )
            return cls(sock, *await opened)
        except BaseException:
            sock.close()
            raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.transport.abort()

    @property
    def tls(self) -> ssl.SSLObject:
        """What is known of its TLS."""
        known = self.writer.get_extra_info("ssl_object")
        assert isinstance(known, ssl.SSLObject)
        return known

    async def send(self, data: bytes | str) -> None:
        """Send bytes as they are."""
        self.writer.write(data.encode() if isinstance(data, str) else data)
        await self.writer.drain()

    async def get(self, path: str = "/", *headers: str, method: str = "GET") -> None:
        """Send a request without a body."""
        await self.send(request(f"{method} {path} HTTP/1.1", *headers))

    async def head(self) -> Answer:
        """Read a response up to its body."""
        raw = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = raw.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        version, status, reason = first.split(" ", 2)
        pairs = [line.split(": ", 1) for line in lines]
        return Answer(version, int(status), reason, [(name, value) for name, value in pairs])

    async def answer(self, method: str = "GET") -> Answer:
        """Read a whole response; IncompleteReadError if it was broken off."""
        answer = await self.head()
        if method == "HEAD" or answer.status in (204, 304) or answer.status < 200:
            return answer
        length = answer.one("content-length")
        if answer.one("transfer-encoding") == "chunked":
            assert length is None
            async for chunk in self.chunks():
                answer.chunks.append(len(chunk))
                answer.body += chunk
        elif length is not None:
            answer.body = await self.reader.readexactly(int(length))
        else:
            answer.body = await self.reader.read()
        return answer

    async def chunks(self) -> Any:
        """Read the chunks of a chunked body, to its proper end."""
        while True:
            size = int((await self.reader.readuntil(b"\r\n")), 16)
            data = await self.reader.readexactly(size + 2)
            assert data.endswith(b"\r\n")
            if size == 0:
                return
            yield data[:-2]

    async def rest(self) -> bytes:
        """Read until the server ends the connection."""
        try:
            return await self.reader.read()
        except ConnectionResetError:
            return b""

    def leave(self) -> None:
        """End the connection in order (FIN)."""
        self.writer.close()

    def vanish(self) -> None:
        """End the connection as a crash would (RST)."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    """The bytes of a request; it gets a Host unless one is given."""
    given = list(headers)
    if not any(each.lower().startswith("host:") for each in given):
        given.insert(0, "Host: test")
    return "\r\n".join([line, *given, "", ""]).encode("latin-1") + body
