"""RS256 and ES256 for tokens (RFC 7518 sections 3.3 and 3.4), by way of `cryptography`."""

from __future__ import annotations

from typing import Any

from hoopsnake.web._errors import WebError

__all__ = ["is_signature", "sign"]

# The halves of a signature on P-256.
_HALF = 32


def sign(content: bytes, key: Any, algorithm: str) -> bytes:
    """Sign with a private key, or its PEM."""
    primitives = _primitives()
    if isinstance(key, str | bytes):
        pem = key.encode() if isinstance(key, str) else key
        key = primitives.serialization.load_pem_private_key(pem, None)
    hashed = primitives.hashes.SHA256()
    if algorithm == "RS256":
        _want(key, primitives.rsa.RSAPrivateKey, algorithm)
        signature: bytes = key.sign(content, primitives.padding.PKCS1v15(), hashed)
        return signature
    _want(key, primitives.ec.EllipticCurvePrivateKey, algorithm)
    _want(key.curve, primitives.ec.SECP256R1, algorithm)
    r, s = primitives.utils.decode_dss_signature(key.sign(content, primitives.ec.ECDSA(hashed)))
    return bytes(r.to_bytes(_HALF) + s.to_bytes(_HALF))


def is_signature(content: bytes, signature: bytes, key: Any, algorithm: str) -> bool:
    """Tell whether the owner of a public key, or of its PEM, has signed."""
    from cryptography.exceptions import InvalidSignature

    primitives = _primitives()
    if isinstance(key, str | bytes):
        pem = key.encode() if isinstance(key, str) else key
        key = primitives.serialization.load_pem_public_key(pem)
    hashed = primitives.hashes.SHA256()
    try:
        if algorithm == "RS256":
            _want(key, primitives.rsa.RSAPublicKey, algorithm)
            key.verify(signature, content, primitives.padding.PKCS1v15(), hashed)
            return True
        _want(key, primitives.ec.EllipticCurvePublicKey, algorithm)
        _want(key.curve, primitives.ec.SECP256R1, algorithm)
        if len(signature) != 2 * _HALF:
            return False
        halves = (int.from_bytes(signature[:_HALF]), int.from_bytes(signature[_HALF:]))
        encoded = primitives.utils.encode_dss_signature(*halves)
        key.verify(encoded, content, primitives.ec.ECDSA(hashed))
    except InvalidSignature:
        return False
    return True


def _want(key: Any, kind: type[Any], algorithm: str) -> None:
    if not isinstance(key, kind):
        raise WebError(f"{algorithm} does not work with a {type(key).__name__}")


class _Primitives:
    def __init__(self) -> None:
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

        self.hashes: Any = hashes
        self.serialization: Any = serialization
        self.ec: Any = ec
        self.padding: Any = padding
        self.rsa: Any = rsa
        self.utils: Any = utils


def _primitives() -> _Primitives:
    try:
        return _Primitives()
    except ImportError:
        raise WebError(
            "RS256 and ES256 are made by cryptography, which is not installed: "
            "pip install cryptography"
        ) from None
