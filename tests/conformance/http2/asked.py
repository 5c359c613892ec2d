"""The application that is asked in these exchanges."""

from __future__ import annotations

import asyncio
from typing import Any


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the body, with 100,000 bytes, with the cookies, or not at all."""
    if scope["path"] in ("/held", "/unread"):
        await asyncio.get_running_loop().create_future()
    body = b""
    if scope["path"] == "/large":
        body = bytes(100_000)
    elif scope["path"] == "/cookie":
        body = dict(scope["headers"])[b"cookie"]
    else:
        while (event := await receive())["type"] == "http.request":
            body += event["body"]
            if not event["more_body"]:
                break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
