"""`wsgi.input`: the request's body as a file that blocks, read from a thread."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

__all__ = ["blocking_file"]

_BUFFER = 64 * 1024


def blocking_file(fetch: Callable[[], bytes]) -> io.BufferedReader:
    """Make a file of what `fetch` returns call by call; it blocks, and returns b"" at the end."""
    return io.BufferedReader(_Fetched(fetch), _BUFFER)


class _Fetched(io.RawIOBase):
    """The pieces of a body as they come; what does not fit into a read is kept for the next."""

    def __init__(self, fetch: Callable[[], bytes]) -> None:
        self._fetch = fetch
        self._piece = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill what one piece fills; 0 is the end."""
        if not self._piece and not self._ended:
            self._piece = memoryview(self._fetch())
            self._ended = not self._piece
        target = memoryview(buffer).cast("B")
        size = min(len(target), len(self._piece))
        target[:size] = self._piece[:size]
        self._piece = self._piece[size:]
        return size
