"""UDP: endpoints that send, receive, and hear of errors."""

from __future__ import annotations

import array
import asyncio
import random
import socket
import sys
import weakref
from typing import Any

import pytest
from loop_under_test import Run
from recording_datagrams import Endpoint, endpoint, endpoint_on


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
            await end.close()
            assert end.calls == ["made", "lost"]

    run(main())


def test_many_that_wait_are_received_in_order(run: Run) -> None:
    async def main() -> None:
        server = await endpoint()
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            for number in range(100):
                client.sendto(b"%d" % number, server.address)
        for number in range(100):
            data, _ = await server.received.get()
            assert data == b"%d" % number
        await server.close()

    run(main())


def test_who_sends_in_turn_is_told_apart(run: Run) -> None:
    async def main() -> None:
        server = await endpoint()
        clients = [await endpoint() for _ in range(3)]
        for number in range(30):
            clients[number % 3].transport.sendto(b"%d" % number, server.address)
            data, address = await server.received.get()
            assert (data, address) == (b"%d" % number, clients[number % 3].address)
            server.transport.sendto(data, address)
            assert await clients[number % 3].received.get() == (data, server.address)
        for each in (server, *clients):
            await each.close()

    run(main())


def test_a_large_datagram_stays_whole(run: Run) -> None:
    async def main() -> None:
        server = await endpoint()
        client = await endpoint()
        # The most that fits behind the headers of IPv4 and UDP.
        for size in (60_000, 65_507):
            client.transport.sendto(b"x" * size, server.address)
            data, _ = await server.received.get()
            assert data == b"x" * size
        client.transport.abort()
        await server.close()
        assert await client.lost is None

    run(main())


def test_datagrams_of_any_size_arrive_as_they_were_sent(run: Run) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)

    async def main() -> None:
        server = await endpoint()
        clients = [await endpoint(server.address if number % 2 else None) for number in range(5)]
        server.on_datagram = lambda data: server.transport.sendto(
            data[::-1], server.received.get_nowait()[1]
        )
        for _ in range(200):
            client = chance.choice(clients)
            data = chance.randbytes(chance.choice([1, 2, 100, 1472, 1473, 9000, 40_000]))
            client.transport.sendto(data, chance.choice([server.address, None]) or server.address)
            assert await client.received.get() == (data[::-1], server.address)
        for each in (server, *clients):
            await each.close()

    run(main())


def test_an_empty_datagram_arrives(run: Run) -> None:
    async def main() -> None:
        server = await endpoint()
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.sendto(b"", server.address)
            client.sendto(b"more", server.address)
        assert (await server.received.get())[0] == b""
        assert (await server.received.get())[0] == b"more"
        await server.close()

    run(main())


def test_an_empty_datagram_is_sent_from_python_3_13_on(run: Run) -> None:
    async def main() -> None:
        server = await endpoint()
        client = await endpoint(server.address)
        client.transport.sendto(b"")
        client.transport.sendto(b"more")
        if sys.version_info >= (3, 13):
            assert await server.received.get() == (b"", client.address)
        assert await server.received.get() == (b"more", client.address)
        await client.close()
        await server.close()

    run(main())


def test_mutable_buffers_are_sent_as_they_were(run: Run) -> None:
    async def main() -> None:
        server = await endpoint()
        client = await endpoint(server.address)
        mutable = bytearray(b"before")
        client.transport.sendto(mutable)
        mutable[:] = b"after!"
        client.transport.sendto(memoryview(mutable)[:5])
        client.transport.sendto(memoryview(array.array("H", [0x4141, 0x4242])))
        assert (await server.received.get())[0] == b"before"
        assert (await server.received.get())[0] == b"after"
        assert (await server.received.get())[0] == b"AABB"
        await client.close()
        await server.close()

    run(main())


@pytest.mark.parametrize("data", ["text", None, 1, [b"x"], array.array("b")])
def test_what_is_no_bytes_is_refused(run: Run, data: Any) -> None:
    async def main() -> None:
        client = await endpoint()
        kind = type(data).__name__
        with pytest.raises(TypeError, match=f"must be a bytes-like object, not '{kind}'"):
            client.transport.sendto(data, client.address)
        await client.close()

    run(main())


def test_it_is_a_transport_of_asyncio(run: Run) -> None:
    async def main() -> None:
        client = await endpoint()
        transport = client.transport
        assert isinstance(transport, asyncio.Transport)
        if sys.version_info >= (3, 12):
            assert isinstance(transport, asyncio.DatagramTransport)
        assert transport.get_protocol() is client
        assert weakref.ref(transport)() is transport
        assert {transport: 1}[transport] == 1
        assert "fd=" in repr(transport)
        assert "closing" not in repr(transport)
        transport.close()
        assert transport.is_closing()
        await client.lost
        assert "clos" in repr(transport)

    run(main())


