"""Bodies of two sizes in raw ASGI, made once: 1 KiB of JSON, and 10,000 bytes."""

import json
from typing import Any

from bench.compare.apps.lifespan import answer_lifespan

JSON = json.dumps({"items": [f"item {number:03}" for number in range(1000, 1078)]}).encode()
LARGE = b"b" * 10_000


def headers(body: bytes, content_type: bytes) -> list[tuple[bytes, bytes]]:
    """What a body is announced by."""
    return [(b"content-type", content_type), (b"content-length", b"%d" % len(body))]


ANSWERS = {
    "/json": (headers(JSON, b"application/json"), JSON),
    "/large": (headers(LARGE, b"text/plain"), LARGE),
}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer with the body of the path."""
    if scope["type"] == "lifespan":
        await answer_lifespan(receive, send)
        return
    announced, body = ANSWERS[scope["path"]]
    await send({"type": "http.response.start", "status": 200, "headers": announced})
    await send({"type": "http.response.body", "body": body})
