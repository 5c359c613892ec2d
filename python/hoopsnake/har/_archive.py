"""HAR files: read from whoever wrote them, and written so that others can read them."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from hoopsnake._native import Headers, __version__
from hoopsnake.har import _bodies

# Browsers name versions of HTTP as ALPN does, or in lower case.
HTTP2, HTTP3 = ("h2", "http/2", "http/2.0"), ("h3", "http/3", "http/3.0")


class HARError(ValueError):
    """A file that is no HAR file, or one whose entries cannot be read."""


@dataclasses.dataclass(slots=True)
class Exchange:
    """A request, and the response or the error that it came to.

    Attributes: `method`, `url`, `request_headers`, `request_body`; `status`, `reason`, `headers`,
    `body`, which is unpacked, `http_version`; `started`; `waited` and `received`, the seconds
    until the response's head and from there to its end; `size`, the bytes of its body on the
    wire; `error`, the name and the text of the exception that came instead; `comment`.
    """

    method: str
    url: str
    request_headers: Headers
    request_body: bytes
    status: int = 0
    reason: str = ""
    headers: Headers = dataclasses.field(default_factory=Headers)
    body: bytes = b""
    http_version: str = "HTTP/1.1"
    started: datetime.datetime = dataclasses.field(
        default_factory=lambda: datetime.datetime.now(datetime.UTC)
    )
    waited: float = 0.0
    received: float = 0.0
    size: int = -1
    error: tuple[str, str] | None = None
    comment: str = ""


def load(path: str | os.PathLike[str]) -> list[Exchange]:
    """Read the exchanges of a HAR file, whatever has written it.

    Raises HARError for a file that is none, and OSError if it cannot be read.
    """
    try:
        log = json.loads(Path(path).read_text(encoding="utf-8-sig"))["log"]
        entries = [each for each in log["entries"] if is_of_http(each)]
    except (ValueError, KeyError, TypeError) as error:
        raise HARError(f"{path} is no HAR file: {type(error).__name__}: {error}") from error
    exchanges = []
    for number, entry in enumerate(entries, 1):
        try:
            exchanges.append(exchange_of(entry))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            words = f"entry {number} of {path} cannot be read: {type(error).__name__}: {error}"
            raise HARError(words) from error
    return exchanges


def save(path: str | os.PathLike[str], exchanges: list[Exchange]) -> None:
    """Write a HAR file. It is there as a whole or not at all, as the one before it was."""
    log = {
        "version": "1.2",
        "creator": {"name": "hoopsnake", "version": __version__},
        "entries": [entry_of(exchange) for exchange in exchanges],
    }
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump({"log": log}, file, ensure_ascii=False, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        # As a plain open() would have made it: mkstemp's files are for their owner alone.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(beside, 0o666 & ~mask)
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
        raise


def is_of_http(entry: Any) -> bool:
    """Leave out what a browser has recorded of data:, blob: and ws: URLs."""
    return str(entry["request"]["url"]).startswith(("http://", "https://"))


def exchange_of(entry: Any) -> Exchange:
    """Read an entry; what it has beside, as browsers' have, is passed over."""
    asked, answered = entry["request"], entry["response"]
    headers, posted = headers_of(asked), asked.get("postData") or {}
    kind = str(posted.get("mimeType") or headers.get("content-type", ""))
    encoding = posted.get("_encoding", posted.get("encoding"))
    content = answered.get("content") or {}
    timings = entry.get("timings") or {}
    exchange = Exchange(
        method=str(asked["method"]),
        url=str(asked["url"]),
        request_headers=headers,
        request_body=_bodies.read(posted.get("text") or "", kind, encoding),
        status=int(answered.get("status") or 0),
        reason=str(answered.get("statusText") or ""),
        headers=headers_of(answered),
        body=_bodies.read(
            content.get("text") or "", str(content.get("mimeType") or ""), content.get("encoding")
        ),
        http_version=version_of(str(answered.get("httpVersion") or "")),
        waited=max(float(timings.get("wait") or 0), 0) / 1000,
        received=max(float(timings.get("receive") or 0), 0) / 1000,
        size=int(answered.get("bodySize", -1)),
        comment=str(entry.get("comment") or ""),
    )
    if entry.get("startedDateTime"):
        exchange.started = datetime.datetime.fromisoformat(entry["startedDateTime"])
    if not exchange.status:
        error = answered.get("_error") or "the recorded request has no response"
        named = error if isinstance(error, dict) else {"text": str(error)}
        exchange.error = (str(named.get("class", "ConnectError")), str(named["text"]))
    return exchange


def headers_of(message: Any) -> Headers:
    """Read headers: HTTP/2's pseudo-headers are none, and Chromium joins cookies by lines."""
    headers = Headers()
    for field in message.get("headers") or ():
        if not field["name"].startswith(":"):
            for value in str(field["value"]).split("\n"):
                headers.append(field["name"], value)
    return headers


def version_of(text: str) -> str:
    """Name a version of HTTP as a response does."""
    if text.lower() in HTTP2:
        return "HTTP/2"
    if text.lower() in HTTP3:
        return "HTTP/3"
    return "HTTP/1.0" if text.upper() == "HTTP/1.0" else "HTTP/1.1"


def entry_of(exchange: Exchange) -> dict[str, Any]:
    """Write an exchange as an entry."""
    from urllib.parse import parse_qsl, urlsplit

    query = parse_qsl(urlsplit(exchange.url).query, keep_blank_values=True)
    request: dict[str, Any] = {
        "method": exchange.method,
        "url": exchange.url,
        "httpVersion": exchange.http_version,
        "cookies": [],
        "headers": pairs(exchange.request_headers.multi_items()),
        "queryString": pairs(query),
        "headersSize": -1,
        "bodySize": len(exchange.request_body),
    }
    if exchange.request_body:
        kind = exchange.request_headers.get("content-type", "")
        text, is_packed = _bodies.written(exchange.request_body, kind)
        request["postData"] = {"mimeType": kind, "text": text}
        if is_packed:
            # HAR knows no encoding here; what is ours begins with a line under it.
            request["postData"]["_encoding"] = "base64"
    kind = exchange.headers.get("content-type", "")
    text, is_packed = _bodies.written(exchange.body, kind)
    response: dict[str, Any] = {
        "status": exchange.status,
        "statusText": exchange.reason,
        "httpVersion": exchange.http_version,
        "cookies": [],
        "headers": pairs(exchange.headers.multi_items()),
        "content": {"size": len(exchange.body), "mimeType": kind, "text": text},
        "redirectURL": exchange.headers.get("location", ""),
        "headersSize": -1,
        "bodySize": exchange.size,
    }
    if is_packed:
        response["content"]["encoding"] = "base64"
    if exchange.error is not None:
        response["_error"] = dict(zip(("class", "text"), exchange.error, strict=True))
    waited, received = round(exchange.waited * 1000, 3), round(exchange.received * 1000, 3)
    entry = {
        "startedDateTime": exchange.started.isoformat(),
        "time": round(waited + received, 3),
        "request": request,
        "response": response,
        "cache": {},
        "timings": {"send": 0, "wait": waited, "receive": received},
    }
    return {**entry, "comment": exchange.comment} if exchange.comment else entry


def pairs(items: list[tuple[str, str]]) -> list[dict[str, str]]:
    """Write names and values."""
    return [{"name": name, "value": value} for name, value in items]
