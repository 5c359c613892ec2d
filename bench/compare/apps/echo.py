"""POST echo in raw ASGI: reads the whole body, then sends it back in one message."""

from typing import Any

from bench.compare.apps.lifespan import answer_lifespan


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer every request with its own body."""
    if scope["type"] == "lifespan":
        await answer_lifespan(receive, send)
        return
    parts = []
    more = True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    body = b"".join(parts)
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
