"""Bodies as a HAR file has them: text where they are text, else base64."""

from __future__ import annotations

import base64
import binascii
from email.message import Message
from typing import Any


def charset_of(kind: str) -> str:
    """Tell the charset that a content type names; UTF-8 if it names none."""
    message = Message()
    message["content-type"] = kind
    return message.get_content_charset() or "utf-8"


def written(body: bytes, kind: str) -> tuple[str, bool]:
    """Write a body; whether as base64. Text is what comes back as the same bytes."""
    try:
        text = body.decode(charset_of(kind))
        if text.encode(charset_of(kind)) == body:
            return text, False
    except (LookupError, UnicodeError):
        pass
    return base64.b64encode(body).decode(), True


def read(text: str, kind: str, encoding: Any) -> bytes:
    """Read a body. Raises ValueError for base64 that is none."""
    if encoding == "base64":
        try:
            return base64.b64decode(text, validate=True)
        except binascii.Error as error:
            raise ValueError(f"a body is not the base64 that it says it is: {error}") from None
    try:
        return text.encode(charset_of(kind))
    except (LookupError, UnicodeError):
        return text.encode(errors="surrogatepass")
