"""A self-signed certificate for localhost, from the openssl command where there is one."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# No CA: a client that trusts the certificate itself refuses one that could sign others.
REQUEST = (
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost "
    "-addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE"
)
OPENSSL_SECONDS = 30


@dataclass(frozen=True)
class Certificate:
    """Where a certificate and its key lie."""

    chain: Path
    key: Path

    def of_server(self) -> ssl.SSLContext:
        """Python's own TLS, for a server of the loop's."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        return context

    def of_client(self) -> ssl.SSLContext:
        """The same for who connects to it."""
        return ssl.create_default_context(cafile=str(self.chain))


@contextmanager
def certificate() -> Iterator[Certificate | None]:
    """Make one, and take it away at the end; None without openssl."""
    openssl = shutil.which("openssl")
    if openssl is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
        made = Certificate(Path(folder, "chain.pem"), Path(folder, "key.pem"))
        subprocess.run(
            [openssl, *REQUEST.split(), "-keyout", str(made.key), "-out", str(made.chain)],
            check=True,
            capture_output=True,
            timeout=OPENSSL_SECONDS,
        )
        yield made
