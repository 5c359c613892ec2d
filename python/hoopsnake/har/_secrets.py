"""What is left out of a recording: who asks, and what only they may know."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from hoopsnake._native import Headers

REDACTED = "[redacted]"
SECRET_HEADERS = (
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-api-key",
    "api-key",
    "x-auth-token",
)
# Their values are URLs, which are written as that of the request is.
ADDRESS_HEADERS = ("location", "content-location", "referer")
FORM = "application/x-www-form-urlencoded"


def without_secrets(headers: Headers, names: Collection[str], params: Collection[str]) -> Headers:
    """Copy headers; those of these names keep their form, and nothing of their secret.

    URLs in them are without what these parameters say.
    """
    secret = {name.lower() for name in names}
    copied = Headers()
    for name, value in headers.multi_items():
        if name in secret:
            value = redacted(name, value)
        elif name in ADDRESS_HEADERS:
            value = address(value, params)
        copied.append(name, value)
    return copied


def redacted(name: str, value: str) -> str:
    """Keep a cookie's name and attributes, and the scheme of an authorization."""
    if name == "cookie":
        return "; ".join(
            re.sub(r"=.*", f"={REDACTED}", pair.strip(), flags=re.S) for pair in value.split(";")
        )
    if name == "set-cookie":
        return re.sub(r"^([^=;]*)=[^;]*", rf"\1={REDACTED}", value)
    if name in ("authorization", "proxy-authorization"):
        scheme, space, _ = value.partition(" ")
        return f"{scheme} {REDACTED}" if space else REDACTED
    return REDACTED


def address(url: str, params: Collection[str]) -> str:
    """Write a URL without user, password and fragment, and without what these parameters say."""
    try:
        parts = urlsplit(url)
    except ValueError:
        # Whoever cannot read it cannot tell what is secret in it.
        return REDACTED
    query = without_values(parts.query, params)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, ""))


def without_values(text: str, params: Collection[str]) -> str:
    """Write a query, or a form, without what these parameters say; as it is if it has none."""
    pairs = parse_qsl(text, keep_blank_values=True) if params else []
    if not any(name in params for name, _ in pairs):
        return text
    return urlencode([(name, REDACTED if name in params else value) for name, value in pairs])


def body_without(body: bytes, headers: Headers, params: Collection[str]) -> bytes:
    """Write a body that is a form without what these parameters say; others as they are."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM:
        return body
    text = body.decode("latin-1")
    redacted = without_values(text, params)
    return body if redacted == text else redacted.encode()


def text_without(text: str, urls: Iterable[str], params: Collection[str]) -> str:
    """Write the text of an error, which names its request in one of these forms."""
    for url in sorted(urls, key=len, reverse=True):
        text = text.replace(url, address(url, params))
    return text
