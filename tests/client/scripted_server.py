"""A server that says what a test tells it to, byte for byte, and counts its connections."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class ScriptedServer:
    """A server for the length of a `with` block."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self.port = 0
        self.tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def head(self, reader: asyncio.StreamReader) -> bytes:
        """Read the head of a request, and remember it."""
        head = await reader.readuntil(b"\r\n\r\n")
        self.requests.append(head)
        return head

    async def body(self, head: bytes, reader: asyncio.StreamReader) -> bytes:
        """Read a body that has a length or is chunked."""
        fields = dict(
            line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line
        )
        if length := fields.get(b"content-length"):
            return await reader.readexactly(int(length))
        body = b""
        if fields.get(b"transfer-encoding") == b"chunked":
            while size := int(await reader.readline(), 16):
                body += await reader.readexactly(size)
                await reader.readline()
            await reader.readline()
        return body


@contextlib.asynccontextmanager
async def scripted(
    handle: Callable[[ScriptedServer, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    path: str | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[ScriptedServer]:
    """Serve connections by a coroutine function; each is closed when it returns."""
    server = ScriptedServer()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        task = asyncio.current_task()
        assert task is not None
        server.tasks.add(task)
        try:
            await handle(server, reader, writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            server.tasks.discard(task)
            writer.close()

    if path is None:
        listener = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
        server.port = listener.sockets[0].getsockname()[1]
    else:
        listener = await asyncio.start_unix_server(connected, path)
    try:
        yield server
    finally:
        listener.close()
        for task in list(server.tasks):
            task.cancel()
        await asyncio.gather(*server.tasks, return_exceptions=True)


def answering(
    *answers: bytes,
) -> Callable[[ScriptedServer, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """Answer each request of a connection with the next of these, the last one for ever."""

    async def handle(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        served = 0
        while True:
            head = await server.head(reader)
            await server.body(head, reader)
            writer.write(answers[min(served, len(answers) - 1)])
            served += 1

    return handle


def response(body: bytes = b"hello", *fields: str, status: str = "200 OK") -> bytes:
    """Write a response with a length."""
    head = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *fields]
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body
