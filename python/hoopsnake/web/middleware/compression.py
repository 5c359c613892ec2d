"""Answers are compressed on their way, for servers that do not do it themselves.

Ours does (`hoop serve --compress`), and there it costs less.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

from hoopsnake.web._errors import WebError
from hoopsnake.web._headers import Headers, MutableHeaders
from hoopsnake.web.middleware._asgi import Application, Message, Receive, Scope, Send

__all__ = ["CompressionMiddleware", "chosen_encoding"]

_COMPRESSIBLE = (
    "application/graphql-response+json",
    "application/javascript",
    "application/json",
    "application/manifest+json",
    "application/problem+json",
    "application/wasm",
    "application/x-ndjson",
    "application/xhtml+xml",
    "application/xml",
    "font/otf",
    "font/ttf",
    "image/bmp",
    "image/svg+xml",
    "image/x-icon",
)
# A body of this size takes a while, and would hold up the loop.
_THREAD_BYTES = 131_072
_LEVELS = {"gzip": 6, "br": 4, "zstd": 3}


class _Compressor(Protocol):
    def pieces(self, body: bytes, *, is_last: bool) -> bytes: ...


class CompressionMiddleware:
    """Compresses what clients take compressed, and what is worth it.

    `encodings` are tried in this order where a client likes several alike; without them these are
    zstd and br, where the packages zstandard (or Python 3.14) and brotli are there, and gzip.
    `levels` has one for each. A body of fewer than `minimum_size` bytes is left alone, and so are
    streams of events, parts of files, and what says `no-transform`.

    A page that shows a secret and what a stranger may write into it should not be compressed: the
    length tells the secret (BREACH). Set `Content-Encoding: identity` there.
    """

    def __init__(
        self,
        app: Application,
        *,
        minimum_size: int = 500,
        encodings: Sequence[str] | None = None,
        levels: Mapping[str, int] | None = None,
    ) -> None:
        self._app = app
        self._least = minimum_size
        self._levels = {**_LEVELS, **(levels or {})}
        known = [name for name in ("zstd", "br", "gzip") if _is_there(name)]
        self._encodings = tuple(known if encodings is None else encodings)
        for each in self._encodings:
            if each not in _MAKERS:
                raise WebError(f"there is no encoding {each!r}: {', '.join(_MAKERS)}")
            if not _is_there(each):
                raise WebError(f"{each} is not installed: pip install {_PACKAGES[each]}")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection (ASGI 3.0)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        accepted = Headers(scope["headers"]).getlist("accept-encoding")
        encoding = chosen_encoding(",".join(accepted), self._encodings)
        answer = _Answer(self._least, encoding, self._compressor_of, scope["method"], send)
        await self._app(scope, receive, answer.send)

    def _compressor_of(self, encoding: str) -> _Compressor:
        return _MAKERS[encoding](self._levels[encoding])


class _Answer:
    """One answer: its head waits until the first piece of its body tells whether it is worth it."""

    def __init__(
        self,
        least: int,
        encoding: str | None,
        compressor_of: Callable[[str], _Compressor],
        method: str,
        send: Send,
    ) -> None:
        self._least = least
        self._encoding = encoding
        self._compressor_of = compressor_of
        self._method = method
        self._send = send
        self._head: Message | None = None
        self._compressor: _Compressor | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._head = {**message, "headers": list(message.get("headers", ()))}
            if not self._is_worth_it(self._head):
                await self._send_head()
            return
        if message["type"] != "http.response.body":
            await self._send_head()
            await self._send(message)
            return
        body = message.get("body") or b""
        is_last = not message.get("more_body", False)
        if self._head is not None:
            self._begin(self._head, body, is_last)
        if self._compressor is not None:
            if len(body) >= _THREAD_BYTES:
                work = self._compressor.pieces
                body = await asyncio.to_thread(work, body, is_last=is_last)
            else:
                body = self._compressor.pieces(body, is_last=is_last)
            if is_last and self._head is not None:
                MutableHeaders.over(self._head["headers"])["content-length"] = str(len(body))
        await self._send_head()
        await self._send({**message, "body": body})

    async def _send_head(self) -> None:
        head, self._head = self._head, None
        if head is not None:
            await self._send(head)

    def _begin(self, head: Message, body: bytes, is_last: bool) -> None:
        """Decide, and alter the head: `Vary` is there in any case, for caches."""
        headers = MutableHeaders.over(head["headers"])
        length = headers.get("content-length", "")
        size = int(length) if length.isdecimal() else (len(body) if is_last else None)
        if size is not None and size < self._least:
            return
        headers.add_vary("Accept-Encoding")
        if self._encoding is None:
            return
        # Of an answer to HEAD it would be another than GET has (RFC 9110 section 8.6).
        del headers["content-length"]
        if self._method == "HEAD":
            return
        del headers["accept-ranges"]
        headers["content-encoding"] = self._encoding
        etag = headers.get("etag")
        if etag is not None and not etag.startswith("W/"):
            # Other bytes are another strong validator (RFC 9110 section 8.8.1).
            headers["etag"] = f"W/{etag}"
        self._compressor = self._compressor_of(self._encoding)

    def _is_worth_it(self, head: Message) -> bool:
        headers = MutableHeaders.over(head["headers"])
        if "content-encoding" in headers or head["status"] in (204, 206, 304):
            return False
        if "no-transform" in headers.get("cache-control", "").lower():
            return False
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "text/event-stream":
            return False
        return kind.startswith("text/") or kind in _COMPRESSIBLE or kind.endswith(("+json", "+xml"))


def chosen_encoding(accepted: str, known: Sequence[str]) -> str | None:
    """Choose one of the known encodings, as a client weighs them (RFC 9110 section 12.5.3)."""
    weights: dict[str, float] = {}
    for each in accepted.lower().split(","):
        name, _, parameters = each.partition(";")
        weight = 1.0
        key, _, value = parameters.strip().partition("=")
        if key.strip() == "q":
            try:
                weight = float(value)
            except ValueError:
                weight = 0.0
        weights[name.strip().replace("x-gzip", "gzip")] = weight
    best, best_weight = None, 0.0
    for name in known:
        weight = weights.get(name, weights.get("*", 0.0))
        if weight > best_weight:
            best, best_weight = name, weight
    return best if best_weight >= weights.get("identity", 0.0) else None


# What compresses.


class _Gzip:
    def __init__(self, level: int) -> None:
        self._deflate = zlib.compressobj(level, zlib.DEFLATED, 16 + zlib.MAX_WBITS)

    def pieces(self, body: bytes, *, is_last: bool) -> bytes:
        end = zlib.Z_FINISH if is_last else zlib.Z_SYNC_FLUSH
        return self._deflate.compress(body) + self._deflate.flush(end)


class _Brotli:
    def __init__(self, level: int) -> None:
        self._compressor: Any = import_module("brotli").Compressor(quality=level)

    def pieces(self, body: bytes, *, is_last: bool) -> bytes:
        written: bytes = self._compressor.process(body)
        rest: bytes = self._compressor.finish() if is_last else self._compressor.flush()
        return written + rest


class _Zstandard:
    def __init__(self, level: int) -> None:
        if find_spec("compression") is not None:
            zstd: Any = import_module("compression.zstd").ZstdCompressor
            self._compressor: Any = zstd(level)
            self._block, self._frame = zstd.FLUSH_BLOCK, zstd.FLUSH_FRAME
            return
        package: Any = import_module("zstandard")
        self._compressor = package.ZstdCompressor(level).compressobj()
        self._block = package.COMPRESSOBJ_FLUSH_BLOCK
        self._frame = package.COMPRESSOBJ_FLUSH_FINISH

    def pieces(self, body: bytes, *, is_last: bool) -> bytes:
        written: bytes = self._compressor.compress(body)
        rest: bytes = self._compressor.flush(self._frame if is_last else self._block)
        return written + rest


_MAKERS: dict[str, Callable[[int], _Compressor]] = {
    "zstd": _Zstandard,
    "br": _Brotli,
    "gzip": _Gzip,
}
_PACKAGES = {"zstd": "zstandard", "br": "brotli"}


def _is_there(encoding: str) -> bool:
    if encoding == "zstd" and find_spec("compression") is not None:
        return True
    return encoding not in _PACKAGES or find_spec(_PACKAGES[encoding]) is not None
