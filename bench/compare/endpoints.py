"""Where an echo program listens: a TCP port, the same with TLS, a UDP port, or a Unix socket."""

import shutil
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.compare.faults import NotMeasured

Kind = Literal["tcp", "tls", "udp", "unix"]
CONNECT_SECONDS = 5.0
OPENSSL_SECONDS = 30
# No CA: a client that trusts the certificate itself refuses one that could sign others.
REQUEST = (
    "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost "
    "-addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE"
)


@dataclass(frozen=True)
class Endpoint:
    """An address on this machine, and how it is spoken to."""

    port: int = 0
    path: Path | None = None
    """Of a Unix socket; there is no port then."""
    certificate: Path | None = None
    """The folder with chain.pem and key.pem; None without TLS."""
    udp: bool = False

    def arguments(self) -> Sequence[str]:
        """What the echo servers and plain-hyper call it on their command lines."""
        if self.path is not None:
            return ["--unix", str(self.path)]
        tls = [] if self.certificate is None else ["--tls", str(self.certificate)]
        return ["--port", str(self.port), *tls, *(["--udp"] if self.udp else [])]

    def connect(self) -> socket.socket:
        """Connect, without the handshake of TLS; OSError where nobody listens.

        Over UDP nobody can be told from somebody but by an echo, so there is one.
        """
        if self.udp:
            return self._connect_by_echo()
        if self.path is None:
            return socket.create_connection(("127.0.0.1", self.port), timeout=CONNECT_SECONDS)
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.settimeout(CONNECT_SECONDS)
            connection.connect(str(self.path))
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect_by_echo(self) -> socket.socket:
        client = socket.socket(type=socket.SOCK_DGRAM)
        try:
            client.settimeout(CONNECT_SECONDS)
            client.connect(("127.0.0.1", self.port))
            client.send(b"?")
            client.recv(1)
        except BaseException:
            client.close()
            raise
        return client

    def connect_to_talk(self) -> socket.socket:
        """Connect as a client that sends bytes does; OSError if that fails."""
        connection = self.connect()
        if self.certificate is None:
            return connection
        try:
            context = ssl.create_default_context(cafile=self.certificate / "chain.pem")
            return context.wrap_socket(connection, server_hostname="localhost")
        except BaseException:
            connection.close()
            raise


@contextmanager
def endpoint(kind: Kind, port: int) -> Iterator[Endpoint]:
    """Make an endpoint of this kind; its files go afterwards."""
    # The path of a Unix socket is short, and nobody else has this folder.
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        match kind:
            case "unix":
                yield Endpoint(path=Path(folder, "echo"))
            case "tls":
                make_certificate(Path(folder))
                yield Endpoint(port=port, certificate=Path(folder))
            case "udp":
                yield Endpoint(port=port, udp=True)
            case "tcp":
                yield Endpoint(port=port)


def make_certificate(folder: Path) -> None:
    """Write a new certificate for localhost and its key; NotMeasured without openssl."""
    openssl = shutil.which("openssl")
    if openssl is None:
        raise NotMeasured("the openssl command is missing: it makes the certificate")
    try:
        subprocess.run(
            [
                *(openssl, *REQUEST.split()),
                *("-keyout", str(folder / "key.pem"), "-out", str(folder / "chain.pem")),
            ],
            check=True,
            capture_output=True,
            timeout=OPENSSL_SECONDS,
        )
    except subprocess.SubprocessError as fault:
        raise NotMeasured(f"openssl made no certificate: {fault}") from fault
