"""A handler that needs one of eight places for eight milliseconds, as of a pool of connections.

So it answers a thousand requests a second at best, with hardly any work for the processor.
"""

import asyncio
from typing import Any

from bench.compare.apps import hello

PLACES = asyncio.Semaphore(8)
SECONDS = 0.008


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Wait for a place, hold it for a while, then answer."""
    if scope["type"] == "http" and scope["path"] != "/health":
        async with PLACES:
            await asyncio.sleep(SECONDS)
    await hello.app(scope, receive, send)
