"""JSON Web Tokens (RFC 7519), signed: written, and read by somebody who trusts nothing in them.

HS256, HS384 and HS512 need nothing; RS256 and ES256 need `cryptography`. The algorithm is the
reader's to say, never the token's (RFC 8725 section 3.1); `none` is not there.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hoopsnake.web._errors import WebError

__all__ = ["InvalidToken", "decode", "encode"]

_HASHES = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}
_ASYMMETRIC = ("RS256", "ES256")

# Longer ones are refused unread: no cookie or header of a sensible application is.
_MOST_CHARACTERS = 16_384


class InvalidToken(Exception):
    """A token is not to be believed; its text says why, and is for logs.

    `reason` is one word: malformed, algorithm, signature, expired, immature, audience, issuer,
    claim.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def encode(
    claims: Mapping[str, Any],
    key: str | bytes | Any,
    algorithm: str = "HS256",
    headers: Mapping[str, Any] | None = None,
) -> str:
    """Write a token of these claims.

    `key` is a secret, as long as the hash at least (RFC 7518 section 3.2: 32 bytes for HS256); for
    RS256 and ES256 it is a private key of `cryptography`, or its PEM. `headers` are added to the
    header, such as a `kid`. Raises WebError for a key that is too short, or of the wrong kind.
    """
    header = {**(headers or {}), "alg": algorithm, "typ": "JWT"}
    signed = f"{_packed(header)}.{_packed(dict(claims))}"
    return f"{signed}.{_to_text(_sign(signed.encode(), key, algorithm))}"


def decode(
    token: str,
    key: str | bytes | Any | Sequence[Any],
    algorithms: Iterable[str] = ("HS256",),
    *,
    audience: str | Iterable[str] | None = None,
    issuer: str | None = None,
    leeway: float = 0,
    require: Iterable[str] = (),
    now: float | None = None,
) -> dict[str, Any]:
    """Read a token's claims; raises InvalidToken for one that is not to be believed.

    `key` may be several, in a list: the first that fits counts, so that keys can be changed. `exp`
    and `nbf` are held against the clock (`now`, in seconds since 1970), with `leeway` seconds to
    either side. With `audience` the token has to be for one of these, and one that names an
    audience is refused without; with `issuer` it has to be from it. `require` are claims that have
    to be there.
    """
    keys = list(key) if isinstance(key, list | tuple) else [key]
    claims = _verified(token, keys, list(algorithms))
    moment = time.time() if now is None else now
    expires, begins = _moment(claims, "exp"), _moment(claims, "nbf")
    if expires is not None and moment >= expires + leeway:
        raise InvalidToken("expired", f"the token expired {moment - expires:.0f} s ago")
    if begins is not None and moment < begins - leeway:
        raise InvalidToken("immature", f"the token is valid in {begins - moment:.0f} s")
    _check_audience(claims.get("aud"), [audience] if isinstance(audience, str) else audience)
    if issuer is not None and claims.get("iss") != issuer:
        raise InvalidToken("issuer", f"the token is from {claims.get('iss')!r}, not {issuer!r}")
    for name in require:
        if name not in claims:
            raise InvalidToken("claim", f"the token has no {name!r}")
    return claims


def _verified(token: str, keys: list[Any], algorithms: list[str]) -> dict[str, Any]:
    if len(token) > _MOST_CHARACTERS:
        raise InvalidToken("malformed", f"the token has {len(token)} characters")
    parts = token.split(".")
    if len(parts) != 3:
        raise InvalidToken("malformed", "a token has three parts, with dots between")
    header = _unpacked(parts[0])
    algorithm = header.get("alg")
    if algorithm not in algorithms:
        raise InvalidToken("algorithm", f"the token is signed with {algorithm!r}")
    # Which of several algorithms it is says the client: a key for another one is none of its.
    fitting = keys if len(algorithms) == 1 else [key for key in keys if _is_for(key, algorithm)]
    if "crit" in header:
        # RFC 7515 section 4.1.11: extensions that have to be understood, and are not.
        raise InvalidToken("malformed", "the token wants extensions that are not known here")
    if not token.isascii():
        raise InvalidToken("malformed", "the token holds something else than base64url")
    signed, signature = ".".join(parts[:2]).encode(), _from_text(parts[2])
    if not any(_is_signature(signed, signature, key, algorithm) for key in fitting):
        raise InvalidToken("signature", "the token's signature does not fit")
    return _unpacked(parts[1])


