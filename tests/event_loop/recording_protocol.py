"""A protocol that writes down what its transport tells it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class RecordingProtocol(asyncio.Protocol):
    """Notes every call in `calls`; `lost` is done with the reason once the connection is lost."""

    def __init__(self, *, keep_open_at_end: bool = False) -> None:
        self.calls: list[str] = []
        self.received = bytearray()
        self.keep_open_at_end = keep_open_at_end
        loop = asyncio.get_running_loop()
        self.made: asyncio.Future[asyncio.Transport] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.lost: asyncio.Future[Exception | None] = loop.create_future()
        self.resumed = asyncio.Event()
        self.on_data: Callable[[bytes], None] | None = None
        self._changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.calls.append("made")
        self.transport = transport
        self.made.set_result(transport)

    def data_received(self, data: bytes) -> None:
        assert type(data) is bytes and data
        self.calls.append("data")
        self.received += data
        self._changed.set()
        if self.on_data is not None:
            self.on_data(data)

    def eof_received(self) -> bool:
        self.calls.append("end")
        self.ended.set_result(None)
        return self.keep_open_at_end

    def pause_writing(self) -> None:
        self.calls.append("pause")

    def resume_writing(self) -> None:
        self.calls.append("resume")
        self.resumed.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.calls.append("lost")
        # A second call is an error of the transport, and raises here.
        self.lost.set_result(error)

    async def has_received(self, count: int) -> bytes:
        """Wait until `count` bytes have come, and return all that came."""
        while len(self.received) < count:
            self._changed.clear()
            await self._changed.wait()
        return bytes(self.received)


class Pair:
    """A client and a server protocol, connected over TCP."""

    def __init__(self, client: RecordingProtocol, server: RecordingProtocol) -> None:
        self.client, self.server = client, server

    async def close(self) -> None:
        """Drop both ends, and wait until both know."""
        self.client.transport.abort()
        self.server.transport.abort()
        await self.client.lost
        await self.server.lost


async def connected_pair(
    make_client: Callable[[], RecordingProtocol] = RecordingProtocol,
    make_server: Callable[[], RecordingProtocol] = RecordingProtocol,
) -> Pair:
    """Connect two protocols through a listener that is closed again."""
    loop = asyncio.get_running_loop()
    accepted = make_server()
    listener = await loop.create_server(lambda: accepted, "127.0.0.1", 0)
    try:
        address = listener.sockets[0].getsockname()
        _, client = await loop.create_connection(make_client, *address)
        await accepted.made
    finally:
        listener.close()
    return Pair(client, accepted)
