"""A self-signed certificate for localhost, made by the openssl command."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

REQUEST = (
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
    "-subj /CN=localhost -addext subjectAltName=DNS:localhost"
)
LONGEST_SECONDS = 30


def make_certificate(folder: Path) -> tuple[str, str]:
    """Make the certificate and its key in a folder; return their paths, or skip without openssl."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the openssl command is missing: it makes the certificate")
    chain, key = str(folder / "chain.pem"), str(folder / "key.pem")
    subprocess.run(
        [openssl, *REQUEST.split(), "-keyout", key, "-out", chain],
        check=True,
        capture_output=True,
        timeout=LONGEST_SECONDS,
    )
    return chain, key