def _check_audience(given: Any, wanted: Iterable[str] | None) -> None:
    audiences = [given] if isinstance(given, str) else given
    if wanted is None:
        if audiences:
            # RFC 7519 section 4.1.3: who does not find itself there has to refuse it.
            raise InvalidToken("audience", f"the token is for {given!r}, and no audience was named")
        return
    if not isinstance(audiences, list) or not set(wanted) & {str(each) for each in audiences}:
        raise InvalidToken("audience", f"the token is for {given!r}")


def _moment(claims: dict[str, Any], name: str) -> float | None:
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 2**53:
        raise InvalidToken("malformed", f"the token's {name!r} is no moment: {value!r}")
    return value


# What is between the dots.


def _packed(content: dict[str, Any]) -> str:
    return _to_text(json.dumps(content, separators=(",", ":")).encode())


def _unpacked(text: str) -> dict[str, Any]:
    try:
        content = json.loads(_from_text(text))
    except (ValueError, RecursionError):
        raise InvalidToken("malformed", "the token holds no JSON") from None
    if not isinstance(content, dict):
        raise InvalidToken("malformed", "the token holds no object")
    return content


def _to_text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _from_text(text: str) -> bytes:
    try:
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise InvalidToken("malformed", "the token holds something else than base64url") from None
    if _to_text(content) != text:
        # One token has one spelling: who keeps a list of those revoked relies on it.
        raise InvalidToken("malformed", "the token is not spelled as it is written")
    return content


# Signatures.


def _sign(content: bytes, key: Any, algorithm: str) -> bytes:
    if algorithm in _HASHES:
        return hmac.digest(_secret(key, algorithm), content, _HASHES[algorithm])
    if algorithm in _ASYMMETRIC:
        from hoopsnake.web.security._asymmetric import sign

        return sign(content, key, algorithm)
    raise WebError(f"tokens are signed with {', '.join((*_HASHES, *_ASYMMETRIC))}: {algorithm!r}")


def _is_for(key: Any, algorithm: str) -> bool:
    """Whether a key is a secret where a secret is wanted, and none where none is."""
    return _is_secret(key) is (algorithm in _HASHES)


def _is_secret(key: Any) -> bool:
    if not isinstance(key, str | bytes):
        return False
    start = key.lstrip()[:16]
    start = start.encode() if isinstance(start, str) else start
    if start.startswith((b"-----BEGIN", b"ssh-")):
        return False
    return isinstance(key, str) or not _is_public_key_in_der(key)


def _is_public_key_in_der(key: bytes) -> bool:
    """Whether it is a SubjectPublicKeyInfo (RFC 5280 section 4.1): a sequence in a sequence."""
    if key[:1] != b"\x30" or len(key) < 4:
        return False
    long = {0x81: 1, 0x82: 2}.get(key[1], 0)
    length = int.from_bytes(key[2 : 2 + long]) if long else key[1]
    return length == len(key) - 2 - long and key[2 + long : 3 + long] == b"\x30"


def _is_signature(content: bytes, signature: bytes, key: Any, algorithm: str) -> bool:
    if algorithm in _ASYMMETRIC:
        from hoopsnake.web.security._asymmetric import is_signature

        return is_signature(content, signature, key, algorithm)
    return hmac.compare_digest(_sign(content, key, algorithm), signature)


def _secret(key: Any, algorithm: str) -> bytes:
    if not isinstance(key, str | bytes):
        raise WebError(f"{algorithm} signs with a secret, not with a {type(key).__name__}")
    secret = key.encode() if isinstance(key, str) else key
    if not _is_secret(secret):
        # A public key is known to all: who takes it for a secret lets anybody sign.
        raise WebError(f"{algorithm} signs with a secret, and this is a key of another algorithm")
    if len(secret) < _HASHES[algorithm]().digest_size:
        raise WebError(
            f"the secret for {algorithm} has {len(secret)} bytes and needs "
            f"{_HASHES[algorithm]().digest_size} (RFC 7518 section 3.2): secrets.token_hex(32)"
        )
    return secret
