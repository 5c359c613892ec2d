"""Responses read as streams: bytes, text, lines."""

from __future__ import annotations

import codecs
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hoopsnake._client._client import RequestOptions
    from hoopsnake._native import URL, Response

    # Sends a request, whose response's body is left to be read.
    Open = Callable[[str, URL | str, RequestOptions], Awaitable[Response]]


class Streaming(contextlib.AbstractAsyncContextManager["Response"]):
    """A request that is sent as a block begins, and whose response is closed at its end; once."""

    __slots__ = ("_given", "_open", "_response")

    def __init__(self, open: Open, method: str, url: URL | str, options: RequestOptions) -> None:
        self._open: Open | None = open
        self._given = (method, url, options)

    async def __aenter__(self) -> Response:
        open, self._open = self._open, None
        if open is None:
            raise RuntimeError("this request was sent already: call stream() for each block")
        self._response = response = await open(*self._given)
        return response

    async def __aexit__(self, *_: object) -> None:
        self._response._close()


async def pieces(response: Response, raw: bool, chunk_size: int | None) -> AsyncGenerator[bytes]:
    """Read pieces as they come, or cut to a size; who breaks off closes the response."""
    waiting = bytearray()
    try:
        while (chunk := await response._chunk(raw)) is not None:
            if chunk_size is None:
                yield chunk
                continue
            waiting += chunk
            while len(waiting) >= chunk_size:
                yield bytes(waiting[:chunk_size])
                del waiting[:chunk_size]
        if waiting:
            yield bytes(waiting)
    finally:
        response._close()


async def bytes_of(response: Response, chunk_size: int | None) -> AsyncGenerator[bytes]:
    """Read the body as it is unpacked; one that was read already is there in one piece."""
    if response.is_closed:
        try:
            content = response.content
        except RuntimeError:
            # Closed, not read: the engine says so.
            content = b""
            await response._chunk(False)
        step = chunk_size or max(len(content), 1)
        for start in range(0, len(content), step):
            yield content[start : start + step]
        return
    async for chunk in pieces(response, False, chunk_size):
        yield chunk


async def raw_bytes_of(response: Response, chunk_size: int | None) -> AsyncGenerator[bytes]:
    """Read the body as it comes over the wire."""
    async for chunk in pieces(response, True, chunk_size):
        yield chunk


async def text_of(response: Response) -> AsyncGenerator[str]:
    """Read the body as text, whose characters may lie across pieces."""
    try:
        decoder = codecs.getincrementaldecoder(response.encoding)(errors="replace")
    except LookupError:
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    async for chunk in response.aiter_bytes():
        if text := decoder.decode(chunk):
            yield text
    if text := decoder.decode(b"", final=True):
        yield text


async def lines_of(response: Response) -> AsyncGenerator[str]:
    """Read the body as lines, without their ends; they end as `str.splitlines` says."""
    parts: list[str] = []
    ends_with_return = False
    async for text in text_of(response):
        if ends_with_return and not text.startswith("\n"):
            yield "".join(parts)
            parts = []
        elif ends_with_return:
            yield "".join(parts)
            parts = []
            text = text[1:]
        # A carriage return at the end may be half of a line's end.
        ends_with_return = text.endswith("\r")
        if ends_with_return:
            text = text[:-1]
        lines = text.splitlines(keepends=True)
        for line in lines:
            whole = line.splitlines()[0] if line else line
            parts.append(whole)
            if len(whole) < len(line):
                yield "".join(parts)
                parts = []
    if parts or ends_with_return:
        yield "".join(parts)
