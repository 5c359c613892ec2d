"""An application behind our own server, or behind one that knows nothing of the framework."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest
import uvicorn
from served import Served, served
from wire import Wire

from hoopsnake.web import App

on_either_server = pytest.mark.parametrize("kind", ["hoopsnake", "uvicorn"])


class Elsewhere:
    """uvicorn, as `Served` is our own."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.websocket_url = f"ws://127.0.0.1:{port}"

    async def connect(self, **options: int) -> Wire:
        """Open a bare connection."""
        return await Wire.open(("127.0.0.1", self.port), **options)


@contextlib.asynccontextmanager
async def serving(app: App, kind: str = "hoopsnake") -> AsyncIterator[Served | Elsewhere]:
    """Serve it for the length of the block."""
    if kind == "hoopsnake":
        async with served(app) as server:
            yield server
        return
    config = uvicorn.Config(
        app, port=0, log_level="error", ws="websockets-sansio", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    running = asyncio.ensure_future(server.main_loop())
    try:
        yield Elsewhere(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        await running
        await server.shutdown()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what no event tells of; the test's own time limit ends it."""
    while not condition():
        await asyncio.sleep(0.002)
