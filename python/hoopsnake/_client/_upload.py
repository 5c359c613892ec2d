"""Bodies of requests that are made as they go out."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hoopsnake._native import UploadSink


async def feed(content: AsyncIterable[bytes], sink: UploadSink) -> None:
    """Put all pieces into the sink, no faster than the connection takes them."""
    async for piece in content:
        if not sink.write(bytes(piece)):
            await sink.room()
    sink.finish()
