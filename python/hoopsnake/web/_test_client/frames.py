"""WebSocket frames as a client writes and reads them (RFC 6455 section 5)."""

from __future__ import annotations

import secrets
import struct
from typing import BinaryIO, NamedTuple

__all__ = ["BINARY", "CLOSE", "PING", "PONG", "TEXT", "Message", "frame", "read_message"]

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_FINAL, _MASKED = 0x80, 0x80


class Message(NamedTuple):
    """A message or a control frame, whole."""

    kind: int
    data: bytes


def frame(kind: int, data: bytes) -> bytes:
    """Write a message as one frame, masked as a client has to."""
    size = len(data)
    if size < 126:
        head = struct.pack("!BB", _FINAL | kind, _MASKED | size)
    elif size < 65_536:
        head = struct.pack("!BBH", _FINAL | kind, _MASKED | 126, size)
    else:
        head = struct.pack("!BBQ", _FINAL | kind, _MASKED | 127, size)
    mask = secrets.token_bytes(4)
    return head + mask + _masked(data, mask)


def _masked(data: bytes, mask: bytes) -> bytes:
    # As one number: bytes one by one are slow in Python.
    size = len(data)
    repeated = (mask * (size // 4 + 1))[:size]
    masked = int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")
    return masked.to_bytes(size, "big")


def read_message(reader: BinaryIO) -> Message | None:
    """Read the next message, or the control frame that comes before its end; None at the end."""
    kind, pieces = 0, []
    while True:
        head = reader.read(2)
        if len(head) < 2:
            return None
        first, size = head
        if size == 126:
            (size,) = struct.unpack("!H", reader.read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", reader.read(8))
        data = reader.read(size)
        if len(data) < size:
            return None
        opcode = first & 0x0F
        if opcode >= CLOSE:
            # Between the frames of a message only if there are several, which our server sends not.
            return Message(opcode, data)
        kind = opcode or kind
        pieces.append(data)
        if first & _FINAL:
            return Message(kind, b"".join(pieces))
