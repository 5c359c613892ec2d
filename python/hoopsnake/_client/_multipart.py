"""Forms with files (RFC 7578), as a stream of bytes whose length is known where it can be."""

from __future__ import annotations

import asyncio
import io
import mimetypes
import os
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import IO, Any, cast

FileContent = bytes | str | IO[bytes]
FileField = (
    FileContent
    | tuple[str | None, FileContent]
    | tuple[str | None, FileContent, str | None]
    | tuple[str | None, FileContent, str | None, Mapping[str, str]]
)
Files = Mapping[str, FileField] | Iterable[tuple[str, FileField]]

READ_AT_ONCE = 64 * 1024


class Multipart:
    """A form on its way: `content_type` for its header, `length` if it is known, and the bytes."""

    def __init__(self, data: Mapping[str, Any], files: Files) -> None:
        self.boundary = secrets.token_hex(16)
        self.parts: list[tuple[bytes, FileContent]] = []
        for name, value in data.items():
            for one in value if isinstance(value, list | tuple) else [value]:
                self._add(disposition(name, None), one if isinstance(one, bytes) else str(one))
        pairs = files.items() if isinstance(files, Mapping) else files
        # A mapping may be iterated too, which is not what is meant.
        for name, field in cast("Iterable[tuple[str, FileField]]", pairs):
            self._add_file(name, field)

    @property
    def content_type(self) -> str:
        """The Content-Type header."""
        return f"multipart/form-data; boundary={self.boundary}"

    @property
    def length(self) -> int | None:
        """The length in bytes; None if a file does not tell its own."""
        total = len(self.boundary) + len("----\r\n")
        for head, content in self.parts:
            size = size_of(content)
            if size is None:
                return None
            total += len(head) + size + len("\r\n")
        return total

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The form's bytes; files are read in a thread."""
        for head, content in self.parts:
            yield head
            if isinstance(content, bytes):
                yield content
            elif isinstance(content, str):
                yield content.encode()
            else:
                while piece := await asyncio.to_thread(content.read, READ_AT_ONCE):
                    yield piece
            yield b"\r\n"
        yield f"--{self.boundary}--\r\n".encode()

    def is_in_memory(self) -> bool:
        """Whether no file has to be read."""
        return all(isinstance(content, bytes | str) for _, content in self.parts)

    def whole(self) -> bytes:
        """The form's bytes, if it is in memory."""
        pieces: list[bytes] = []
        for head, content in self.parts:
            text = content.encode() if isinstance(content, str) else content
            if not isinstance(text, bytes):
                raise TypeError("a file cannot be read here")
            pieces += (head, text, b"\r\n")
        return b"".join(pieces) + f"--{self.boundary}--\r\n".encode()

    def _add(self, head: str, content: FileContent) -> None:
        self.parts.append((f"--{self.boundary}\r\n{head}\r\n\r\n".encode(), content))

    def _add_file(self, name: str, field: FileField) -> None:
        filename: str | None
        kind: str | None = None
        extra: Mapping[str, str] = {}
        if isinstance(field, tuple):
            filename, content = field[0], field[1]
            if len(field) > 2:
                kind = field[2]
            if len(field) > 3:
                extra = field[3]
        else:
            content = field
            path = getattr(field, "name", None)
            filename = os.path.basename(path) if isinstance(path, str) else "upload"
        if isinstance(content, io.TextIOBase):
            raise TypeError(f"the file of '{name}' is open as text; open it in binary mode ('rb')")
        if kind is None and filename is not None:
            kind = mimetypes.guess_type(filename)[0] or "application/octet-stream"
        head = disposition(name, filename)
        for key, value in extra.items():
            if "\r" in key + value or "\n" in key + value:
                raise ValueError(f"a header of the file '{name}' has a line's end in it")
            head += f"\r\n{key}: {value}"
        if kind is not None and "content-type" not in {key.lower() for key in extra}:
            head += f"\r\nContent-Type: {kind}"
        self._add(head, content)


def disposition(name: str, filename: str | None) -> str:
    """Name a part; what would end the quotes is written as browsers write it (WHATWG HTML)."""

    def quoted(text: str) -> str:
        return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")

    head = f'Content-Disposition: form-data; name="{quoted(name)}"'
    return head if filename is None else f'{head}; filename="{quoted(filename)}"'


def size_of(content: FileContent) -> int | None:
    """How many bytes a part's content comes to; None if it does not tell."""
    if isinstance(content, bytes):
        return len(content)
    if isinstance(content, str):
        return len(content.encode())
    try:
        position = content.tell()
        end = content.seek(0, os.SEEK_END)
        content.seek(position)
    except (AttributeError, OSError, ValueError):
        return None
    return end - position
