"""How connections end: close, abort, resets, closing servers; each end is told once, and why."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
from asyncio import AbstractEventLoop

import pytest
from loop_under_test import Run
from recording_protocol import Pair, RecordingProtocol, connected_pair

LARGE = 32_000_000


def reset_on_close(sock: socket.socket) -> None:
    """Let closing the socket reset the connection instead of ending it."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def reset(pair: Pair) -> None:
    """Reset the connection from the server's side."""
    reset_on_close(pair.server.transport.get_extra_info("socket"))
    pair.server.transport.abort()
    await pair.server.lost


async def finished_turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_close_flushes_everything_first(run: Run) -> None:
    payload = os.urandom(LARGE)

    async def main() -> None:
        pair = await connected_pair()
        pair.client.transport.write(payload)
        assert pair.client.transport.get_write_buffer_size() > 0
        pair.client.transport.close()
        assert pair.client.transport.is_closing()
        assert not pair.client.lost.done()
        assert await pair.server.has_received(LARGE) == payload
        assert await pair.client.lost is None
        assert await pair.server.lost is None

    run(main())


def test_a_closing_transport_takes_no_more_data_in(run: Run) -> None:
    async def main() -> None:
        pair = await connected_pair()
        pair.client.transport.close()
        pair.server.transport.write(b"too late")
        await pair.client.lost
        assert pair.client.calls == ["made", "lost"]
        await pair.server.lost

    run(main())


def test_abort_drops_what_is_buffered(run: Run) -> None:
    async def main() -> None:
        pair = await connected_pair()
        pair.server.transport.pause_reading()
        pair.client.transport.write(b"x" * LARGE)
        pair.client.transport.abort()
        assert pair.client.transport.is_closing()
        assert pair.client.transport.get_write_buffer_size() == 0
        assert await pair.client.lost is None
        pair.server.transport.resume_reading()
        await pair.server.lost
        assert len(pair.server.received) < LARGE

    run(main())


def test_closing_many_times_tells_the_protocol_once(run: Run) -> None:
    async def main() -> None:
        pair = await connected_pair()
        transport = pair.client.transport
        for end in (transport.close, transport.abort, transport.close, transport.abort):
            end()
        await pair.client.lost
        for end in (transport.close, transport.abort):
            end()
        await finished_turn()
        assert pair.client.calls == ["made", "lost"]
        await pair.server.lost

    run(main())


def test_close_inside_each_callback_is_harmless(run: Run) -> None:
    class Closing(RecordingProtocol):
        def connection_lost(self, error: Exception | None) -> None:
            super().connection_lost(error)
            self.transport.close()
            self.transport.abort()
            self.transport.write(b"nowhere")

    async def main() -> None:
        pair = await connected_pair(make_server=Closing)
        pair.server.on_data = lambda _: pair.server.transport.close()
        pair.client.transport.write(b"data")
        assert await pair.server.lost is None
        assert await pair.client.lost is None

    run(main())


