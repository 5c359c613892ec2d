"""One end of an HTTP/2 connection that sends what it is told, and says what came of it."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from typing import NamedTuple, Self

import hpack

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE = range(9)
CONTINUATION = 9
NAMES = (
    *("DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS"),
    *("PUSH_PROMISE", "PING", "GOAWAY", "WINDOW_UPDATE", "CONTINUATION"),
)

END_STREAM, ACK, END_HEADERS, PADDED, PRIORITIZED = 0x1, 0x1, 0x4, 0x8, 0x20

# RFC 9113 section 7.
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR = range(4)
STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR = 5, 6, 7, 8, 9
ENHANCE_YOUR_CALM = 11

# RFC 9113 section 6.5.2.
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = range(
    1, 6
)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
PATIENCE_SECONDS = 10.0


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """The bytes of a frame (RFC 9113 section 4.1)."""
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def settings(*pairs: tuple[int, int]) -> bytes:
    return frame(SETTINGS, payload=b"".join(struct.pack("!HI", *pair) for pair in pairs))


def window_update(stream: int, increment: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, struct.pack("!I", increment))


def reset(stream: int, code: int = CANCEL) -> bytes:
    return frame(RST_STREAM, 0, stream, struct.pack("!I", code))


def block(*fields: tuple[str, str]) -> bytes:
    """A block of fields; it leaves nothing in the table that a later one would need."""
    sensitive = [hpack.NeverIndexedHeaderTuple(name, value) for name, value in fields]
    return hpack.Encoder().encode(sensitive, huffman=False)


def request_fields(
    *more: tuple[str, str], method: str = "GET", path: str = "/"
) -> list[tuple[str, str]]:
    return [
        (":method", method),
        (":scheme", "http"),
        (":path", path),
        (":authority", "test"),
        *more,
    ]


def request(
    stream: int, *more: tuple[str, str], end: bool = True, method: str = "", path: str = "/"
) -> bytes:
    """The one frame of a request; it is a POST where its body is still to come."""
    fields = request_fields(*more, method=method or ("GET" if end else "POST"), path=path)
    return headers(stream, block(*fields), end=end)


def headers(stream: int, fields: bytes, *, end: bool = True) -> bytes:
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, fields)


class Frame(NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: bytes
    # Of HEADERS.
    fields: dict[str, str]

    @property
    def code(self) -> int | None:
        """The error code of a RST_STREAM or a GOAWAY."""
        at = {RST_STREAM: 0, GOAWAY: 4}.get(self.kind)
        return None if at is None else int.from_bytes(self.payload[at : at + 4])

    def __str__(self) -> str:
        name = NAMES[self.kind] if self.kind < len(NAMES) else str(self.kind)
        return f"{name} {self.flags:#x} on {self.stream}: {self.payload[:40]!r}"


class Broken(AssertionError):
    """The server did something else."""


@dataclass
class Peer:
    """A connection whose preface and settings were exchanged, unless that is what is tried."""

    sock: socket.socket

    def __post_init__(self) -> None:
        self.unread = b""
        self.seen: list[Frame] = []
        self.decoder = hpack.Decoder()

    @classmethod
    def connect(cls, port: int) -> Self:
        sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(sock)

    def begin(self, *pairs: tuple[int, int]) -> Self:
        """Exchange settings."""
        self.send(PREFACE + settings(*pairs))
        self.until(lambda it: it.kind == SETTINGS and it.flags & ACK, "an acknowledgement")
        self.send(frame(SETTINGS, ACK))
        return self

    def close(self) -> None:
        self.sock.close()

    def send(self, *frames: bytes) -> None:
        self.sock.sendall(b"".join(frames))

    def next(self) -> Frame | None:
        """Read a frame; None at the connection's end."""
        while len(self.unread) < 9 or len(self.unread) < 9 + int.from_bytes(self.unread[:3], "big"):
            try:
                more = self.sock.recv(65536)
            except ConnectionResetError:
                more = b""
            except TimeoutError:
                raise Broken(f"nothing more came; there was {self.story}") from None
            if not more:
                return None
            self.unread += more
        length = int.from_bytes(self.unread[:3], "big")
        kind, flags, stream = struct.unpack("!BBI", self.unread[3:9])
        payload = self.unread[9 : 9 + length]
        # All of them in order, as the table of their encoder wants it.
        fields = dict(self.decoder.decode(payload)) if kind == HEADERS else {}
        found = Frame(kind, flags, stream & 0x7FFFFFFF, payload, fields)
        self.unread = self.unread[9 + length :]
        self.seen.append(found)
        return found

    @property
    def story(self) -> str:
        return "; ".join(map(str, self.seen)) or "nothing"

    def until(self, wanted, what: str) -> Frame:  # type: ignore[no-untyped-def]
        """Read up to a frame like this."""
        while (found := self.next()) is not None:
            if wanted(found):
                return found
            if found.kind == GOAWAY:
                raise Broken(f"{found} instead of {what}")
        raise Broken(f"the connection ended without {what}; there was {self.story}")

    # What a case expects.

    def lives(self) -> None:
        """The connection goes on: a ping is answered."""
        self.send(frame(PING, 0, 0, b"liveness"))
        self.until(
            lambda it: it.kind == PING and it.flags & ACK and it.payload == b"liveness", "a pong"
        )

    def connection_error(self, *codes: int) -> None:
        """A GOAWAY with one of these codes, and then the end of the connection."""
        goaway = None
        while (found := self.next()) is not None:
            goaway = found if found.kind == GOAWAY else goaway
        if goaway is None:
            raise Broken(f"the connection ended without a GOAWAY; there was {self.story}")
        if goaway.code not in codes:
            raise Broken(f"GOAWAY with {goaway.code} instead of {codes}: {goaway.payload[8:]!r}")

    def stream_error(self, stream: int, *codes: int) -> None:
        """A RST_STREAM with one of these codes, and nothing else for the connection."""
        found = self.until(
            lambda it: it.kind == RST_STREAM and it.stream == stream, f"a reset of {stream}"
        )
        if found.code not in codes:
            raise Broken(f"RST_STREAM with {found.code} instead of {codes}")
        self.lives()

    def malformed(self, stream: int) -> None:
        """RFC 9113 section 8.1.1: a stream error PROTOCOL_ERROR, or a response that says so."""
        found = self.until(
            lambda it: it.stream == stream and it.kind in (RST_STREAM, HEADERS), "a refusal"
        )
        if found.kind == HEADERS:
            if found.fields[":status"] != "400":
                raise Broken(f"answered with {found.fields}")
        elif found.code != PROTOCOL_ERROR:
            raise Broken(f"{found} instead of PROTOCOL_ERROR")
        self.lives()

    def answered(self, stream: int, status: str = "200", body: bytes | None = None) -> None:
        """A whole response."""
        received, head = b"", False
        while True:
            found = self.until(lambda it: it.stream == stream, f"a response on {stream}")
            if found.kind == RST_STREAM:
                raise Broken(f"{found} instead of a response")
            if found.kind == HEADERS and not head:
                head = True
                if found.fields[":status"] != status:
                    raise Broken(f"answered with {found.fields}")
            if found.kind == DATA:
                received += found.payload
            if found.flags & END_STREAM:
                break
        if body is not None and received != body:
            raise Broken(f"the body is {received[:100]!r}")

    def until_closed(self) -> None:
        """Read to the connection's end."""
        while self.next() is not None:
            pass
