"""UDP: endpoints that send, receive, and hear of errors."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from loop_under_test import Run

Address = tuple[str, int]


class Endpoint(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.received: asyncio.Queue[tuple[bytes, Address]] = asyncio.Queue()
        self.errors: asyncio.Queue[Exception] = asyncio.Queue()
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Before Python 3.12 asyncio's transport was no asyncio.DatagramTransport.
        self.transport: Any = transport
        self.address: Address = transport.get_extra_info("sockname")

    def datagram_received(self, data: bytes, address: Address) -> None:
        self.received.put_nowait((data, address))

    def error_received(self, error: Exception) -> None:
        self.errors.put_nowait(error)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.set_result(error)


async def endpoint(remote: Address | None = None) -> Endpoint:
    _, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
        Endpoint, local_addr=("127.0.0.1", 0), remote_addr=remote
    )
    return protocol


def test_datagrams_go_both_ways_one_by_one(run: Run) -> None:
    async def main() -> None:
        server = await endpoint()
        client = await endpoint(server.address)
        for number in range(100):
            client.transport.sendto(b"%d" % number)
            assert await server.received.get() == (b"%d" % number, client.address)
        server.transport.sendto(b"answer", client.address)
        assert await client.received.get() == (b"answer", server.address)
        for end in (client, server):
            end.transport.close()
            assert await end.lost is None

    run(main())


def test_a_large_datagram_stays_whole(run: Run) -> None:
    async def main() -> None:
        server = await endpoint()
        client = await endpoint()
        client.transport.sendto(b"x" * 60_000, server.address)
        data, _ = await server.received.get()
        assert data == b"x" * 60_000
        client.transport.abort()
        server.transport.close()
        assert await client.lost is None
        assert await server.lost is None

    run(main())


def test_nobody_there_is_an_error_received(run: Run) -> None:
    async def main() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
            gone.bind(("127.0.0.1", 0))
            address = gone.getsockname()
        client = await endpoint(address)
        client.transport.sendto(b"anybody?")
        assert isinstance(await client.errors.get(), ConnectionRefusedError)
        client.transport.close()
        await client.lost

    run(main())


def test_a_taken_address_is_an_error(run: Run) -> None:
    async def main() -> None:
        first = await endpoint()
        with pytest.raises(OSError, match="in use"):
            await asyncio.get_running_loop().create_datagram_endpoint(
                Endpoint, local_addr=first.address
            )
        first.transport.close()
        await first.lost

    run(main())
