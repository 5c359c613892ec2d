"""A streamed answer in raw ASGI: 16 chunks of 1 KiB and no content-length."""

from typing import Any

from bench.compare.apps.lifespan import answer_lifespan

CHUNK = b"x" * 1024
CHUNKS = 16
HEADERS = [(b"content-type", b"text/plain")]


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Send every chunk as a message of its own, then the empty last one."""
    if scope["type"] == "lifespan":
        await answer_lifespan(receive, send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    for _ in range(CHUNKS):
        await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
