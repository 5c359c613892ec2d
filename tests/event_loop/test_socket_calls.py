"""The sock_* methods: raw sockets awaited on the loop."""

from __future__ import annotations

import asyncio
import os
import socket
from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from loop_under_test import Run

Sockets = tuple[socket.socket, socket.socket]
LARGE = 3_000_000


@asynccontextmanager
async def connected() -> AsyncIterator[Sockets]:
    """Two ends of a TCP connection, made with sock_accept and sock_connect."""
    loop = asyncio.get_running_loop()
    with socket.socket() as listener, socket.socket() as client:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        client.setblocking(False)
        accepting = asyncio.ensure_future(loop.sock_accept(listener))
        await loop.sock_connect(client, listener.getsockname())
        server, address = await accepting
        with server:
            assert address == client.getsockname()
            assert not server.getblocking()
            yield client, server


def test_sockets_connect_and_talk(run: Run) -> None:
    async def main() -> tuple[bytes, bytes]:
        loop = asyncio.get_running_loop()
        async with connected() as (client, server):
            await loop.sock_sendall(client, b"question")
            question = await loop.sock_recv(server, 100)
            await loop.sock_sendall(server, bytearray(b"answer"))
            return question, await loop.sock_recv(client, 100)

    assert run(main()) == (b"question", b"answer")


def test_a_receiver_waits_for_what_comes_later(run: Run) -> None:
    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        async with connected() as (client, server):
            receiving = asyncio.ensure_future(loop.sock_recv(server, 100))
            await asyncio.sleep(0.001)
            assert not receiving.done()
            await loop.sock_sendall(client, b"late")
            return await receiving

    assert run(main()) == b"late"


def test_large_data_goes_both_ways_at_once(run: Run) -> None:
    payload = os.urandom(LARGE)

    async def receive(sock: socket.socket) -> bytes:
        received = bytearray()
        while len(received) < LARGE:
            received += await asyncio.get_running_loop().sock_recv(sock, 100_000)
        return bytes(received)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with connected() as (client, server):
            results = await asyncio.gather(
                loop.sock_sendall(client, payload),
                loop.sock_sendall(server, memoryview(payload)),
                receive(client),
                receive(server),
            )
        assert results[2] == results[3] == payload

    run(main())


def test_data_is_received_into_a_buffer(run: Run) -> None:
    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        buffer = bytearray(10)
        async with connected() as (client, server):
            await loop.sock_sendall(client, b"data")
            count = await loop.sock_recv_into(server, buffer)
        return bytes(buffer[:count])

    assert run(main()) == b"data"


def test_the_end_of_the_peer_is_an_empty_read(run: Run) -> None:
    async def main() -> bytes:
        async with connected() as (client, server):
            client.close()
            return await asyncio.get_running_loop().sock_recv(server, 10)

    assert run(main()) == b""


def test_datagrams_come_with_their_sender(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as left,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as right,
        ):
            for sock in (left, right):
                sock.setblocking(False)
                sock.bind(("127.0.0.1", 0))
            receiving = asyncio.ensure_future(loop.sock_recvfrom(right, 100))
            await asyncio.sleep(0)
            assert await loop.sock_sendto(left, b"datagram", right.getsockname()) == 8
            assert await receiving == (b"datagram", left.getsockname())
            buffer = bytearray(10)
            await loop.sock_sendto(right, b"back", left.getsockname())
            assert await loop.sock_recvfrom_into(left, buffer) == (4, right.getsockname())
            assert buffer[:4] == b"back"

    run(main())


def test_a_cancelled_receiver_lets_the_next_one_read(run: Run) -> None:
    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        async with connected() as (client, server):
            cancelled = asyncio.ensure_future(loop.sock_recv(server, 10))
            await asyncio.sleep(0)
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            await loop.sock_sendall(client, b"kept")
            return await loop.sock_recv(server, 10)

    assert run(main()) == b"kept"


def test_a_refused_connection_is_an_error(run: Run) -> None:
    async def main() -> None:
        with socket.socket() as taken, socket.socket() as client:
            taken.bind(("127.0.0.1", 0))
            client.setblocking(False)
            with pytest.raises(ConnectionRefusedError):
                await asyncio.get_running_loop().sock_connect(client, taken.getsockname())

    run(main())


def test_unix_sockets_connect(run: Run, tmp_path: Path) -> None:
    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        path = str(tmp_path / "socket")
        with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
            listener.bind(path)
            listener.listen()
            listener.setblocking(False)
            client.setblocking(False)
            await loop.sock_connect(client, path)
            server, _ = await loop.sock_accept(listener)
            with server:
                await loop.sock_sendall(server, b"hello")
                return await loop.sock_recv(client, 10)

    assert run(main()) == b"hello"


def test_a_file_is_sent(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(os.urandom(LARGE))

    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        received = bytearray()
        async with connected() as (client, server):
            with file.open("rb") as opened:
                sending = asyncio.ensure_future(
                    loop.sock_sendfile(client, opened, 100, LARGE - 200)
                )
                while len(received) < LARGE - 200:
                    received += await loop.sock_recv(server, 100_000)
                assert await sending == LARGE - 200
                assert opened.tell() == LARGE - 100
        return bytes(received)

    assert run(main()) == file.read_bytes()[100:-100]


def test_a_blocking_socket_is_refused_in_debug_mode(loop: AbstractEventLoop, run: Run) -> None:
    loop.set_debug(True)

    async def main() -> None:
        left, right = socket.socketpair()
        with left, right, pytest.raises(ValueError, match="non-blocking"):
            await loop.sock_recv(left, 10)

    run(main())
