"""Responses: what a handler may return where its value alone does not say enough."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from email.utils import format_datetime
from http.cookies import SimpleCookie
from typing import Any, ClassVar, Literal
from urllib.parse import quote

from hoopsnake.web._concurrency import run_in_thread
from hoopsnake.web._headers import MutableHeaders, RawHeaders
from hoopsnake.web._json import to_json

__all__ = [
    "HTMLResponse",
    "JSONResponse",
    "PlainTextResponse",
    "RedirectResponse",
    "Response",
    "StreamingResponse",
]

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Response:
    """A whole response; `content` is text (sent as UTF-8) or bytes."""

    media_type: ClassVar[str | None] = None
    needs_scope: ClassVar[bool] = False
    """Whether it depends on the request what is sent."""
    is_watched: ClassVar[bool] = False
    """Whether it may wait for so long that its client's leaving has to end it."""

    def __init__(
        self,
        content: Any = None,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.status_code = status_code
        self.background = background
        self.body = self.render(content)
        self.headers = MutableHeaders(_raw(headers))
        kind = media_type if media_type is not None else self.media_type
        if kind is not None and "content-type" not in self.headers:
            if kind.startswith("text/") and "charset=" not in kind:
                kind = f"{kind}; charset=utf-8"
            self.headers["content-type"] = kind
        if not (status_code in (204, 304) or "content-length" in self.headers):
            self.headers["content-length"] = str(len(self.body))

    def render(self, content: Any) -> bytes:
        """Make the body of the content."""
        if content is None:
            return b""
        if isinstance(content, bytes | bytearray | memoryview):
            return bytes(content)
        if isinstance(content, str):
            return content.encode()
        raise TypeError(f"the content of a response is str or bytes, not {type(content).__name__}")

    def set_cookie(
        self,
        key: str,
        value: str = "",
        max_age: int | None = None,
        expires: datetime | str | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: Literal["lax", "strict", "none"] | None = "lax",
    ) -> None:
        """Have the client keep a cookie (RFC 6265 section 4.1), for `max_age` seconds if given."""
        cookie: SimpleCookie = SimpleCookie()
        cookie[key] = value
        morsel = cookie[key]
        given = {
            "max-age": max_age,
            "expires": format_datetime(expires, usegmt=True)
            if isinstance(expires, datetime)
            else expires,
            "path": path,
            "domain": domain,
            "secure": secure or None,
            "httponly": httponly or None,
            "samesite": samesite,
        }
        for name, setting in given.items():
            if setting is not None:
                morsel[name] = setting
        self.headers.append("set-cookie", morsel.OutputString())

    def delete_cookie(self, key: str, path: str = "/", domain: str | None = None) -> None:
        """Have the client forget a cookie."""
        self.set_cookie(key, max_age=0, path=path, domain=domain)

    def for_scope(self, scope: Mapping[str, Any]) -> None:
        """Look at the request that it is to answer, before it is sent."""

    async def __call__(self, send: Send) -> None:
        """Send it."""
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.headers.raw}
        )
        await send({"type": "http.response.body", "body": self.body})


class PlainTextResponse(Response):
    """Plain text."""

    media_type = "text/plain"


class HTMLResponse(Response):
    """HTML."""

    media_type = "text/html"


class JSONResponse(Response):
    """JSON of any value that `to_json` knows."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return to_json(content)


class RedirectResponse(Response):
    """Sends the client elsewhere: with 307 it repeats the request there, with 303 it gets it."""

    def __init__(
        self,
        url: str,
        status_code: int = 307,
        headers: Mapping[str, str] | None = None,
        background: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(b"", status_code, headers, background=background)
        self.headers["location"] = quote(url, safe=":/%#?=@[]!$&'()*+,;")


class StreamingResponse(Response):
    """A body that comes piece by piece, from an `async` iterable or another one on a thread."""

    is_watched = True

    def __init__(
        self,
        content: AsyncIterable[str | bytes] | Iterable[str | bytes],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
        background: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(None, status_code, headers, media_type, background)
        if not any(name.lower() == "content-length" for name in headers or ()):
            # Of a length that nobody knows, unless whoever made the content does.
            del self.headers["content-length"]
        self._content = content

    async def __call__(self, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.headers.raw}
        )
        async with aclosing(_pieces(self._content)) as pieces:
            async for piece in pieces:
                body = piece.encode() if isinstance(piece, str) else piece
                await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _pieces(
    content: AsyncIterable[str | bytes] | Iterable[str | bytes],
) -> AsyncGenerator[str | bytes, None]:
    if isinstance(content, AsyncIterable):
        async with ended(content):
            async for piece in content:
                yield piece
        return
    iterator, end = iter(content), object()
    while (piece := await run_in_thread(next, iterator, end)) is not end:
        yield piece


@asynccontextmanager
async def ended(content: AsyncIterable[Any]) -> AsyncGenerator[None, None]:
    """End a generator here and now, and not when somebody finds it; or what ends like one.

    A body that is passed on from another server is such a thing, and has a connection.
    """
    try:
        yield
    finally:
        if (aclose := getattr(content, "aclose", None)) is not None:
            await aclose()


def _raw(headers: Mapping[str, str] | None) -> RawHeaders:
    if headers is None:
        return []
    return [
        (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()
    ]
