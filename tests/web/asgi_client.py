"""Asks an application: in this process by way of ASGI, or by way of our server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import httpx

import hoopsnake

Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]

# Whether requests go through our server, which calls the handlers of an `App` without ASGI.
SERVED: ContextVar[bool] = ContextVar("SERVED", default=False)


async def get(app: Application, url: str, **options: Any) -> httpx.Response:
    return await request(app, "GET", url, **options)


async def request(
    app: Application,
    method: str,
    url: str,
    *,
    served: bool | None = None,
    log_level: str = "critical",
    **options: Any,
) -> httpx.Response:
    async with client_of(app, served, log_level) as client:
        return await client.request(method, url, **options)


@asynccontextmanager
async def client_of(
    app: Application, served: bool | None = None, log_level: str = "critical"
) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client of the application for several requests."""
    if not (SERVED.get() if served is None else served):
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            yield client
        return
    with listening() as (path, descriptor):
        config = hoopsnake.ServerConfig(bind=[f"fd:{descriptor}"], log_level=log_level)
        serving = asyncio.create_task(hoopsnake.serve(app, config))
        through = httpx.AsyncHTTPTransport(uds=str(path))
        try:
            async with httpx.AsyncClient(transport=through, base_url="http://here") as client:
                yield client
        finally:
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving


@contextlib.contextmanager
def listening() -> Iterator[tuple[Path, int]]:
    """Listen already: a client may connect before the server is there."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "socket")
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(path))
        listening.listen()
        # The server closes it.
        yield path, listening.detach()


class Conversation:
    """A WebSocket or a lifespan: what the application is told, and what it says."""

    def __init__(self, app: Application, scope: dict[str, Any]) -> None:
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.task = asyncio.ensure_future(app(scope, self._events.get, self._messages.put))

    def tell(self, kind: str, **details: Any) -> None:
        self._events.put_nowait({"type": kind, **details})

    async def hear(self) -> dict[str, Any]:
        """Wait for what the application says next; raises what it raises instead."""
        message = asyncio.ensure_future(self._messages.get())
        await asyncio.wait((message, self.task), return_when=asyncio.FIRST_COMPLETED)
        if message.done():
            return message.result()
        message.cancel()
        self.task.result()
        raise EOFError("the application ended and has said nothing")


@asynccontextmanager
async def websocket(app: Application, path: str, query: str = "") -> AsyncIterator[Conversation]:
    scope = {
        "type": "websocket",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [],
        "subprotocols": [],
    }
    conversation = Conversation(app, scope)
    conversation.tell("websocket.connect")
    try:
        yield conversation
    finally:
        conversation.task.cancel()
        await asyncio.wait([conversation.task])