def test_close_right_after_connection_made(run: Run) -> None:
    class Shy(RecordingProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self.transport.write(b"goodbye")
            self.transport.close()

    async def main() -> None:
        pair = await connected_pair(make_server=Shy)
        assert await pair.client.lost is None
        assert pair.client.received == b"goodbye"
        assert await pair.server.lost is None
        assert pair.server.calls == ["made", "lost"]

    run(main())


def test_a_reset_by_the_peer_is_the_reason_of_the_loss(run: Run) -> None:
    async def main() -> None:
        pair = await connected_pair()
        await reset(pair)
        assert isinstance(await pair.client.lost, ConnectionResetError)
        assert pair.client.calls == ["made", "lost"]

    run(main())


def test_a_reset_while_data_is_pending_is_the_reason_of_the_loss(run: Run) -> None:
    async def main() -> None:
        pair = await connected_pair()
        pair.server.transport.pause_reading()
        pair.client.transport.write(b"x" * LARGE)
        pair.client.transport.close()
        await reset(pair)
        assert isinstance(await pair.client.lost, ConnectionError)
        assert pair.client.transport.get_write_buffer_size() == 0

    run(main())


def test_a_reset_is_seen_when_the_peer_has_paused_reading_and_writes(run: Run) -> None:
    async def main() -> None:
        pair = await connected_pair()
        pair.client.transport.pause_reading()
        await reset(pair)
        while not pair.client.transport.is_closing():
            pair.client.transport.write(b"x")
            await asyncio.sleep(0)
        assert isinstance(await pair.client.lost, ConnectionError)

    run(main())


def test_writing_to_a_lost_connection_is_quiet_and_then_warns(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        pair = await connected_pair()
        await reset(pair)
        await pair.client.lost
        for _ in range(4):
            pair.client.transport.write(b"x")
        assert caplog.records == []
        pair.client.transport.write(b"x")
        assert [record.getMessage() for record in caplog.records] == [
            "socket.send() raised exception."
        ]
        with pytest.raises(TypeError):
            pair.client.transport.write("text")  # type: ignore[arg-type]

    run(main())


def test_a_descriptor_number_that_is_used_again_belongs_to_its_new_owner(run: Run) -> None:
    # Answers sent through a number that was given out anew would reach the wrong peer.
    async def main() -> None:
        numbers: list[int] = []
        for number in range(30):
            pair = await connected_pair()
            numbers.append(pair.client.transport.get_extra_info("socket").fileno())
            stale = pair.client.transport
            await pair.close()
            fresh = await connected_pair()
            stale.write(b"stale")
            fresh.client.transport.write(b"fresh %02d" % number)
            assert await fresh.server.has_received(8) == b"fresh %02d" % number
            await fresh.close()
        assert len(set(numbers)) < len(numbers)

    run(main())


def test_the_socket_is_closed_with_the_connection(run: Run) -> None:
    async def main() -> None:
        left, right = socket.socketpair()
        loop = asyncio.get_running_loop()
        with left:
            transport, protocol = await loop.create_connection(RecordingProtocol, sock=right)
            transport.close()
            await protocol.lost
            await finished_turn()
            assert right.fileno() == -1
            assert left.recv(1) == b""

    run(main())


def test_a_server_that_closes_accepts_nobody_but_keeps_its_connections(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        accepted = RecordingProtocol()
        server = await loop.create_server(lambda: accepted, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        assert server.is_serving()
        transport, client = await loop.create_connection(RecordingProtocol, *address)
        await accepted.made
        server.close()
        server.close()
        assert not server.is_serving() and server.sockets == ()
        with pytest.raises(ConnectionRefusedError):
            await loop.create_connection(RecordingProtocol, *address)
        transport.write(b"still here")
        assert await accepted.has_received(10) == b"still here"
        if sys.version_info >= (3, 12):
            waiting = asyncio.ensure_future(server.wait_closed())
            await asyncio.sleep(0.001)
            assert not waiting.done()
            transport.close()
            await waiting
        transport.close()
        await client.lost
        await accepted.lost

    run(main())


@pytest.mark.skipif(sys.version_info < (3, 13), reason="close_clients came with Python 3.13")
@pytest.mark.parametrize("method", ["close_clients", "abort_clients"])
def test_a_server_ends_its_connections_when_asked(run: Run, method: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(RecordingProtocol, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        clients = [(await loop.create_connection(RecordingProtocol, *address))[1] for _ in range(5)]
        await asyncio.sleep(0.001)
        server.close()
        getattr(server, method)()
        for client in clients:
            await client.lost
        await server.wait_closed()

    run(main())


def test_serve_forever_serves_until_it_is_cancelled(loop: AbstractEventLoop, run: Run) -> None:
    async def main() -> bytes:
        accepted = RecordingProtocol()
        server = await loop.create_server(lambda: accepted, "127.0.0.1", 0, start_serving=False)
        address = server.sockets[0].getsockname()
        assert not server.is_serving()
        serving = asyncio.ensure_future(server.serve_forever())
        while not server.is_serving():
            await asyncio.sleep(0)
        transport, _ = await loop.create_connection(RecordingProtocol, *address)
        transport.write(b"data")
        data = await accepted.has_received(4)
        transport.close()
        await accepted.lost
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving
        assert not server.is_serving()
        return data

    assert run(main()) == b"data"
