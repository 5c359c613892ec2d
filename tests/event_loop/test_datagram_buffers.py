"""Datagrams that the socket does not take at once: they wait in order, and hold the protocol back.

A Unix socket takes no more than its peer's queue has room for, so a peer that does not read makes
them wait.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

import pytest
from loop_under_test import ON_REFERENCE, Reports, Run
from recording_datagrams import Endpoint, endpoint, endpoint_on, is_idle

HEADER = 8 if sys.version_info >= (3, 13) else 0


class Blocked:
    """An endpoint whose peer, a plain socket, has no room for more."""

    def __init__(self, client: Endpoint, peer: socket.socket, sent: int) -> None:
        self.client, self.peer, self.sent = client, peer, sent

    def take(self, count: int) -> list[int]:
        """Receive so many datagrams, each of which is a number."""
        return [int(self.peer.recv(100)) for _ in range(count)]

    async def take_all(self, count: int) -> list[int]:
        """Receive so many datagrams as they come."""
        loop = asyncio.get_running_loop()
        return [int(await loop.sock_recv(self.peer, 100)) for _ in range(count)]


async def blocked(tmp_path: Path) -> Blocked:
    """Fill the queue of a peer that is connected both ways, until one datagram has to wait."""
    client_path, peer_path = str(tmp_path / "client"), str(tmp_path / "peer")
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    peer.bind(peer_path)
    peer.setblocking(False)
    own = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    own.bind(client_path)
    own.connect(peer_path)
    client = await endpoint_on(own)
    sent = 0
    while client.transport.get_write_buffer_size() == 0:
        client.transport.sendto(b"%09d" % sent)
        sent += 1
        assert sent < 10_000, "the socket takes everything"
    return Blocked(client, peer, sent)


def test_what_waits_is_sent_in_order_when_there_is_room(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        stage = await blocked(tmp_path)
        assert stage.client.transport.get_write_buffer_size() == 9 + HEADER
        for number in range(stage.sent, stage.sent + 200):
            stage.client.transport.sendto(b"%09d" % number)
        assert stage.client.transport.get_write_buffer_size() == 201 * (9 + HEADER)
        assert await stage.take_all(stage.sent + 200) == list(range(stage.sent + 200))
        assert await is_idle()
        await stage.client.close()
        stage.peer.close()

    run(main())


def test_nothing_overtakes_what_waits(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        stage = await blocked(tmp_path)
        # There is room again, but the loop has not looked yet.
        assert stage.take(stage.sent - 1) == list(range(stage.sent - 1))
        stage.client.transport.sendto(b"%09d" % stage.sent)
        assert await stage.take_all(2) == [stage.sent - 1, stage.sent]
        await stage.client.close()
        stage.peer.close()

    run(main())


@pytest.mark.ours
def test_nothing_is_left_in_the_count_when_all_is_sent(run: Run, tmp_path: Path) -> None:
    # asyncio 3.13.0 adds 8 for the header of each datagram, and does not take them off again.
    async def main() -> None:
        stage = await blocked(tmp_path)
        for number in range(stage.sent, stage.sent + 20):
            stage.client.transport.sendto(b"%09d" % number)
        await stage.take_all(stage.sent + 20)
        assert stage.client.transport.get_write_buffer_size() == 0
        stage.client.transport.sendto(b"%09d" % 1)
        assert stage.client.transport.get_write_buffer_size() == 0
        assert stage.take(1) == [1]
        await stage.client.close()
        stage.peer.close()

    run(main())


def test_the_protocol_is_paused_and_resumed(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        stage = await blocked(tmp_path)
        client = stage.client
        client.transport.set_write_buffer_limits(high=10 * (9 + HEADER), low=9 * (9 + HEADER))
        for number in range(stage.sent, stage.sent + 9):
            client.transport.sendto(b"%09d" % number)
        assert client.calls == ["made"]
        client.transport.sendto(b"%09d" % (stage.sent + 9))
        assert client.calls == ["made", "pause"]
        client.transport.sendto(b"%09d" % (stage.sent + 10))
        assert client.calls == ["made", "pause"]
        await stage.take_all(stage.sent + 11)
        await client.resumed.wait()
        assert client.calls == ["made", "pause", "resume"]
        await client.close()
        stage.peer.close()

    run(main())


def test_lower_marks_pause_at_once(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        stage = await blocked(tmp_path)
        transport = stage.client.transport
        transport.set_write_buffer_limits(high=1000)
        assert transport.get_write_buffer_limits() == (250, 1000)
        transport.set_write_buffer_limits(high=0)
        assert stage.client.calls == ["made", "pause"]
        with pytest.raises(ValueError, match=r"high \(1\) must be >= low \(2\) must be >= 0"):
            transport.set_write_buffer_limits(high=1, low=2)
        assert transport.get_write_buffer_limits() == (0, 0)
        transport.abort()
        await stage.client.lost
        stage.peer.close()

    run(main())


def test_close_waits_until_all_is_sent(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        stage = await blocked(tmp_path)
        client = stage.client
        client.transport.close()
        assert client.transport.is_closing()
        # What is sent now, goes behind what waits.
        client.transport.sendto(b"%09d" % stage.sent)
        client.transport.close()
        for _ in range(20):
            await asyncio.sleep(0)
        assert not client.lost.done()
        assert await stage.take_all(stage.sent + 1) == list(range(stage.sent + 1))
        assert await client.lost is None
        assert client.calls == ["made", "lost"]
        stage.peer.close()

    run(main())


def test_abort_drops_what_waits(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        stage = await blocked(tmp_path)
        client, loop = stage.client, asyncio.get_running_loop()
        fd = client.transport.get_extra_info("socket").fileno()
        client.transport.close()
        client.transport.abort()
        # asyncio 3.13 forgets to take off what it drops.
        assert client.transport.get_write_buffer_size() == 0 or ON_REFERENCE
        assert await client.lost is None
        assert stage.take(stage.sent - 1) == list(range(stage.sent - 1))
        with pytest.raises(BlockingIOError):
            stage.peer.recv(1)
        # Whoever gets the descriptor's number next does not get a writer with it.
        assert not loop.remove_writer(fd)
        stage.peer.close()

    run(main())


def test_a_peer_that_leaves_is_an_error_for_each_that_waits(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        stage = await blocked(tmp_path)
        for number in range(2):
            stage.client.transport.sendto(b"%09d" % number)
        stage.peer.close()
        for _ in range(3):
            assert isinstance(await stage.client.errors.get(), OSError)
        stage.client.transport.close()
        assert await stage.client.lost is None

    run(main())


def test_an_error_received_that_raises_leaves_the_rest_to_be_sent(
    run: Run, reports: Reports, tmp_path: Path
) -> None:
    class Raising(Endpoint):
        def error_received(self, error: Exception) -> None:
            super().error_received(error)
            raise LookupError("in error_received")

    async def main() -> None:
        stage = await blocked(tmp_path)
        stage.client.transport.sendto(b"%09d" % 1)
        raising = Raising()
        stage.client.transport.set_protocol(raising)
        stage.peer.close()
        for _ in range(2):
            await raising.errors.get()
        stage.client.transport.close()
        await raising.lost
        assert {str(report["exception"]) for report in reports} == {"in error_received"}
        reports.clear()

    run(main())


def test_what_waits_for_a_peer_in_the_same_loop_gets_there(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        path = str(tmp_path / "server")
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sock.bind(path)
        server = await endpoint_on(sock)
        # Not connected: the kernel calls its socket writable although the peer's queue is full.
        client = await endpoint_on(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        for number in range(500):
            client.transport.sendto(b"%d" % number, path)
        assert client.transport.get_write_buffer_size() > 0
        for number in range(500):
            assert await server.received.get() == (b"%d" % number, None)
        await client.close()
        await server.close()

    run(main())


def test_a_pause_writing_that_raises_is_reported(
    run: Run, reports: Reports, tmp_path: Path
) -> None:
    class Raising(Endpoint):
        def pause_writing(self) -> None:
            raise LookupError("in pause_writing")

    async def main() -> None:
        stage = await blocked(tmp_path)
        stage.client.transport.set_protocol(Raising())
        stage.client.transport.set_write_buffer_limits(high=0)
        report = reports.pop()
        assert report["message"] == "protocol.pause_writing() failed"
        assert str(report["exception"]) == "in pause_writing"
        stage.client.transport.abort()
        await asyncio.sleep(0)
        stage.peer.close()

    run(main())


def test_udp_sends_more_than_the_socket_holds(run: Run) -> None:
    async def main() -> None:
        server = await endpoint()
        client = await endpoint(server.address)
        sock = client.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        for _ in range(300):
            client.transport.sendto(b"x" * 4000)
        # UDP may lose what the receiver has no room for, but not on the sender's side.
        client.transport.close()
        assert await client.lost is None
        assert (await server.received.get())[0] == b"x" * 4000
        await server.close()

    run(main())
