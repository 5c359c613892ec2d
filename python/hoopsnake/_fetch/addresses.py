"""Where URLs come from: the command line and standard input, one by one, as there is room."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import AsyncIterator, Callable

__all__ = ["addresses", "complete"]

# So much of standard input is read at once.
READ_AT_ONCE = 64 * 1024
# RFC 3986 section 3.1; a URL in a query says nothing of how this one is fetched.
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


async def addresses(given: list[str], skips: Callable[[str], bool]) -> AsyncIterator[str]:
    """Give all URLs but those that are skipped; `-` among them stands for standard input."""
    for each in given:
        if each != "-":
            if not skips(each):
                yield each
            continue
        async for line in lines_of(0):
            url = line.strip()
            if url and not url.startswith("#") and not skips(url):
                yield url


def complete(url: str) -> str:
    """Give a URL the scheme that it has not got."""
    return url if SCHEME.match(url) else f"https://{url}"


async def lines_of(descriptor: int) -> AsyncIterator[str]:
    """Give the lines of a file, a pipe or a terminal, whichever, with a thread that reads ahead.

    No further than one piece: whoever writes is held back. The thread is a daemon, as nothing ends
    a read of a terminal.
    """
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[bytes | OSError] = asyncio.Queue()
    room = threading.Semaphore(1)

    def read() -> None:
        piece: bytes | OSError = b" "
        while piece and not isinstance(piece, OSError):
            room.acquire()
            try:
                piece = os.read(descriptor, READ_AT_ONCE)
            except OSError as error:
                piece = error
            try:
                loop.call_soon_threadsafe(pieces.put_nowait, piece)
            except RuntimeError:
                return  # The loop has ended before.

    threading.Thread(target=read, name="standard input", daemon=True).start()
    rest = b""
    while piece := await pieces.get():
        if isinstance(piece, OSError):
            raise piece
        *lines, rest = (rest + piece).split(b"\n")
        room.release()
        for line in lines:
            yield line.decode("utf-8", "replace")
    if rest:
        yield rest.decode("utf-8", "replace")
