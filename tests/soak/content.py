"""What a connection carries: bytes that follow from the seed, the connection and the offset."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Literal

Way = Literal["up", "down"]
BLOCK = 1024
NAMED = re.compile(rb"<(\d{10}) (up|down) *(\d{8})>")


class WrongContent(AssertionError):
    """Bytes came that this connection never carried, or some did not come."""


@dataclass(frozen=True)
class Content:
    """All bytes of one connection in one direction. Every block begins with its own name."""

    seed: int
    number: int
    way: Way

    def at(self, offset: int, length: int) -> bytes:
        """The bytes from this offset on."""
        first, last = offset // BLOCK, (offset + length + BLOCK - 1) // BLOCK
        blocks = b"".join(map(self._block, range(first, last)))
        begin = offset - first * BLOCK
        return blocks[begin : begin + length]

    def _block(self, index: int) -> bytes:
        name = b"<%010d %-4s %08d>" % (self.number, self.way.encode(), index)
        drawn = hashlib.shake_128(b"%d %b" % (self.seed, name))
        return name + drawn.digest(BLOCK - len(name))

    def hello(self) -> bytes:
        """What a client sends first, so that the server knows which connection this is."""
        return self.at(0, HELLO)


HELLO = 64


def connection_of(hello: bytes, seed: int) -> int:
    """Which connection says hello like this; WrongContent if none does."""
    named = NAMED.match(hello)
    if named is None or Content(seed, int(named[1]), "up").hello() != hello:
        raise WrongContent(f"no connection says hello with {hello!r}")
    return int(named[1])


class Checker:
    """Compares what comes with what has to come, as it comes."""

    def __init__(self, content: Content, total: int, offset: int = 0) -> None:
        self.content, self.total, self.offset = content, total, offset

    def feed(self, data: bytes) -> None:
        """Take the next bytes; WrongContent says what they are, if they are wrong."""
        expected = self.content.at(self.offset, len(data))
        if data != expected:
            raise WrongContent(self._difference(data, expected))
        if self.offset + len(data) > self.total:
            raise WrongContent(f"{self} got {self.offset + len(data)} of {self.total} bytes")
        self.offset += len(data)

    def end(self) -> None:
        """The connection is over, and everything should have come."""
        if self.offset != self.total:
            raise WrongContent(f"{self} ended after {self.offset} of {self.total} bytes")

    def _difference(self, data: bytes, expected: bytes) -> str:
        at = next(i for i, byte in enumerate(data) if expected[i] != byte)
        owners = sorted({match[0].decode() for match in NAMED.finditer(data)})
        return (
            f"{self}: a wrong byte at offset {self.offset + at}: {data[at : at + 40]!r} instead of "
            f"{expected[at : at + 40]!r}; blocks that are named in what came: {owners[:8]}"
        )

    def __str__(self) -> str:
        return f"connection {self.content.number} {self.content.way}"
