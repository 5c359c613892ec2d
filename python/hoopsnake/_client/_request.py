"""A request, and how what people give becomes its body."""

from __future__ import annotations

import json as json_module
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from hoopsnake._client._errors import shown
from hoopsnake._client._multipart import Files, Multipart
from hoopsnake._native import URL, Headers

HeaderTypes = Headers | Mapping[str, str] | Mapping[bytes, bytes] | Sequence[tuple[str, str]]
ParamTypes = Mapping[str, Any] | Sequence[tuple[str, Any]] | str
ContentTypes = bytes | str | Iterable[bytes] | AsyncIterable[bytes]


class Request:
    """A request that is ready to be sent.

    Attributes: `method`; `url`; `headers`, which may be changed; `content`, the body's bytes, or
    the asynchronous iterator that makes them; `extensions`, a dict for the program's own use, of
    which the client reads "sni_hostname": the name that TLS is to be with, if not the URL's.
    """

    __slots__ = (
        "_cookies",
        "_has_left",
        "_made_cookie",
        "content",
        "content_length",
        "extensions",
        "headers",
        "method",
        "url",
    )

    def __init__(
        self,
        method: str,
        url: URL | str,
        headers: HeaderTypes | None = None,
        *,
        content: ContentTypes | None = None,
        data: Mapping[str, Any] | None = None,
        files: Files | None = None,
        json: Any = None,
        extensions: dict[str, Any] | None = None,
    ) -> None:
        """Make a request.

        Parameters: `content`, the body as bytes, text, or an iterator that makes it; `data`, a
        form; `files`, a form's files; `json`, what is to be the body as JSON. Raises InvalidURL,
        and LocalProtocolError for headers that may not be sent.
        """
        self.method = method.upper()
        self.url = url if isinstance(url, URL) else URL(url)
        self.headers = Headers(headers)
        self.extensions = {} if extensions is None else extensions
        # Cookies for this request alone, the Cookie that a client has made, and whether a redirect
        # has led away from the origin that the program asked.
        self._cookies: Sequence[tuple[bytes, bytes]] = ()
        self._made_cookie: str | None = None
        self._has_left = False
        body, self.content_length, kind = encoded(content, data, files, json)
        self.content: bytes | AsyncIterable[bytes] | None = body
        if kind is not None:
            self.headers.setdefault("content-type", kind)

    async def aread(self) -> bytes:
        """Read the body, if it is still to be made, and return it; it is `content` from now on."""
        if not isinstance(self.content, bytes | None):
            self.content = b"".join([bytes(piece) async for piece in self.content])
            self.content_length = None
        return self.content or b""

    def __repr__(self) -> str:
        return f"<Request({self.method!r}, {shown(self)!r})>"


def encoded(
    content: ContentTypes | None, data: Mapping[str, Any] | None, files: Files | None, json: Any
) -> tuple[bytes | AsyncIterable[bytes] | None, int | None, str | None]:
    """Make a body: its bytes or what makes them, the length if it is known, and its type."""
    if content is not None:
        if isinstance(content, str):
            return content.encode(), None, "text/plain; charset=utf-8"
        if isinstance(content, bytes | bytearray | memoryview):
            return bytes(content), None, None
        if isinstance(content, AsyncIterable):
            return content, None, None
        if isinstance(content, Iterable):
            return asynchronous(content), None, None
        raise TypeError(f"content is bytes, str or an iterator of bytes, not {type(content)}")
    if files:
        form = Multipart(data or {}, files)
        if form.is_in_memory():
            return form.whole(), None, form.content_type
        return form, form.length, form.content_type
    if data is not None:
        return urlencode(data, doseq=True).encode(), None, "application/x-www-form-urlencoded"
    if json is not None:
        text = json_module.dumps(json, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode(), None, "application/json"
    return None, None, None


async def asynchronous(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Make an iterator of bytes asynchronous."""
    for piece in pieces:
        yield piece


def with_params(url: str, params: ParamTypes | None) -> str:
    """Put more parameters behind those that a URL has."""
    if not params:
        return url
    text = params if isinstance(params, str) else query(params)
    if not text:
        return url
    address, hash_sign, fragment = url.partition("#")
    joint = "" if address.endswith(("?", "&")) else "&" if "?" in address else "?"
    return f"{address}{joint}{text}{hash_sign}{fragment}"


def query(params: Mapping[str, Any] | Sequence[tuple[str, Any]]) -> str:
    """Encode parameters; several values of one name may be given as a list."""
    pairs: list[tuple[str, str]] = []
    for name, value in params.items() if isinstance(params, Mapping) else params:
        for one in value if isinstance(value, list | tuple) else [value]:
            pairs.append((name, plain(one)))
    return urlencode(pairs)


def sni_hostname(extensions: Mapping[str, Any]) -> str | None:
    """Return the name that TLS is to be with, as certificates have it; None for the URL's own.

    What is no name stays as it is: the engine refuses it.
    """
    name: str | bytes | None = extensions.get("sni_hostname")
    if isinstance(name, bytes):
        name = name.decode("latin-1")
    if not name:
        return None
    try:
        return name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        return name


def plain(value: Any) -> str:
    """Write a parameter's value as people expect it in a URL."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
