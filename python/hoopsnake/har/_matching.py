"""Which recorded exchange a request is meant to find, and how far the others are from it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from hoopsnake._client._request import Request
from hoopsnake._native import Headers
from hoopsnake.har._archive import Exchange
from hoopsnake.har._secrets import address, body_without

# What is compared of a request, each by a name; "header:NAME" is one more.
Criteria = Sequence[str]
Look = Callable[[Exchange], object]


class Asked:
    """A request in the form in which it would have been recorded."""

    def __init__(self, request: Request, redact_params: Collection[str]) -> None:
        self.exchange = Exchange(
            method=request.method,
            url=address(str(request.url), redact_params),
            request_headers=request.headers,
            request_body=body_without(
                request.content if isinstance(request.content, bytes) else b"",
                request.headers,
                redact_params,
            ),
        )

    def __str__(self) -> str:
        return f"{self.exchange.method} {self.exchange.url}"

    def differences(self, recorded: Exchange, criteria: Criteria) -> list[str]:
        """Tell in which of the criteria a recorded exchange is another."""
        found = []
        for name in criteria:
            look = look_for(name)
            asked, there = look(self.exchange), look(recorded)
            if asked != there:
                found.append(f"{name}: {shortened(asked)} is asked, {shortened(there)} is recorded")
        return found


def look_for(name: str) -> Look:
    """Find how a criterion is looked at. Raises ValueError for one that does not exist."""
    if name.startswith("header:"):
        return lambda exchange: exchange.request_headers.get_list(name.removeprefix("header:"))
    look = LOOKS.get(name)
    if look is None:
        known = ", ".join(LOOKS)
        raise ValueError(f"match has {name!r}; it may have {known} and header:NAME")
    return look


def nearness(asked: Exchange, recorded: Exchange) -> tuple[int, float]:
    """Tell how near a recorded exchange is: by its parts, and by how alike the URLs are."""
    from difflib import SequenceMatcher

    same = sum(look(asked) == look(recorded) for look in LOOKS.values())
    return same, SequenceMatcher(None, asked.url, recorded.url).ratio()


def shortened(value: object) -> str:
    """Show a value, the beginning of it if it is long."""
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


def place(exchange: Exchange) -> str:
    """Tell whom a URL asks."""
    parts = urlsplit(exchange.url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{parts.hostname}:{port}"


def path(exchange: Exchange) -> str:
    """Tell a URL's path."""
    return urlsplit(exchange.url).path or "/"


def query(exchange: Exchange) -> list[tuple[str, str]]:
    """Tell a URL's parameters, whose order means nothing."""
    return sorted(parse_qsl(urlsplit(exchange.url).query, keep_blank_values=True))


def body(exchange: Exchange) -> Any:
    """Tell a body: JSON by its value, a form with files without what divides its parts."""
    content, kind = exchange.request_body, content_type(exchange.request_headers)
    if kind.endswith(("/json", "+json")):
        try:
            return json.loads(content)
        except ValueError:
            return content
    if kind.startswith("multipart/") and (line := re.match(rb"--([^\r\n]+)\r\n", content)):
        return content.replace(line[1], b"boundary")
    return content


def content_type(headers: Headers) -> str:
    """Tell a content type without its parameters."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


LOOKS: dict[str, Look] = {
    "method": lambda exchange: exchange.method,
    "host": place,
    "path": path,
    "query": query,
    "url": lambda exchange: (place(exchange), path(exchange), query(exchange)),
    "body": body,
}
