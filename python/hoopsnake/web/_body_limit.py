"""How much of a body is read: counted as it comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hoopsnake.web._errors import HTTPException
from hoopsnake.web._request import Receive, Scope

__all__ = ["BodyTooLarge", "declares_more", "limited"]


class BodyTooLarge(HTTPException):
    """A body is larger than it may be; answered with 413."""

    def __init__(self, most: int) -> None:
        super().__init__(413, f"the body has more than {most} bytes")


def declares_more(scope: Scope, most: int) -> bool:
    """Tell whether Content-Length is more than `most`, or no number at all."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return not value.isdigit() or len(value) > 18 or int(value) > most
    return False


def limited(receive: Receive, most: int, exceed: Callable[[], None] | None = None) -> Receive:
    """Raise BodyTooLarge where more than `most` bytes come, and call `exceed` before that."""
    received = 0

    async def counting() -> dict[str, Any]:
        nonlocal received
        event = await receive()
        if event["type"] == "http.request":
            received += len(event.get("body") or b"")
            if received > most:
                if exceed is not None:
                    exceed()
                raise BodyTooLarge(most)
        return event

    return counting
