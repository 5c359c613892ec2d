"""A WebSocket that sends every message back, in raw ASGI; over HTTP it says hello."""

from typing import Any

from bench.compare.apps import hello


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Accept, then echo until the client leaves."""
    if scope["type"] != "websocket":
        await hello.app(scope, receive, send)
        return
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        await send({"type": "websocket.send", "bytes": message["bytes"]})
