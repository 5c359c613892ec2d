"""The lifespan protocol for the raw ASGI apps, so that no server logs or retries its absence."""

from typing import Any


async def answer_lifespan(receive: Any, send: Any) -> None:
    """Agree to startup and shutdown and return once the server is done."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
