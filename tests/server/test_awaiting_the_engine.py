"""What the engine lets Python await: it ends, it may be cancelled, and others go on waiting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from applications import hello
from served import Application, Receive, Scope, Send

import hoopsnake
from hoopsnake._journal import Journal
from hoopsnake._listening import open_sockets
from hoopsnake._native import Server


@asynccontextmanager
async def engine(app: Application) -> AsyncIterator[Server]:
    """The engine's server alone, without what winds it down."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, hoopsnake.EventLoop)
    server = Server(loop, app, hoopsnake.ServerConfig(), Journal(), None)
    server.start(open_sockets(hoopsnake.ServerConfig(port=0)))
    try:
        yield server
    finally:
        server.abort()


async def connected(server: Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = server.addresses[0].removeprefix("http://").split(":")
    return await asyncio.open_connection(host, int(port))


async def test_a_server_without_connections_is_drained_soon() -> None:
    async with engine(hello) as server:
        server.drain()
        assert await server.drained() is None


async def test_who_is_cancelled_leaves_the_others_waiting() -> None:
    begun, release = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        await release.wait()
        await hello(scope, receive, send)

    async with engine(app) as server:
        reader, writer = await connected(server)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await begun.wait()
        server.drain()
        cancelled, waiting = server.drained(), server.drained()
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert not waiting.done()
        release.set()
        assert b"200 OK" in await reader.read()
        await waiting
        writer.close()


async def test_a_task_that_outlives_its_connection_is_waited_for() -> None:
    begun, release = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        await receive()
        assert (await receive())["type"] == "http.disconnect"
        await release.wait()

    async with engine(app) as server:
        _, writer = await connected(server)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await begun.wait()
        server.drain()
        writer.transport.abort()
        drained = server.drained()
        while server.open_connections:
            await asyncio.sleep(0)
        assert not drained.done()
        assert len(server.tasks()) == 1
        release.set()
        await drained
        assert server.tasks() == []


async def test_a_task_that_fails_is_waited_for_like_any_other() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0)
        raise ValueError("the application's own fault")

    async with engine(app) as server:
        reader, writer = await connected(server)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b"500" in await reader.read()
        server.drain()
        await server.drained()
        writer.close()
