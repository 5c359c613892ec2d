"""GET hello in raw ASGI: the smallest answer a server can be asked for."""

from typing import Any

from bench.compare.apps.lifespan import answer_lifespan

BODY = b"Hello, World!"
HEADERS = [(b"content-type", b"text/plain"), (b"content-length", b"13")]


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer every request with the same 13 bytes."""
    if scope["type"] == "lifespan":
        await answer_lifespan(receive, send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})
