"""Responses that Python makes: what their body is, and how it is read."""

from __future__ import annotations

import asyncio
import datetime
import json as json_module
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from hoopsnake._client._errors import RequestError, StreamConsumed, transport_error
from hoopsnake._client._request import asynchronous
from hoopsnake._native import BodyDecoder, Headers

if TYPE_CHECKING:
    from hoopsnake._native import Response

Source = Iterable[bytes] | AsyncIterable[bytes]


class BodyTime(NamedTuple):
    """Until when a body may come, by the monotonic clock, and the seconds that a piece may take."""

    until: float | None
    read: float | None

    def left(self, now: float) -> tuple[str, float | None]:
        """Return what a piece is too late for first, and in how many seconds it is."""
        left = None if self.until is None else max(0.0, self.until - now)
        if self.read is not None and (left is None or self.read < left):
            return "ReadTimeout", self.read
        return "TotalTimeout", left

    def over(self, kind: str, response: Response, waited: float) -> Exception:
        """Make what is raised of a piece that is too late."""
        words = (
            f"no piece of the body has come within {self.read:g} s"
            if kind == "ReadTimeout"
            else "the request has taken longer than it may as a whole"
        )
        elapsed = response.elapsed.total_seconds() + waited
        return transport_error(kind, words, "read", elapsed, response.request)


class MadeBody:
    """A body that comes from an iterator. The engine's `Response` hands its reading over to it."""

    def __init__(self, source: Source, headers: Headers) -> None:
        self._source = source
        self._pieces: AsyncIterator[bytes] | None = None
        self._decoder: BodyDecoder | None = None
        self._headers = headers
        self._received = 0
        self._is_lent = False
        self._is_at_end = False
        self._tied: object = None
        self._time = BodyTime(None, None)

    def tie(self, kept: object) -> None:
        """Keep something until the body is at its end, or nobody reads it any more.

        A `BodyTime` is what reading it keeps to.
        """
        if isinstance(kept, BodyTime):
            self._time = kept
        else:
            self._tied = kept

    async def aread(self, response: Response) -> bytes:
        """Read what is left of it, and leave it to the response."""
        pieces: list[bytes] = []
        while (piece := await self.chunk(response, False)) is not None:
            pieces.append(piece)
        content = b"".join(pieces)
        response._complete(content)
        return content

    async def chunk(self, response: Response, raw: bool) -> bytes | None:
        """Read a piece, unpacked unless `raw`; None at the end."""
        if self._is_lent:
            raise StreamConsumed("somebody reads this response already")
        self._is_lent = True
        begun = time.monotonic()
        kind, seconds = self._time.left(begun)
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                piece = await self._next(raw)
        except BaseException as error:
            if isinstance(error, TimeoutError) and limit.expired():
                response._close()
                raise self._time.over(kind, response, time.monotonic() - begun) from None
            if isinstance(error, RequestError) and error.request is None:
                error.request, error.phase = response.request, "read"
            response._close()
            raise
        finally:
            self._is_lent = False
        elapsed = response.elapsed + datetime.timedelta(seconds=time.monotonic() - begun)
        response._note(self._received, elapsed, getattr(self._source, "trailers", None))
        if piece is None:
            response._close()
        return piece

    async def _next(self, raw: bool) -> bytes | None:
        if self._pieces is None:
            source = self._source
            whole = source if isinstance(source, AsyncIterable) else asynchronous(source)
            self._pieces = aiter(whole)
            self._decoder = BodyDecoder(self._headers)
        while not self._is_at_end:
            came = await anext(self._pieces, None)
            if came is not None:
                self._received += len(came)
                piece = bytes(came)
                if not raw and self._decoder is not None:
                    piece = self._decoder.feed(piece)
            else:
                self._is_at_end = True
                piece = self._decoder.finish() if self._decoder and not raw else b""
            if piece:
                return piece
        return None

    def close(self) -> None:
        """Read no more of it; whoever makes it is told if it can be told at once."""
        self._is_at_end = True
        self._tied = None
        close = getattr(self._source, "close", None)
        if close is not None:
            close()

    async def aclose(self, response: Response) -> None:
        """Close the response, and wait for the end of what makes its body."""
        response._close()
        end = getattr(self._pieces, "aclose", None) or getattr(self._source, "aclose", None)
        if end is not None:
            await end()


def body_of(
    headers: Headers,
    content: bytes | str | Source | None,
    text: str | None,
    html: str | None,
    json: Any,
    stream: Source | None,
) -> bytes | MadeBody:
    """Find a response's body among what may be given for one; say in its headers what it is."""
    if stream is not None:
        return MadeBody(stream, headers)
    whole: bytes
    kind = None
    if isinstance(content, str):
        whole = content.encode()
    elif isinstance(content, bytes | bytearray | memoryview):
        whole = bytes(content)
    elif isinstance(content, Iterable | AsyncIterable):
        if "content-length" not in headers:
            headers.setdefault("transfer-encoding", "chunked")
        return MadeBody(cast(Source, content), headers)
    elif content is not None:
        raise TypeError(f"content is bytes, str or an iterator of bytes, not {content!r}")
    elif text is not None:
        whole, kind = text.encode(), "text/plain; charset=utf-8"
    elif html is not None:
        whole, kind = html.encode(), "text/html; charset=utf-8"
    elif json is not None:
        written = json_module.dumps(
            json, ensure_ascii=False, separators=(",", ":"), allow_nan=False
        )
        whole, kind = written.encode(), "application/json"
    else:
        return b""
    headers.setdefault("content-length", str(len(whole)))
    if kind is not None:
        headers.setdefault("content-type", kind)
    if "content-encoding" not in headers:
        return whole
    decoder = BodyDecoder(headers)
    return decoder.feed(whole) + decoder.finish()
