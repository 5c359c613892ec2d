"""Asks an ASGI application in this process, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx

Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


async def get(app: Application, url: str, **options: Any) -> httpx.Response:
    return await request(app, "GET", url, **options)


async def request(app: Application, method: str, url: str, **options: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        return await client.request(method, url, **options)


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
