"""The shop's answers in raw ASGI: bytes that were made before, and bodies that are only read."""

import json
from typing import Any

from bench.compare.apps.lifespan import answer_lifespan
from bench.compare.apps.web import shop


def ready(status: int, value: object) -> tuple[dict[str, Any], dict[str, Any]]:
    """The two messages of an answer."""
    body = json.dumps(value, separators=(",", ":")).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    start = {"type": "http.response.start", "status": status, "headers": headers}
    return start, {"type": "http.response.body", "body": body}


ANSWERS = {
    ("GET", "/items/7"): ready(200, shop.ITEM_ANSWER),
    ("GET", "/items/x"): ready(422, {"detail": "no number"}),
    ("GET", shop.ITEMS): ready(200, shop.GOODS),
    ("POST", shop.ITEMS): ready(200, shop.ORDER),
    ("GET", shop.READER): ready(200, shop.READER_ANSWER),
    ("POST", shop.UPLOADS): ready(200, shop.UPLOAD_ANSWER),
}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Read what there is to read, then answer."""
    if scope["type"] == "lifespan":
        await answer_lifespan(receive, send)
        return
    more = scope["method"] == "POST"
    while more:
        more = (await receive()).get("more_body", False)
    start, body = ANSWERS[scope["method"], scope["path"]]
    await send(start)
    await send(body)
