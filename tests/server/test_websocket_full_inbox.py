"""A WebSocket whose application has stopped reading: closing it takes no time all the same."""

from __future__ import annotations

import asyncio
import time

import frames
from served import Receive, Scope, Send, served


async def test_a_close_is_answered_though_the_inbox_is_full() -> None:
    may_close = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await may_close.wait()
        await send({"type": "websocket.close", "code": 1000})

    async with served(app, lifespan="off") as server, await server.connect() as wire:
        await frames.opened(wire)
        await wire.send(b"".join(frames.frame(frames.TEXT, b"hi") for _ in range(1000)))
        may_close.set()
        assert (await frames.next_frame(wire)).close == (1000, "")
        begun = time.monotonic()
        await wire.send(frames.close(1000))
        assert await wire.rest() == b""
        # The server waits five seconds for a client that does not answer.
        assert time.monotonic() - begun < 4
