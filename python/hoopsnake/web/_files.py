"""Files as responses: by path, with conditions and ranges (RFC 9110 sections 13 and 14)."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from typing import Any, ClassVar, Literal
from urllib.parse import quote

from hoopsnake._native import answer_file, content_type_of
from hoopsnake.web._concurrency import run_in_thread
from hoopsnake.web._headers import MutableHeaders, RawHeaders
from hoopsnake.web._responses import Response, Send

__all__ = ["FileResponse"]

# The extension of servers that send parts of files themselves.
_PARTS = "http.response.zerocopysend"
# Where the server cannot send files itself: so many bytes are read at once.
_PIECE = 256 * 1024
# A file that was changed less than this ago may change again and keep its times: its tag is weak
# (RFC 9110 section 8.8.2.2).
_SETTLES_IN = 2.0

# Of a response that has no content of the file.
_OF_CONTENT = ("content-type", "content-length", "accept-ranges", "content-disposition")


class FileResponse(Response):
    """Sends a file; conditions and ranges of the request are met.

    Its media type is guessed from its name unless it is given. With `filename` clients keep it
    under that name (`attachment`), or show it (`inline`). Raises FileNotFoundError for a path that
    leads nowhere, and ValueError for what is no regular file.
    """

    needs_scope: ClassVar[bool] = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: Callable[[], Awaitable[None]] | None = None,
        filename: str | None = None,
        stat_result: os.stat_result | None = None,
        content_disposition_type: Literal["attachment", "inline"] = "attachment",
    ) -> None:
        self.path = path
        self.filename = filename
        kind = media_type or content_type_of(filename or os.fspath(path))
        super().__init__(None, status_code, headers, kind, background)
        del self.headers["content-length"]
        self._facts = _looked_at(path) if stat_result is None else stat_result
        self._descriptor: int | None = None
        self._scope: Mapping[str, Any] | None = None
        self._describe(content_disposition_type)

    @classmethod
    def _opened(cls, descriptor: int, name: str, kind: str | None = None) -> FileResponse:
        """Make the response with a file that is open; closes it when it is sent."""
        made = cls(name, media_type=kind, stat_result=os.fstat(descriptor))
        made._descriptor = descriptor
        return made

    def _describe(self, disposition: str) -> None:
        facts, headers = self._facts, self.headers
        age = time.time() - facts.st_mtime
        self._is_settled = age > _SETTLES_IN
        weak = "" if self._is_settled else "W/"
        seconds, rest = divmod(facts.st_mtime_ns, 1_000_000_000)
        headers.setdefault("accept-ranges", "bytes")
        headers.setdefault("etag", f'{weak}"{seconds:x}.{rest:x}-{facts.st_size:x}"')
        headers.setdefault("last-modified", formatdate(facts.st_mtime, usegmt=True))
        if self.filename is not None:
            headers.setdefault("content-disposition", _disposition(disposition, self.filename))

    def for_scope(self, scope: Mapping[str, Any]) -> None:
        self._scope = scope

    async def __call__(self, send: Send) -> None:
        descriptor = self._descriptor
        if descriptor is None:
            # As the engine does it for files of its own: opening a file is quick, reading waits.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            await self._send(send, descriptor)
        finally:
            os.close(descriptor)
            self._descriptor = None

    async def _send(self, send: Send, descriptor: int) -> None:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise ValueError(f"{os.fspath(self.path)!r} is no regular file: it cannot be sent")
        scope: Mapping[str, Any] = self._scope or {"method": "GET", "headers": []}
        asked = _asked(scope) if self.status_code == 200 else []
        status, changed, pieces, end = answer_file(
            asked,
            facts.st_size,
            self.headers["etag"].encode("latin-1"),
            max(0, int(facts.st_mtime)),
            self._is_settled,
            self.headers.get("content-type") or "application/octet-stream",
        )
        headers = MutableHeaders(list(self.headers.raw))
        if not pieces:
            for name in _OF_CONTENT:
                del headers[name]
        for field, value in changed:
            headers[field.decode()] = value.decode()
        if status in (412, 416):
            headers["content-length"] = "0"
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code if status == 200 else status,
                "headers": headers.raw,
            }
        )
        extensions = scope.get("extensions") or {}
        is_whole = status == 200 and self._descriptor is None
        if scope["method"] == "HEAD" or not pieces:
            await send({"type": "http.response.body", "body": b""})
        elif _PARTS not in extensions and is_whole and "http.response.pathsend" in extensions:
            await send({"type": "http.response.pathsend", "path": _absolute(self.path)})
        else:
            await self._send_pieces(send, descriptor, pieces, end, _PARTS in extensions)

    async def _send_pieces(
        self,
        send: Send,
        descriptor: int,
        pieces: list[tuple[bytes, int, int]],
        end: bytes,
        by_server: bool,
    ) -> None:
        for before, begins, length in pieces:
            if before:
                await send({"type": "http.response.body", "body": before, "more_body": True})
            if by_server:
                await send(
                    {
                        "type": _PARTS,
                        "file": descriptor,
                        "offset": begins,
                        "count": length,
                        "more_body": True,
                    }
                )
                continue
            while length:
                piece = await run_in_thread(os.pread, descriptor, min(length, _PIECE), begins)
                if not piece:
                    raise OSError(f"{os.fspath(self.path)!r} became shorter while it was sent")
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                begins, length = begins + len(piece), length - len(piece)
        await send({"type": "http.response.body", "body": end})


def _absolute(path: str | os.PathLike[str]) -> str:
    return os.path.abspath(os.fspath(path))


def _asked(scope: Mapping[str, Any]) -> RawHeaders:
    """Return what a request says of how it wants a file."""
    if scope["method"] not in ("GET", "HEAD"):
        return []
    # RFC 9110 section 14.2: a range is of a GET.
    is_head = scope["method"] == "HEAD"
    return [
        (bytes(name), bytes(value))
        for name, value in scope["headers"]
        if name != b"range" or not is_head
    ]


def _looked_at(path: str | os.PathLike[str]) -> os.stat_result:
    try:
        facts = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(
            f"there is no file {os.fspath(path)!r}; where that may be, look before, and raise "
            "HTTPException(404)"
        ) from None
    if not stat.S_ISREG(facts.st_mode):
        raise ValueError(f"{os.fspath(path)!r} is no regular file: it cannot be sent")
    return facts


def _disposition(kind: str, filename: str) -> str:
    """Write a Content-Disposition (RFC 6266): what is not plain is percent-encoded."""
    encoded = quote(filename)
    if encoded == filename:
        return f'{kind}; filename="{filename}"'
    return f"{kind}; filename*=utf-8''{encoded}"
