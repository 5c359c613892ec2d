"""A bare WebSocket client that can break every rule: RFC 6455 frame by frame."""

from __future__ import annotations

import base64
import hashlib
import os
import struct
from typing import NamedTuple

from wire import Answer, Wire, request

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Frame(NamedTuple):
    opcode: int
    payload: bytes
    final: bool = True

    @property
    def close(self) -> tuple[int | None, str]:
        """Code and reason of a close frame."""
        assert self.opcode == CLOSE, self
        if not self.payload:
            return None, ""
        return struct.unpack("!H", self.payload[:2])[0], self.payload[2:].decode()


def frame(
    opcode: int, payload: bytes = b"", *, final: bool = True, masked: bool = True, reserved: int = 0
) -> bytes:
    """The bytes of a frame of the client's."""
    length = len(payload)
    mark = 0x80 if masked else 0
    head = bytes([(0x80 if final else 0) | reserved << 4 | opcode])
    if length < 126:
        head += bytes([mark | length])
    elif length < 65536:
        head += struct.pack("!BH", mark | 126, length)
    else:
        head += struct.pack("!BQ", mark | 127, length)
    if not masked:
        return head + payload
    key = os.urandom(4)
    stream = (key * (length // 4 + 1))[:length]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(stream, "big")
    return head + key + mixed.to_bytes(length, "big")


def close(code: int, reason: str = "") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason.encode())


def handshake(path: str = "/", *headers: str, key: bytes = b"0123456789abcdef") -> bytes:
    """The bytes of an opening handshake; given headers take the place of its own."""
    own = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(key).decode(),
    }
    given = {each.partition(":")[0].lower() for each in headers}
    lines = [f"{name}: {value}" for name, value in own.items() if name.lower() not in given]
    return request(f"GET {path} HTTP/1.1", *lines, *(each for each in headers if each[-1] != ":"))


def accept_of(key: bytes = b"0123456789abcdef") -> str:
    """The Sec-WebSocket-Accept that answers a key (RFC 6455 section 4.2.2)."""
    text = base64.b64encode(key) + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    return base64.b64encode(hashlib.sha1(text).digest()).decode()


async def opened(wire: Wire, path: str = "/", *headers: str) -> Answer:
    """Open a WebSocket on a connection."""
    await wire.send(handshake(path, *headers))
    answer = await wire.head()
    assert answer.status == 101, answer
    return answer


async def next_frame(wire: Wire) -> Frame:
    """Read a frame of the server's."""
    first, second = await wire.reader.readexactly(2)
    assert not second & 0x80, "a server does not mask"
    assert not first & 0x70, "no extension was agreed on"
    length = second & 0x7F
    if length == 126:
        (length,) = struct.unpack("!H", await wire.reader.readexactly(2))
    elif length == 127:
        (length,) = struct.unpack("!Q", await wire.reader.readexactly(8))
    payload = await wire.reader.readexactly(length)
    return Frame(first & 0x0F, payload, bool(first & 0x80))
