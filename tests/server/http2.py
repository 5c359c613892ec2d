"""A bare HTTP/2 client: it sends what the package h2 makes, and what no client would send."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
from served import Application, Served, served
from wire import Wire

Headers = Iterable[tuple[str, str]]

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    *range(5),
    *range(6, 10),
)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    """The bytes of a frame (RFC 9113 section 4.1)."""
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


@dataclass
class Response:
    """A response, as far as it came."""

    headers: list[tuple[str, str]] = field(default_factory=list)
    informational: list[list[tuple[str, str]]] = field(default_factory=list)
    trailers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    ended: bool = False
    # The error code of a RST_STREAM.
    reset: int | None = None

    @property
    def status(self) -> int:
        return int(dict(self.headers)[":status"])

    def all(self, name: str) -> list[str]:
        """All values of a header."""
        return [value for each, value in self.headers if each == name]


class Goaway(NamedTuple):
    """How the server says goodbye."""

    code: int
    last_stream: int
    text: bytes


class Client:
    """One connection, with as many streams as are wanted."""

    def __init__(self, wire: Wire, *, validate: bool = True) -> None:
        self.wire = wire
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=True,
                header_encoding="utf-8",
                validate_outbound_headers=validate,
                normalize_outbound_headers=validate,
            )
        )
        self.responses: defaultdict[int, Response] = defaultdict(Response)
        self.goaway: Goaway | None = None
        self._unparsed = b""
        self.ended = False
        self.pings = 0
        # Whether what arrives is acknowledged, so that the server may send more.
        self.takes_data = True

    @classmethod
    async def begin(
        cls, wire: Wire, *, validate: bool = True, settings: dict[int, int] | None = None
    ) -> Client:
        """Send the preface and settings, and read the server's."""
        client = cls(wire, validate=validate)
        client.h2.initiate_connection()
        if settings:
            client.h2.update_settings(settings)
        await client.flush()
        await client.until(lambda _: client._acknowledged)
        return client

    _acknowledged = False

    async def flush(self) -> None:
        await self.wire.send(self.h2.data_to_send())

    async def request(
        self,
        path: str = "/",
        *headers: tuple[str, str],
        method: str = "GET",
        body: bytes | None = None,
        end: bool = True,
    ) -> int:
        """Send a request; its body, if it has one, must fit into the window."""
        stream = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":path", path), (":scheme", "http"), (":authority", "test")]
        self.h2.send_headers(stream, [*head, *headers], end_stream=end and body is None)
        if body is not None:
            await self.send_body(stream, body, end=end)
        await self.flush()
        return stream

    async def send_body(self, stream: int, data: bytes, *, end: bool = True) -> None:
        """Send a body, as fast as the server takes it."""
        while data:
            window = self.h2.local_flow_control_window(stream)
            if window == 0:
                await self.flush()
                await self.read()
                continue
            size = min(len(data), window, self.h2.max_outbound_frame_size)
            self.h2.send_data(stream, data[:size])
            data = data[size:]
        if end:
            self.h2.end_stream(stream)
        await self.flush()

    async def read(self) -> None:
        """Read once, answer what the protocol wants answered, and keep what came."""
        data = await self.wire.reader.read(65536)
        if not data:
            self.ended = True
            return
        self._unparsed += data
        for raw in self._frames():
            if raw[3] == GOAWAY:
                # The package takes it for the end, but streams that are open go on.
                last, code = struct.unpack("!II", raw[9:17])
                self.goaway = Goaway(code, last & 0x7FFFFFFF, raw[17:])
                continue
            for event in self.h2.receive_data(raw):
                self._take(event)
        await self.flush()

    def _frames(self) -> Iterator[bytes]:
        while len(self._unparsed) >= 9:
            size = 9 + int.from_bytes(self._unparsed[:3], "big")
            if len(self._unparsed) < size:
                return
            raw, self._unparsed = self._unparsed[:size], self._unparsed[size:]
            yield raw

    def _take(self, event: h2.events.Event) -> None:
        response = self.responses[getattr(event, "stream_id", None) or 0]
        if isinstance(event, h2.events.ResponseReceived):
            response.headers = [*event.headers]  # type: ignore[list-item]
        elif isinstance(event, h2.events.InformationalResponseReceived):
            response.informational.append([*event.headers])  # type: ignore[list-item]
        elif isinstance(event, h2.events.TrailersReceived):
            response.trailers = [*event.headers]  # type: ignore[list-item]
        elif isinstance(event, h2.events.DataReceived):
            response.body += event.data
            if self.takes_data and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            response.ended = True
        elif isinstance(event, h2.events.StreamReset):
            response.reset = int(event.error_code)
        elif isinstance(event, h2.events.PingReceived):
            self.pings += 1
        elif isinstance(event, h2.events.SettingsAcknowledged):
            self._acknowledged = True

    async def until(self, condition: Callable[[Client], Any]) -> None:
        """Read until this is so."""
        while not condition(self):
            assert not self.ended, "the server ended the connection"
            await self.read()

    async def response(self, stream: int) -> Response:
        """Read a whole response."""
        response = self.responses[stream]
        await self.until(lambda _: response.ended or response.reset is not None)
        return response

    async def get(
        self, path: str = "/", *headers: tuple[str, str], method: str = "GET"
    ) -> Response:
        return await self.response(await self.request(path, *headers, method=method))

    async def until_closed(self) -> None:
        """Read until the server ends the connection."""
        try:
            while not self.ended:
                await self.read()
        except ConnectionError:
            self.ended = True


@asynccontextmanager
async def client_of(
    application: Application, *, faulty: bool = False, **settings: Any
) -> AsyncIterator[tuple[Client, Served]]:
    """A server and a connection to it."""
    async with served(application, faulty=faulty, lifespan="off", **settings) as server:
        async with await server.connect() as wire:
            yield await Client.begin(wire), server
