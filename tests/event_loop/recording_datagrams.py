"""A datagram protocol that writes down what its transport tells it, and endpoints made of it."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any

Address = tuple[str, int]
IDLE_SECONDS = 0.2
# A loop that spins takes more of that, even on a machine that has much else to do.
IDLE_CPU_SECONDS = 0.05


class Endpoint(asyncio.DatagramProtocol):
    """Queues what comes; `lost` is done with the reason once the endpoint is closed."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.received: asyncio.Queue[tuple[bytes, Any]] = asyncio.Queue()
        self.errors: asyncio.Queue[Exception] = asyncio.Queue()
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self.resumed = asyncio.Event()
        self.on_datagram: Callable[[bytes], object] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.calls.append("made")
        # Before Python 3.12 asyncio's transport was no asyncio.DatagramTransport.
        self.transport: Any = transport
        self.address: Any = transport.get_extra_info("sockname")

    def datagram_received(self, data: bytes, address: Any) -> None:
        assert type(data) is bytes
        self.received.put_nowait((data, address))
        if self.on_datagram is not None:
            self.on_datagram(data)

    def error_received(self, error: Exception) -> None:
        self.errors.put_nowait(error)

    def pause_writing(self) -> None:
        self.calls.append("pause")

    def resume_writing(self) -> None:
        self.calls.append("resume")
        self.resumed.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.calls.append("lost")
        # A second call is an error of the transport, and raises here.
        self.lost.set_result(error)

    async def close(self) -> None:
        """Close, and wait until the protocol was told of it."""
        self.transport.close()
        assert await self.lost is None


async def is_idle() -> bool:
    """Wait for a moment, and tell whether the loop had nothing to do in it."""
    before = time.process_time()
    await asyncio.sleep(IDLE_SECONDS)
    return time.process_time() - before < IDLE_CPU_SECONDS


async def endpoint(remote: Address | None = None, **options: Any) -> Endpoint:
    """Make a UDP endpoint on the loopback of IPv4."""
    _, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        Endpoint, local_addr=("127.0.0.1", 0), remote_addr=remote, **options
    )
    return protocol


async def endpoint_on(sock: socket.socket) -> Endpoint:
    """Make an endpoint of a socket, which it takes over."""
    sock.setblocking(False)
    _, protocol = await asyncio.get_running_loop().create_datagram_endpoint(Endpoint, sock=sock)
    return protocol
