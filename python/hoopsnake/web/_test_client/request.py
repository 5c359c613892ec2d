"""A request as a test writes it, made into what is sent."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any, NamedTuple
from urllib.parse import quote, urlencode, urljoin, urlsplit

__all__ = ["Content", "Options", "RequestMade", "make_request", "target_of"]

Content = str | bytes | Iterable[bytes]
Pairs = Mapping[str, Any] | Sequence[tuple[str, Any]]
File = IO[bytes] | bytes | str
FileWithName = tuple[str | None, File] | tuple[str | None, File, str | None]

# What an URL may have as it is (RFC 3986 section 2.2); "%" belongs to what is quoted already.
_PLAIN = "/:?#[]@!$&'()*+,;=%~-._"


class RequestMade(NamedTuple):
    """A request that is ready to be sent."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes | Iterable[bytes]


class Options(NamedTuple):
    """What a test says of a request beside its method and its URL."""

    params: Pairs | None = None
    content: Content | None = None
    data: Pairs | str | bytes | None = None
    files: Mapping[str, File | FileWithName] | Sequence[tuple[str, File | FileWithName]] | None = (
        None
    )
    json: Any = None
    headers: Mapping[str, str] | Sequence[tuple[str, str]] | None = None
    cookies: Mapping[str, str] | None = None
    auth: tuple[str, str] | None = None


def make_request(
    method: str, url: str, base_url: str, headers: Mapping[str, str], options: Options
) -> RequestMade:
    """Put a request together; `headers` are those that the client sends with all of them."""
    body, kind = _body(options)
    fields = _merged(headers, options.headers)
    known = {name.lower() for name, _ in fields}
    if kind is not None and "content-type" not in known:
        fields.append(("content-type", kind))
    if options.auth is not None:
        user = base64.b64encode(":".join(options.auth).encode()).decode()
        fields.append(("authorization", f"Basic {user}"))
    if not isinstance(body, bytes):
        fields.append(("transfer-encoding", "chunked"))
    elif (body or method in ("POST", "PUT", "PATCH")) and "content-length" not in known:
        fields.append(("content-length", str(len(body))))
    return RequestMade(method, _url(url, base_url, options.params), fields, body)


def target_of(url: str) -> str:
    """Return path and query of a URL, as a request line has them."""
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _url(url: str, base_url: str, params: Pairs | None) -> str:
    if "://" not in url:
        url = base_url.rstrip("/") + "/" + url.lstrip("/") if url else base_url
    url = quote(urljoin(base_url, url).partition("#")[0], safe=_PLAIN)
    query = urlencode(_pairs(params)) if params else ""
    return f"{url}{'&' if '?' in url else '?'}{query}" if query else url


def _pairs(given: Pairs) -> list[tuple[str, str]]:
    items = given.items() if isinstance(given, Mapping) else given
    return [
        (name, _text(each))
        for name, value in items
        for each in (value if isinstance(value, list | tuple) else [value])
    ]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _merged(
    headers: Mapping[str, str], own: Mapping[str, str] | Sequence[tuple[str, str]] | None
) -> list[tuple[str, str]]:
    given = list(own.items() if isinstance(own, Mapping) else own or ())
    names = {name.lower() for name, _ in given}
    return [(name, value) for name, value in headers.items() if name.lower() not in names] + given


def _body(options: Options) -> tuple[bytes | Iterable[bytes], str | None]:
    data, content = options.data, options.content
    if options.files is not None:
        if isinstance(data, str | bytes):
            raise TypeError("beside files, data are fields: a mapping or a list of pairs")
        return _multipart(_pairs(data or ()), options.files)
    if isinstance(data, str | bytes):
        content = data
    elif data is not None:
        return urlencode(_pairs(data)).encode(), "application/x-www-form-urlencoded"
    if options.json is not None:
        text = json.dumps(options.json, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return text.encode(), "application/json"
    if isinstance(content, str):
        return content.encode(), "text/plain; charset=utf-8"
    return (b"" if content is None else content), None


def _multipart(fields: list[tuple[str, str]], files: Any) -> tuple[bytes, str]:
    """Write a form with files (RFC 7578)."""
    boundary = secrets.token_hex(16)
    parts = [_part(boundary, name, None, None, value.encode()) for name, value in fields]
    for name, given in files.items() if isinstance(files, Mapping) else files:
        file_name, file, kind, *_ = (
            (*given, None) if isinstance(given, tuple) else (..., given, None)
        )
        data = file if isinstance(file, str | bytes) else file.read()
        if file_name is ...:
            file_name = str(getattr(file, "name", "upload")).rpartition("/")[2]
        parts.append(
            _part(
                boundary,
                name,
                file_name,
                kind or "application/octet-stream",
                data.encode() if isinstance(data, str) else data,
            )
        )
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"


def _part(boundary: str, name: str, file_name: str | None, kind: str | None, data: bytes) -> bytes:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"'
    if file_name is not None:
        head += f'; filename="{_quoted(file_name)}"'
    if kind is not None:
        head += f"\r\nContent-Type: {kind}"
    return f"{head}\r\n\r\n".encode() + data + b"\r\n"


def _quoted(name: str) -> str:
    # As browsers do it (HTML standard, "multipart/form-data encoding algorithm").
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
