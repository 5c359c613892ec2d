"""A handler that waits for 10 ms, as one does for a database, then answers hello: raw ASGI."""

import asyncio
from typing import Any

from bench.compare.apps import hello


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Wait, then answer."""
    if scope["type"] == "http":
        await asyncio.sleep(0.01)
    await hello.app(scope, receive, send)
