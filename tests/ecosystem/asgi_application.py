"""An ASGI application for servers on the loop: /echo, /back, /loop, /fail and a WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await live(receive, send)
    elif scope["type"] == "websocket":
        await converse(receive, send)
    elif scope["path"] == "/fail":
        raise ZeroDivisionError("a fault of the application")
    elif scope["path"] == "/loop":
        await begin(send)
        kind = type(asyncio.get_running_loop())
        await send({"type": "http.response.body", "body": kind.__module__.encode()})
    elif scope["path"] == "/echo":
        await echo(receive, send)
    else:
        await send_back(receive, send)


async def live(receive: Receive, send: Send) -> None:
    """Say in the output that it began and ended."""
    while True:
        message = await receive()
        print(message["type"], flush=True)
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def begin(send: Send) -> None:
    headers = [(b"content-type", b"application/octet-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def echo(receive: Receive, send: Send) -> None:
    """Send each piece of the body back as it comes."""
    await begin(send)
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message.get("more_body", False)
        body = message.get("body", b"")
        await send({"type": "http.response.body", "body": body, "more_body": more})


async def send_back(receive: Receive, send: Send) -> None:
    """Take in the whole body, and then send it back in the same pieces."""
    pieces = []
    more = True
    while more:
        message = await receive()
        pieces.append(message["body"])
        more = message.get("more_body", False)
    await begin(send)
    for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body"})


async def converse(receive: Receive, send: Send) -> None:
    """Send messages back until one says `leave`."""
    while True:
        message = await receive()
        if message["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        elif message["type"] == "websocket.disconnect":
            return
        elif message.get("text") == "leave":
            await send({"type": "websocket.close", "code": 4001, "reason": "as you wish"})
            return
        else:
            text, data = message.get("text"), message.get("bytes")
            await send({"type": "websocket.send", "text": text, "bytes": data})
