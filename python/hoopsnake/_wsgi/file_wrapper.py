"""`wsgi.file_wrapper`: a file as the body of a response (PEP 3333)."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from typing import Any, NamedTuple

__all__ = ["FilePart", "FileWrapper"]


class FilePart(NamedTuple):
    """What the system can send by itself: a part of a regular file."""

    descriptor: int
    offset: int
    length: int


class FileWrapper:
    """Iterates over what `filelike.read(block_size)` returns; `close` closes the file."""

    def __init__(self, filelike: Any, block_size: int = 65536) -> None:
        self.filelike = filelike
        self.block_size = block_size
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self) -> Iterator[bytes]:
        read, size = self.filelike.read, self.block_size
        while block := read(size):
            yield block

    def part(self, limit: int | None) -> FilePart | None:
        """Find what is left of the file, up to `limit` bytes; None if it is no regular file."""
        try:
            descriptor = self.filelike.fileno()
            offset = self.filelike.tell()
            found = os.fstat(descriptor)
        except (AttributeError, OSError, io.UnsupportedOperation):
            return None
        # Of a file that is unpacked or decoded while it is read, the descriptor knows other bytes.
        plain = isinstance(self.filelike, io.BufferedReader | io.BufferedRandom | io.FileIO)
        if not (plain and stat.S_ISREG(found.st_mode)):
            return None
        left = max(found.st_size - offset, 0)
        return FilePart(descriptor, offset, left if limit is None else min(left, limit))
