"""Small applications and messages that several tests use."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from served import Message, Receive, Scope, Send

Headers = Iterable[tuple[bytes, bytes]]


def start(status: int = 200, headers: Headers = ()) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(data: Any = b"", more: bool = False) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer everything with its path."""
    assert scope["type"] == "http"
    await send(start(200, [(b"content-type", b"text/plain")]))
    await send(body(scope["path"].encode()))


async def read_all(receive: Receive) -> bytes:
    """Read a request's body."""
    data = bytearray()
    while True:
        event = await receive()
        assert event["type"] == "http.request", event
        data += event["body"]
        if not event["more_body"]:
            return bytes(data)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request with its own body."""
    data = await read_all(receive)
    await send(start())
    await send(body(data))


class HeldStream:
    """At /stream it sends `first`, and `last` when it may proceed; elsewhere it answers at once."""

    def __init__(self) -> None:
        self.proceed = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != "/stream":
            return await hello(scope, receive, send)
        await send(start())
        await send(body(b"first", more=True))
        await self.proceed.wait()
        await send(body(b"last"))
