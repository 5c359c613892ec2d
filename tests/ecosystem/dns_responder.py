"""A DNS responder for the tests: knows a few names, over UDP and TCP (RFC 1035, section 4)."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

A, CNAME, MX, TXT, AAAA = 1, 5, 15, 16, 28
NO_SUCH_NAME = 3
ANSWER, TRUNCATED, RECURSION_AVAILABLE = 0x8000, 0x0200, 0x0080
HEADER = struct.Struct("!6H")
TTL = 60

# The answers to a question, of its name and type; None if there is no such name.
Zone = Callable[[str, int], list[bytes] | None]


def address(text: str) -> bytes:
    """The data of an A or AAAA record."""
    return ipaddress.ip_address(text).packed


def mail_exchange(priority: int, name: str) -> bytes:
    """The data of an MX record."""
    return struct.pack("!H", priority) + _written(name)


def text(value: bytes) -> bytes:
    """The data of a TXT record."""
    pieces = [value[start : start + 255] for start in range(0, len(value), 255)]
    return b"".join(bytes([len(piece)]) + piece for piece in pieces)


class Responder(asyncio.DatagramProtocol):
    """Answers what it is asked; what is too long for a datagram it says over TCP."""

    def __init__(self, zone: Zone, longest: int = 512) -> None:
        self.zone = zone
        self.longest = longest
        self.questions: list[str] = []
        self.over_tcp = 0
        self.silent = False
        self.asked = asyncio.Event()
        self.port = 0

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, sender: tuple[str, int]) -> None:
        if (answer := self._answer(data)) is None:
            return
        if len(answer) > self.longest:
            number, flags, *_ = HEADER.unpack_from(answer)
            question = data[HEADER.size : _end_of_question(data)]
            answer = HEADER.pack(number, flags | TRUNCATED, 1, 0, 0, 0) + question
        self._transport.sendto(answer, sender)

    async def serve_stream(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while length := await reader.read(2):
            answer = self._answer(await reader.readexactly(int.from_bytes(length)))
            self.over_tcp += 1
            if answer is not None:
                writer.write(len(answer).to_bytes(2) + answer)
                await writer.drain()
        writer.close()

    def _answer(self, query: bytes) -> bytes | None:
        number, flags, *_ = HEADER.unpack_from(query)
        end = _end_of_question(query)
        name = _read(query)
        kind, family = struct.unpack_from("!2H", query, end - 4)
        self.questions.append(name)
        self.asked.set()
        if self.silent:
            return None
        found = self.zone(name, kind)
        code = NO_SUCH_NAME if found is None else 0
        header = HEADER.pack(
            number, ANSWER | flags | RECURSION_AVAILABLE | code, 1, len(found or ()), 0, 0
        )
        # 0xC00C points to the name in the question.
        records = [
            struct.pack("!3HLH", 0xC00C, kind, family, TTL, len(data)) + data
            for data in found or ()
        ]
        return header + query[HEADER.size : end] + b"".join(records)


@asynccontextmanager
async def responding(zone: Zone) -> AsyncIterator[Responder]:
    """Answer on a port of 127.0.0.1, the same one for UDP and TCP."""
    responder = Responder(zone)
    server = await asyncio.start_server(responder.serve_stream, "127.0.0.1", 0)
    responder.port = server.sockets[0].getsockname()[1]
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: responder, ("127.0.0.1", responder.port), family=socket.AF_INET
    )
    try:
        yield responder
    finally:
        transport.close()
        server.close()
        await server.wait_closed()


def _written(name: str) -> bytes:
    labels = [label.encode() for label in name.split(".")]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\x00"


def _read(query: bytes) -> str:
    labels, at = [], HEADER.size
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels).lower()


def _end_of_question(query: bytes) -> int:
    return query.index(b"\x00", HEADER.size) + 5
