"""What all middleware has: the types of ASGI 3.0, and answers of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from hoopsnake.web._request import Receive, Scope, Send
from hoopsnake.web._responses import Response
from hoopsnake.web._websocket import WebSocket

__all__ = ["Application", "Message", "Receive", "Scope", "Send", "answer", "with_head"]

Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Message = dict[str, Any]


async def answer(scope: Scope, receive: Receive, send: Send, response: Response) -> None:
    """Answer a request, or refuse a WebSocket: with the same response where the server can."""
    if scope["type"] == "http":
        await response(send)
        return
    await WebSocket(scope, receive, send).deny(response)


def with_head(send: Send, change: Callable[[Message], None]) -> Send:
    """Have `change` alter the head of the answer, a message of its own, before it is sent."""

    async def changing(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.accept"):
            message = {**message, "headers": list(message.get("headers", ()))}
            change(message)
        await send(message)

    return changing
