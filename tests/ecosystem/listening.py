"""Waiting for a server to listen no more."""

from __future__ import annotations

import asyncio


async def refused(host: str, port: int) -> None:
    """Wait until nobody listens there any more."""
    while True:
        try:
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            await writer.wait_closed()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            continue  # it was in the queue of the listener as that was closed
