"""A download made chunk by chunk and an upload hashed as it arrives; neither is ever in memory."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

from hoopsnake import ClientDisconnected
from hoopsnake.web import JSONResponse, Query, Request, Response, Router, StreamingResponse

router = Router()

MEBIBYTE = 1024 * 1024
LARGEST_DOWNLOAD = 4096 * MEBIBYTE
CHUNK = bytes(range(256)) * 256  # 64 KiB; every chunk of every download is this one object.


@dataclass
class Traffic:
    """What all transfers of this process have moved so far, for the ticker to show."""

    bytes_moved: int = 0
    under_way: int = 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Counts one transfer for as long as it lasts, however it ends."""
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1


traffic = Traffic()


async def chunks(size: int) -> AsyncIterator[bytes]:
    """`size` bytes, a chunk at a time. The next is made when the server asks for it."""
    with traffic.counted():
        for start in range(0, size, len(CHUNK)):
            chunk = CHUNK[: size - start]
            traffic.bytes_moved += len(chunk)
            yield chunk
            # A reader faster than we are would never make us wait: give the others their turn.
            await asyncio.sleep(0)


@router.get("/download")
async def download(size: Annotated[int, Query(ge=1, le=LARGEST_DOWNLOAD)]) -> StreamingResponse:
    """A file of exactly `size` bytes that never exists as a whole."""
    headers = {
        "content-length": str(size),
        "content-disposition": f'attachment; filename="hoop-{size}.bin"',
        "cache-control": "no-store",
    }
    return StreamingResponse(chunks(size), media_type="application/octet-stream", headers=headers)


@router.post("/upload")
async def upload(request: Request) -> Response:
    """Read the request's body as a stream and answer with its size and its SHA-256."""
    began = time.monotonic()
    digest, size = hashlib.sha256(), 0
    with traffic.counted():
        try:
            async for chunk in request.stream():
                digest.update(chunk)
                size += len(chunk)
                traffic.bytes_moved += len(chunk)
                await asyncio.sleep(0)  # Likewise for a sender that never makes us wait.
        except ClientDisconnected:
            return Response(status_code=400)  # The sender gave up, so nobody reads this.
    seconds = round(time.monotonic() - began, 4)
    return JSONResponse({"bytes": size, "sha256": digest.hexdigest(), "seconds": seconds})
