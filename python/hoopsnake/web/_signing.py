"""Values that a client keeps for us and cannot make itself: HMAC-SHA256 over a purpose and a time.

What is signed can be read by whoever has it; it is not encrypted.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

from hoopsnake.web._errors import WebError

__all__ = ["Signer"]

_LEAST_SECRET = 16
# 40 bits of seconds last for 34,000 years.
_TIME_BYTES = 5


class Signer:
    """Signs for one purpose. The first secret signs, all of them are believed.

    A secret is taken out of use by putting a new one before it, and removing it when what it has
    signed is too old anyway.
    """

    def __init__(self, secrets: str | Sequence[str], purpose: str) -> None:
        given = [secrets] if isinstance(secrets, str) else list(secrets)
        if not given or any(len(each.encode()) < _LEAST_SECRET for each in given):
            raise WebError(
                f"a secret to sign with has {_LEAST_SECRET} bytes at least: "
                "python -c 'import secrets; print(secrets.token_hex(32))'"
            )
        # One key for each purpose: what was signed for one is worth nothing for another.
        self._keys = [
            hmac.digest(each.encode(), b"hoopsnake." + purpose.encode(), hashlib.sha256)
            for each in given
        ]

    def sign(self, content: bytes, now: float) -> str:
        """Write content, time and signature, in characters that a cookie takes."""
        body = int(now).to_bytes(_TIME_BYTES) + content
        return f"{_to_text(body)}.{_to_text(self._signature(self._keys[0], body))}"

    def read(self, text: str) -> tuple[bytes, float] | None:
        """Return what was signed, and when (seconds since 1970); None for what was not."""
        packed, _, signature = text.partition(".")
        try:
            body, given = _from_text(packed), _from_text(signature)
        except ValueError:
            return None
        if len(body) < _TIME_BYTES:
            return None
        if not any(hmac.compare_digest(self._signature(key, body), given) for key in self._keys):
            return None
        return body[_TIME_BYTES:], float(int.from_bytes(body[:_TIME_BYTES]))

    @staticmethod
    def _signature(key: bytes, body: bytes) -> bytes:
        return hmac.digest(key, body, hashlib.sha256)


def _to_text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _from_text(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
