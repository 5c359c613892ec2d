"""JSON Web Tokens: written, read, and all the ways of not being believed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoopsnake.web import WebError
from hoopsnake.web.security import jwt

KEY = "k" * 32
NOW = 1_800_000_000


def forged(header: dict[str, Any], claims: dict[str, Any], key: bytes = KEY.encode()) -> str:
    """Write a token by hand."""

    def text(content: bytes) -> str:
        return base64.urlsafe_b64encode(content).rstrip(b"=").decode()

    signed = ".".join(text(json.dumps(each).encode()) for each in (header, claims))
    return f"{signed}.{text(hmac.digest(key, signed.encode(), hashlib.sha256))}"


def reason(token: str, key: Any = KEY, **options: Any) -> str:
    with pytest.raises(jwt.InvalidToken) as caught:
        jwt.decode(token, key, **{"now": NOW, **options})
    return caught.value.reason


def test_the_token_of_the_standard_is_read() -> None:
    # RFC 7515, appendix A.1.
    key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
    token = (
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
        ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
        "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    )
    secret = base64.urlsafe_b64decode(key + "==")
    claims = jwt.decode(token, secret, now=1_300_000_000)
    assert claims == {"iss": "joe", "exp": 1300819380, "http://example.com/is_root": True}
    assert reason(token, secret) == "expired"


@given(
    claims=st.dictionaries(
        st.text(max_size=5).filter(lambda name: name not in ("exp", "nbf", "aud")),
        st.integers() | st.text(max_size=9) | st.booleans() | st.none(),
    ),
    algorithm=st.sampled_from(["HS256", "HS384", "HS512"]),
)
def test_what_was_written_is_read(claims: dict[str, Any], algorithm: str) -> None:
    key = "s" * 64
    assert jwt.decode(jwt.encode(claims, key, algorithm), key, [algorithm]) == claims


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda b: b.hex()))
def test_no_text_is_believed_or_raises_anything_else(text: str) -> None:
    for token in (text, f"{text}.{text}.{text}", f"e30.{text}.", f"eyJhbGciOiJIUzI1NiJ9.{text}.AA"):
        with pytest.raises(jwt.InvalidToken):
            jwt.decode(token, KEY)


def test_the_clock_has_its_say() -> None:
    token = jwt.encode({"exp": NOW + 10, "nbf": NOW - 10}, KEY)
    assert jwt.decode(token, KEY, now=NOW)["exp"] == NOW + 10
    assert reason(token, now=NOW + 10) == "expired"
    assert reason(token, now=NOW - 11) == "immature"
    assert jwt.decode(token, KEY, now=NOW + 12, leeway=5)
    assert jwt.decode(token, KEY, now=NOW - 12, leeway=5)
    for moment in ("soon", True, None, float("nan"), float("inf")):
        assert reason(jwt.encode({"exp": moment}, KEY)) == "malformed"


def test_audience_and_issuer_have_to_fit() -> None:
    token = jwt.encode({"aud": ["shop", "bank"], "iss": "us"}, KEY)
    assert jwt.decode(token, KEY, audience="bank", issuer="us")
    assert jwt.decode(token, KEY, audience=["a", "shop"])
    assert reason(token, audience="club") == "audience"
    assert reason(token) == "audience"
    assert reason(token, audience="bank", issuer="them") == "issuer"
    assert reason(jwt.encode({}, KEY), audience="bank") == "audience"
    assert reason(jwt.encode({}, KEY), issuer="us") == "issuer"
    assert reason(jwt.encode({}, KEY), require=["sub"]) == "claim"


def test_the_algorithm_is_the_readers_to_say() -> None:
    assert reason(forged({"alg": "none"}, {})) == "algorithm"
    assert reason(forged({"alg": "HS512"}, {})) == "algorithm"
    assert reason(forged({"alg": ["HS256"]}, {})) == "algorithm"
    assert reason(forged({}, {})) == "algorithm"
    assert reason(forged({"alg": "HS256", "crit": ["b64"], "b64": False}, {})) == "malformed"
    assert jwt.decode(forged({"alg": "HS256"}, {"a": 1}), KEY) == {"a": 1}


def test_a_signature_of_another_key_is_none_and_keys_can_be_changed() -> None:
    old, new = "o" * 32, "n" * 32
    token = jwt.encode({"sub": "ada"}, old)
    assert reason(token, new) == "signature"
    assert jwt.decode(token, [new, old]) == {"sub": "ada"}
    head, body, signature = token.split(".")
    assert reason(f"{head}.{body}.", old) == "signature"
    # The last character has bits to spare: other spellings of one signature are no tokens.
    other = signature[:-1] + chr(ord(signature[-1]) + 1)
    assert reason(f"{head}.{body}.{other}", old) in ("malformed", "signature")
    assert reason(f"{token}=", old) == "malformed"
    assert reason("a" * 20_000) == "malformed"


def test_a_secret_that_is_none_is_refused() -> None:
    with pytest.raises(WebError, match="has 3 bytes and needs 32"):
        jwt.encode({}, "abc")
    with pytest.raises(WebError, match="a key of another algorithm"):
        jwt.encode({}, "-----BEGIN PUBLIC KEY-----" + "x" * 32)
    with pytest.raises(WebError, match="'HS1'"):
        jwt.encode({}, KEY, "HS1")


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_pairs_of_keys(algorithm: str) -> None:
    pytest.importorskip("cryptography")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    pairs: Any = [
        rsa.generate_private_key(65537, 2048)
        if algorithm == "RS256"
        else ec.generate_private_key(ec.SECP256R1())
        for _ in range(2)
    ]
    private, other = pairs
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    token = jwt.encode({"sub": "ada"}, private, algorithm)
    assert jwt.decode(token, public, [algorithm]) == {"sub": "ada"}
    assert reason(token, other.public_key(), algorithms=[algorithm]) == "signature"
    # What signs with the public key as a secret is not believed, and is no fault of ours.
    both = ["HS256", algorithm]
    confused = forged({"alg": "HS256"}, {}, public)
    assert reason(confused, public, algorithms=both) == "signature"
    with pytest.raises(WebError):
        jwt.decode(confused, public, ["HS256"])
    # Keys of both kinds, while one takes the place of the other: each is for its own algorithm.
    for keys in ([KEY, public], [public, KEY]):
        assert jwt.decode(token, keys, both) == {"sub": "ada"}
        assert jwt.decode(jwt.encode({"sub": "ida"}, KEY), keys, both) == {"sub": "ida"}
        assert reason(jwt.encode({}, "z" * 32), keys, algorithms=both) == "signature"
    wrong: Any = ec.generate_private_key(ec.SECP384R1())
    with pytest.raises(WebError, match=algorithm):
        jwt.encode({}, wrong, algorithm)


def test_what_is_no_ascii_is_malformed() -> None:
    header = jwt.encode({}, KEY).partition(".")[0]
    assert reason(f"{header}.\ud800.aa") == "malformed"


def test_a_public_key_in_der_is_no_secret_and_random_bytes_are() -> None:
    inside = b"\x30\x05" + bytes(5)
    for key in (bytes([0x30, len(inside)]) + inside, b"\x30\x82\x01\x02\x30" + bytes(257)):
        with pytest.raises(WebError):
            jwt.encode({}, key)
    for secret in (b"\x30" + bytes(31), b"0\x1e" + bytes(30), b"0" * 32):
        assert jwt.decode(jwt.encode({"a": 1}, secret), secret) == {"a": 1}


def test_a_moment_beyond_all_clocks_is_malformed() -> None:
    token = jwt.encode({"exp": 10**400}, "s" * 32)
    with pytest.raises(jwt.InvalidToken, match="no moment"):
        jwt.decode(token, "s" * 32)