def test_extra_information(run: Run) -> None:
    async def main() -> None:
        server = await endpoint()
        client = await endpoint(server.address)
        assert client.transport.get_extra_info("peername") == server.address
        assert server.transport.get_extra_info("peername") is None
        assert server.transport.get_extra_info("peername", "default") is None
        sock = client.transport.get_extra_info("socket")
        assert sock.type == socket.SOCK_DGRAM
        assert sock.getsockname() == client.transport.get_extra_info("sockname") == client.address
        assert client.transport.get_extra_info("unknown") is None
        assert client.transport.get_extra_info("unknown", "default") == "default"
        await client.close()
        await server.close()
        assert client.transport.get_extra_info("peername") == server.address
        assert client.transport.get_extra_info("socket").fileno() == -1

    run(main())


def test_a_protocol_takes_over_from_another(run: Run) -> None:
    async def main() -> None:
        server = await endpoint()
        other = Endpoint()
        client = await endpoint(server.address)
        client.transport.sendto(b"one")
        assert await server.received.get() == (b"one", client.address)
        server.transport.set_protocol(other)
        assert server.transport.get_protocol() is other
        client.transport.sendto(b"two")
        assert await other.received.get() == (b"two", client.address)
        server.transport.close()
        assert await other.lost is None
        assert not server.lost.done()
        await client.close()

    run(main())


def test_receiving_pauses_and_resumes(run: Run) -> None:
    async def main() -> None:
        server = await endpoint()
        client = await endpoint(server.address)
        assert server.transport.is_reading()

        def pause(_: bytes) -> None:
            server.transport.pause_reading()

        server.on_datagram = pause
        for data in (b"one", b"two", b"three"):
            client.transport.sendto(data)
        for data in (b"one", b"two", b"three"):
            assert (await server.received.get())[0] == data
            assert not server.transport.is_reading()
            # Enough turns for whatever might still be on its way.
            for _ in range(20):
                await asyncio.sleep(0)
            assert server.received.empty()
            server.transport.resume_reading()
        await client.close()
        await server.close()

    run(main())


def test_a_socket_of_the_users_own(run: Run) -> None:
    async def main() -> None:
        server = await endpoint()
        sock = socket.socket(type=socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        client = await endpoint_on(sock)
        client.transport.sendto(b"hello", server.address)
        assert await server.received.get() == (b"hello", client.address)
        await client.close()
        assert sock.fileno() == -1
        await server.close()

    run(main())


def test_a_connected_socket_sends_to_its_peer_whatever_is_named(run: Run) -> None:
    async def main() -> None:
        server, other = await endpoint(), await endpoint()
        sock = socket.socket(type=socket.SOCK_DGRAM)
        sock.connect(server.address)
        client = await endpoint_on(sock)
        client.transport.sendto(b"one")
        client.transport.sendto(b"two", other.address)
        assert (await server.received.get())[0] == b"one"
        assert (await server.received.get())[0] == b"two"
        for each in (client, server, other):
            await each.close()

    run(main())


def test_a_socket_that_overrides_its_methods_is_asked_itself(run: Run) -> None:
    class Shouting(socket.socket):
        def recvfrom(self, *arguments: Any) -> tuple[bytes, Any]:
            data, address = super().recvfrom(*arguments)
            return data.upper(), address

        def sendto(self, data: Any, address: Any) -> int:  # type: ignore[override]
            return super().sendto(bytes(data) + b"!", address)

    async def main() -> None:
        server = await endpoint()
        sock = Shouting(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        client = await endpoint_on(sock)
        for _ in range(3):
            client.transport.sendto(b"hello", server.address)
            assert await server.received.get() == (b"hello!", client.address)
            server.transport.sendto(b"answer", client.address)
            assert await client.received.get() == (b"ANSWER", server.address)
        await client.close()
        await server.close()

    run(main())


def test_a_family_that_is_rare_works_too(run: Run) -> None:
    if not hasattr(socket, "AF_NETLINK"):
        pytest.skip("this system has no netlink")

    async def main() -> None:
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 0)
        sock.bind((0, 0))
        client = await endpoint_on(sock)
        # A request for all links (RTM_GETLINK with NLM_F_REQUEST and NLM_F_DUMP, rtnetlink(7)).
        head = [(17, 4), (18, 2), (0x301, 2), (1, 4), (0, 4), (0, 1)]
        request = b"".join(number.to_bytes(size, sys.byteorder) for number, size in head)
        client.transport.sendto(request)
        data, address = await client.received.get()
        assert int.from_bytes(data[4:6], sys.byteorder) == 16
        assert address == (0, 0)
        await client.close()

    run(main())


def test_a_reader_on_the_descriptor_of_a_transport_is_refused(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        client = await endpoint()
        fd = client.transport.get_extra_info("socket").fileno()
        with pytest.raises(RuntimeError, match="is used by transport"):
            loop.add_reader(fd, print)
        with pytest.raises(RuntimeError, match="is used by transport"):
            loop.add_writer(fd, print)
        await client.close()

    run(main())


def test_a_taken_address_is_an_error(run: Run) -> None:
    async def main() -> None:
        first = await endpoint()
        with pytest.raises(OSError, match="in use"):
            await asyncio.get_running_loop().create_datagram_endpoint(
                Endpoint, local_addr=first.address
            )
        await first.close()

    run(main())
