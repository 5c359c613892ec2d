"""Certificates for tests: an authority, and what it signs, as PEM files."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme


class Authority:
    """Signs certificates, and makes the contexts of clients that trust it."""

    def __init__(self) -> None:
        self._authority = trustme.CA(key_type=trustme.KeyType.ECDSA)

    def write(self, folder: Path, name: str = "server", common_name: str | None = None) -> Path:
        """Write `<name>.pem`, a chain with its key, and return its path."""
        path = folder / f"{name}.pem"
        path.write_bytes(self.issue(common_name).private_key_and_cert_chain_pem.bytes())
        return path

    def issue(self, common_name: str | None = None) -> trustme.LeafCert:
        return self._authority.issue_cert(
            "localhost", "127.0.0.1", common_name=common_name, key_type=trustme.KeyType.ECDSA
        )

    def write_own(self, folder: Path) -> Path:
        """Write the authority's own certificate."""
        path = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(str(path))
        return path

    def client(
        self, *protocols: str, certificate: trustme.LeafCert | None = None
    ) -> ssl.SSLContext:
        """The context of a client that trusts the authority, and may show a certificate."""
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
        self._authority.configure_trust(context)
        if protocols:
            context.set_alpn_protocols(protocols)
        if certificate is not None:
            certificate.configure_cert(context)
        return context
