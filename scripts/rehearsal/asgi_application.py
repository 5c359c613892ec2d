"""An application in raw ASGI, as those that frameworks make look to the server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Handler = Callable[[Scope, Receive, Send], Awaitable[None]]

GREETING = b'{"greeting": "good day", "to": "everybody"}'
ARTICLE = json.dumps({"lines": [f"line {number} of a text" for number in range(900)]}).encode()
PIECES = 9


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer by the path."""
    if scope["type"] == "lifespan":
        await live(receive, send)
    elif scope["type"] == "websocket":
        await echo_messages(receive, send)
    else:
        await HANDLERS.get(scope["path"], missing)(scope, receive, send)


async def live(receive: Receive, send: Send) -> None:
    """Agree to start and to end."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def answer(
    send: Send, body: bytes, kind: bytes = b"application/json", status: int = 200
) -> None:
    """Send a body of known length, and some of the headers that applications have."""
    headers = [
        (b"content-type", kind),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def greet(_scope: Scope, _receive: Receive, send: Send) -> None:
    """The short answer."""
    await answer(send, GREETING)


async def article(_scope: Scope, _receive: Receive, send: Send) -> None:
    """The long one."""
    await answer(send, ARTICLE)


async def wait(_scope: Scope, _receive: Receive, send: Send) -> None:
    """The one that somebody else has to be asked for."""
    await asyncio.sleep(0.01)
    await answer(send, GREETING)


async def echo(_scope: Scope, receive: Receive, send: Send) -> None:
    """What was sent."""
    parts = []
    more = True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    await answer(send, b"".join(parts), b"application/octet-stream")


async def pieces(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Some pieces, with a pause of a turn in between, and cookies."""
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"set-cookie", b"seen=yes; Path=/"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for number in range(PIECES):
        await send({"type": "http.response.body", "body": b"%d" % number * 800, "more_body": True})
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b""})


async def move(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Elsewhere."""
    headers = [(b"location", b"/greeting"), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 302, "headers": headers})
    await send({"type": "http.response.body"})


async def tell_events(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Some server-sent events."""
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for number in range(PIECES):
        event = b"event: tick\nid: %d\ndata: {\ndata: }\n\n" % number
        await send({"type": "http.response.body", "body": event, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def missing(_scope: Scope, _receive: Receive, send: Send) -> None:
    """There is no such thing."""
    await answer(send, b"not found\n", b"text/plain", status=404)


HANDLERS: dict[str, Handler] = {
    "/greeting": greet,
    "/article": article,
    "/wait": wait,
    "/echo": echo,
    "/pieces": pieces,
    "/moved": move,
    "/events": tell_events,
}


async def echo_messages(receive: Receive, send: Send) -> None:
    """Accept a WebSocket and send back what comes."""
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        # Of both one is there.
        text, data = message.get("text"), message.get("bytes")
        back = {"bytes": data} if text is None else {"text": text}
        await send({"type": "websocket.send", **back})
