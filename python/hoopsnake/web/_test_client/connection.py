"""One connection to the server under test: HTTP/1.1 as a client speaks it (RFC 9112)."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from hoopsnake._errors import ServerError

__all__ = ["Connection", "Head"]

_PIECE = 65_536
# What leaves a response without a body, whatever its head says (RFC 9112 section 6.3).
_WITHOUT_BODY = (204, 304)


class Head(NamedTuple):
    """The head of a response."""

    status: int
    reason: str
    headers: list[tuple[bytes, bytes]]

    def field(self, name: bytes) -> bytes | None:
        """Return the first value of a header."""
        return next((value for known, value in self.headers if known == name), None)


class Connection:
    """Sends requests and reads responses, one after the other; blocks, `timeout` seconds at most.

    Raises ServerError where the response is none, or breaks off; TimeoutError where none comes.
    """

    def __init__(self, port: int, timeout: float | None) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self._socket.getsockname()[1]
        """The client's own, by which the server's side of it is known."""
        self.reader = self._socket.makefile("rb")
        self.is_reusable = False
        """Whether another request may follow the one that was read."""

    @property
    def is_stale(self) -> bool:
        """Whether the server has closed it, or has said what nobody asked for."""
        return bool(select.select([self._socket], [], [], 0)[0])

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self._socket.sendall(data)

    def ask(self, head: bytes, body: bytes | Iterable[bytes]) -> None:
        """Send a request. A server that has had enough of it before its end has its reasons."""
        try:
            if isinstance(body, bytes):
                self._socket.sendall(head + body)
                return
            self._socket.sendall(head)
            for piece in body:
                if piece:
                    self._socket.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
            self._socket.sendall(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            # It has answered already: what it says is to be read.
            return

    def read_head(self) -> Head:
        """Read the head of the next response that is final."""
        while True:
            head = self._read_any_head()
            if head.status >= 200 or head.status == 101:
                return head

    def _read_any_head(self) -> Head:
        try:
            line = self.reader.readline()
            version, _, rest = line.partition(b" ")
            status, _, reason = rest.strip().partition(b" ")
            if not (version.startswith(b"HTTP/1.") and status.isdigit()):
                raise ServerError(
                    "the connection was closed without a response"
                    if not line
                    else f"{line!r} is no response"
                )
            headers = []
            while (field := self.reader.readline().rstrip(b"\r\n")) != b"":
                name, _, value = field.partition(b":")
                headers.append((name.lower(), value.strip()))
        except ConnectionResetError as error:
            raise ServerError("the connection was reset without a response") from error
        return Head(int(status), reason.decode("latin-1"), headers)

    def body(self, head: Head, method: str) -> Iterator[bytes]:
        """Read the body of a response piece by piece; then the connection may be reusable."""
        length = head.field(b"content-length")
        if method == "HEAD" or head.status in _WITHOUT_BODY:
            length = b"0"
        elif head.field(b"transfer-encoding") == b"chunked":
            length = None
            yield from self._chunks()
        elif length is None:
            while piece := self.reader.read1(_PIECE):
                yield piece
            return
        if length is not None:
            yield from self._exactly(int(length))
        self.is_reusable = head.field(b"connection") != b"close"

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._line().partition(b";")[0], 16):
            yield from self._exactly(size)
            self._line()
        while self._line():
            # Trailers, which nobody asked for.
            pass

    def _line(self) -> bytes:
        line = self.reader.readline()
        if not line.endswith(b"\n"):
            raise ServerError("the response broke off")
        return line.rstrip(b"\r\n")

    def _exactly(self, size: int) -> Iterator[bytes]:
        while size:
            piece = self.reader.read1(min(size, _PIECE))
            if not piece:
                raise ServerError("the response broke off")
            size -= len(piece)
            yield piece

    def wait_for_ever(self) -> float | None:
        """Have waits no end from now on; return when they would have ended."""
        timeout = self._socket.gettimeout()
        self._socket.settimeout(None)
        return timeout

    def close(self) -> None:
        """Close it, and have whoever waits for it in another thread stop waiting."""
        # It may be closed already, by either side.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self.reader.close()
        self._socket.close()
