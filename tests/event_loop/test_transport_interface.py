"""What a socket transport says and takes: extra information, protocols, kinds of data."""

from __future__ import annotations

import array
import asyncio
import socket
import weakref
from typing import Any

import pytest
from loop_under_test import Run
from recording_protocol import RecordingProtocol, connected_pair


class Buffered(asyncio.BufferedProtocol):
    """Lends a small buffer, so that much data takes many reads."""

    def __init__(self, size: int = 1000) -> None:
        self.buffer = bytearray(size)
        self.received = bytearray()
        self.calls: list[str] = []
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def get_buffer(self, size_hint: int) -> Any:
        return self.buffer

    def buffer_updated(self, count: int) -> None:
        assert 0 < count <= len(self.buffer)
        self.received += self.buffer[:count]

    def eof_received(self) -> None:
        self.calls.append("end")

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.set_result(error)


def test_it_is_a_transport_of_asyncio(run: Run) -> None:
    async def main() -> None:
        pair = await connected_pair()
        transport = pair.client.transport
        assert isinstance(transport, asyncio.Transport)
        assert isinstance(transport, asyncio.WriteTransport)
        assert transport.get_protocol() is pair.client
        assert weakref.ref(transport)() is transport
        assert {transport: 1}[transport] == 1
        assert "fd=" in repr(transport)
        await pair.close()
        assert "closed" in repr(transport)

    run(main())


def test_extra_information(run: Run) -> None:
    async def main() -> None:
        pair = await connected_pair()
        client, server = pair.client.transport, pair.server.transport
        assert client.get_extra_info("peername") == server.get_extra_info("sockname")
        assert client.get_extra_info("sockname") == server.get_extra_info("peername")
        sock = client.get_extra_info("socket")
        assert sock.getsockname() == client.get_extra_info("sockname")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert client.get_extra_info("unknown") is None
        assert client.get_extra_info("unknown", "default") == "default"
        await pair.close()
        assert client.get_extra_info("peername") is not None

    run(main())


def test_the_socket_is_known_even_after_the_connection(run: Run) -> None:
    async def main() -> None:
        pair = await connected_pair()
        await pair.close()
        assert pair.client.transport.get_extra_info("socket").fileno() == -1

    run(main())


@pytest.mark.parametrize(
    "data",
    [
        b"bytes",
        bytearray(b"bytes"),
        memoryview(b"bytes"),
        # asyncio's own loop never gets done with it on Python 3.13.
        pytest.param(memoryview(b"-b-y-t-e-s")[1::2], marks=pytest.mark.ours),
    ],
    ids=["bytes", "bytearray", "memoryview", "stepping memoryview"],
)
def test_every_kind_of_bytes_is_written(run: Run, data: Any) -> None:
    async def main() -> None:
        pair = await connected_pair()
        pair.client.transport.write(data)
        assert await pair.server.has_received(5) == b"bytes"
        await pair.close()

    run(main())


@pytest.mark.parametrize("data", ["text", None, 42, [b"list"], array.array("b", b"array")])
def test_what_is_not_bytes_is_refused(run: Run, data: Any) -> None:
    async def main() -> None:
        pair = await connected_pair()
        with pytest.raises(TypeError, match="data argument must be a bytes-like object"):
            pair.client.transport.write(data)
        pair.client.transport.write(b"unharmed")
        assert await pair.server.has_received(8) == b"unharmed"
        await pair.close()

    run(main())


def test_empty_writes_are_nothing(run: Run) -> None:
    async def main() -> None:
        pair = await connected_pair()
        pair.client.transport.write(b"")
        pair.client.transport.writelines([])
        pair.client.transport.writelines([b"", b""])
        pair.client.transport.write(b"something")
        assert await pair.server.has_received(9) == b"something"
        assert pair.server.calls == ["made", "data"]
        await pair.close()

    run(main())


def test_lines_are_written_in_order(run: Run) -> None:
    async def main() -> None:
        pair = await connected_pair()
        pieces = [b"one ", bytearray(b"two "), memoryview(b"three ")]
        pair.client.transport.writelines(pieces)
        pair.client.transport.writelines(piece for piece in (b"four ", b"five"))
        assert await pair.server.has_received(23) == b"one two three four five"
        many = [b"%06d" % number for number in range(20_000)]
        pair.client.transport.writelines(many)
        pair.client.transport.write(b"end")
        expected = b"one two three four five" + b"".join(many) + b"end"
        assert await pair.server.has_received(len(expected)) == expected
        await pair.close()

    run(main())


@pytest.mark.ours  # Since Python 3.12 asyncio sends what the buffer holds by then.
def test_a_buffer_that_changes_after_the_write_changes_nothing(run: Run) -> None:
    async def main() -> None:
        pair = await connected_pair()
        pair.server.transport.pause_reading()
        pair.client.transport.write(b"x" * 8_000_000)
        buffer = bytearray(b"original")
        pair.client.transport.write(buffer)
        pair.client.transport.write(memoryview(buffer))
        buffer[:] = b"changed!"
        buffer.extend(b" and longer")
        pair.server.transport.resume_reading()
        received = await pair.server.has_received(8_000_016)
        assert received[-16:] == b"originaloriginal"
        await pair.close()

    run(main())


def test_another_protocol_may_take_over(run: Run) -> None:
    async def main() -> None:
        pair = await connected_pair()
        successor = RecordingProtocol()

        def hand_over(_: bytes) -> None:
            pair.server.transport.set_protocol(successor)
            assert pair.server.transport.get_protocol() is successor

        pair.server.on_data = hand_over
        pair.client.transport.write(b"first")
        await pair.server.has_received(5)
        pair.client.transport.write(b"second")
        assert await successor.has_received(6) == b"second"
        pair.client.transport.close()
        assert await successor.lost is None
        assert pair.server.calls == ["made", "data"]
        assert pair.server.received == b"first"
        await pair.client.lost

    run(main())


def test_a_buffered_protocol_reads_into_its_own_memory(run: Run) -> None:
    async def main() -> None:
        pair = await connected_pair()
        buffered = Buffered()
        pair.server.transport.set_protocol(buffered)
        payload = bytes(range(256)) * 2000
        pair.client.transport.write(payload)
        pair.client.transport.close()
        assert await buffered.lost is None
        assert buffered.received == payload
        assert buffered.calls == ["end"]
        await pair.client.lost

    run(main())


def test_protocols_of_both_kinds_may_take_turns(run: Run) -> None:
    async def main() -> None:
        pair = await connected_pair()
        buffered = Buffered()
        pair.server.transport.set_protocol(buffered)
        pair.client.transport.write(b"one")
        while buffered.received != b"one":
            await asyncio.sleep(0)
        pair.server.transport.set_protocol(pair.server)
        pair.client.transport.write(b"two")
        assert await pair.server.has_received(3) == b"two"
        await pair.close()

    run(main())


@pytest.mark.parametrize("lent", [bytearray(), b"read only", None, memoryview(bytearray(10))[::2]])
def test_a_buffer_that_cannot_be_filled_is_reported(
    run: Run, reports: list[dict[str, Any]], lent: Any
) -> None:
    async def main() -> None:
        pair = await connected_pair()
        buffered = Buffered()
        buffered.buffer = lent
        pair.server.transport.set_protocol(buffered)
        pair.client.transport.write(b"data")
        assert await buffered.lost is not None
        await pair.client.lost

    run(main())
    error = reports.pop()["exception"]
    assert isinstance(error, (RuntimeError, TypeError, BufferError))
