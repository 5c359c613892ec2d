"""The transport of a TLS connection: flow control, endings, what it tells, what stays behind."""

from __future__ import annotations

import asyncio
import gc
import os
import ssl
import sys
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from loop_under_test import Reports, Run
from recording_protocol import Pair, RecordingProtocol

Connect = Callable[..., Awaitable[Pair]]
MEGABYTE = 1024 * 1024


@pytest.fixture
def connect(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> Connect:
    """Connect two protocols by TLS, through a listener that is closed again."""

    async def connected(
        make_client: Callable[[], Any] = RecordingProtocol,
        make_server: Callable[[], Any] = RecordingProtocol,
    ) -> Pair:
        loop = asyncio.get_running_loop()
        accepted = make_server()
        listener = await loop.create_server(lambda: accepted, "127.0.0.1", 0, ssl=server_tls)
        _, client = await loop.create_connection(
            make_client,
            *listener.sockets[0].getsockname(),
            ssl=client_tls,
            server_hostname="localhost",
        )
        await accepted.made
        listener.close()
        return Pair(client, accepted)

    return connected


class BufferedRecorder(asyncio.BufferedProtocol):
    """Takes data through a small buffer of its own."""

    def __init__(self, size: int) -> None:
        self.buffer = bytearray(size)
        self.received = bytearray()
        loop = asyncio.get_running_loop()
        self.made: asyncio.Future[asyncio.Transport] = loop.create_future()
        self.lost: asyncio.Future[Exception | None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.made.set_result(transport)

    def get_buffer(self, sizehint: int) -> bytearray:
        assert sizehint >= 0
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        assert 0 < nbytes <= len(self.buffer)
        self.received += self.buffer[:nbytes]

    def eof_received(self) -> None:
        pass

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.set_result(error)


def test_it_is_the_transport_that_asyncio_has(run: Run, connect: Connect) -> None:
    async def main() -> None:
        pair = await connect()
        transport: Any = pair.client.transport
        assert isinstance(transport, asyncio.Transport)
        assert transport.get_protocol() is pair.client
        assert transport.get_write_buffer_limits() == (128 * 1024, 512 * 1024)
        assert transport.get_write_buffer_size() == 0
        assert transport.is_reading() and not transport.is_closing()
        with pytest.raises(NotImplementedError):
            transport.write_eof()
        with pytest.raises(TypeError):
            transport.write("text")
        with pytest.raises(ValueError, match="must be >= low"):
            transport.set_write_buffer_limits(high=1, low=2)
        assert transport.get_extra_info("nothing of the kind", 5) == 5
        await pair.close()

    run(main())


def test_every_byte_arrives_in_order_whatever_the_sizes(run: Run, connect: Connect) -> None:
    # Around the record of 16 KiB, and around what a socket takes at once.
    sizes = [1, 16383, 16384, 16385, 70_000, 2, 300_000, 32768, 5]

    async def main() -> None:
        pair = await connect()
        pieces = [os.urandom(size) for size in sizes]
        pair.client.transport.write(b"")
        for piece in pieces:
            pair.client.transport.write(piece)
        pair.client.transport.writelines([bytearray(b"mutable"), memoryview(b" views")])
        expected = b"".join(pieces) + b"mutable views"
        assert await pair.server.has_received(len(expected)) == expected
        await pair.close()

    run(main())


def test_a_mutable_buffer_may_be_changed_after_it_was_written(run: Run, connect: Connect) -> None:
    async def main() -> None:
        pair = await connect()
        pair.server.transport.pause_reading()
        pair.client.transport.write(bytes(8 * MEGABYTE))
        buffer = bytearray(b"before")
        pair.client.transport.write(buffer)
        buffer[:] = b"after!"
        pair.server.transport.resume_reading()
        assert (await pair.server.has_received(8 * MEGABYTE + 6)).endswith(b"before")
        await pair.close()

    run(main())


def test_a_writer_is_held_back_until_its_peer_reads(run: Run, connect: Connect) -> None:
    async def main() -> None:
        pair = await connect()
        pair.server.transport.pause_reading()
        written = 0
        while "pause" not in pair.client.calls:
            pair.client.transport.write(bytes(MEGABYTE))
            written += MEGABYTE
            assert written < 64 * MEGABYTE
            await asyncio.sleep(0)
        assert pair.client.transport.get_write_buffer_size() > 512 * 1024
        pair.server.transport.resume_reading()
        await pair.client.resumed.wait()
        await pair.server.has_received(written)
        assert pair.client.transport.get_write_buffer_size() == 0
        await pair.close()

    run(main())


def test_a_reader_that_pauses_gets_nothing_until_it_resumes(run: Run, connect: Connect) -> None:
    async def main() -> None:
        pair = await connect()
        pair.server.transport.pause_reading()
        assert not pair.server.transport.is_reading()
        pair.client.transport.write(b"wait")
        # What the other direction carries shows that time has passed.
        pair.server.transport.write(b"go")
        await pair.client.has_received(2)
        await asyncio.sleep(0)
        assert not pair.server.received
        pair.server.transport.resume_reading()
        assert await pair.server.has_received(4) == b"wait"
        await pair.close()

    run(main())


def test_what_was_written_before_close_arrives(run: Run, connect: Connect) -> None:
    async def main() -> None:
        pair = await connect()
        payload = os.urandom(3 * MEGABYTE)
        pair.client.transport.write(payload)
        pair.client.transport.close()
        assert pair.client.transport.is_closing()
        pair.client.transport.write(b"too late")
        assert await pair.server.has_received(len(payload)) == payload
        assert await pair.server.lost is None
        assert await pair.client.lost is None
        assert bytes(pair.server.received) == payload

    run(main())


def test_closing_inside_data_received_answers_and_ends(run: Run, connect: Connect) -> None:
    async def main() -> None:
        pair = await connect()

        def answer_and_close(data: bytes) -> None:
            pair.server.transport.write(data.upper())
            pair.server.transport.close()

        pair.server.on_data = answer_and_close
        pair.client.transport.write(b"question")
        assert await pair.client.has_received(8) == b"QUESTION"
        assert await pair.client.lost is None
        assert await pair.server.lost is None

    run(main())


def test_aborting_inside_data_received_ends_at_once(run: Run, connect: Connect) -> None:
    async def main() -> None:
        pair = await connect()
        pair.server.on_data = lambda _: pair.server.transport.abort()
        pair.client.transport.write(b"question")
        assert await pair.server.lost is None
        await pair.client.lost
        assert pair.server.calls == ["made", "data", "lost"]

    run(main())


def test_an_exception_of_the_protocol_is_reported_and_ends_the_connection(
    run: Run, connect: Connect, reports: Reports
) -> None:
    async def main() -> None:
        pair = await connect()

        def fail(_: bytes) -> None:
            raise RuntimeError("cannot take this")

        pair.server.on_data = fail
        pair.client.transport.write(b"question")
        assert isinstance(await pair.server.lost, RuntimeError)
        await pair.client.lost
        assert [str(report["exception"]) for report in reports] == ["cannot take this"]
        reports.clear()

    run(main())


@pytest.mark.ours
def test_a_broken_record_ends_the_connection_behind_the_data_before_it(
    run: Run, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    by_hand = client_tls.wrap_bio(incoming, outgoing, server_hostname="localhost")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        accepted = RecordingProtocol()
        listener = await loop.create_server(lambda: accepted, "127.0.0.1", 0, ssl=server_tls)
        reader, writer = await asyncio.open_connection(*listener.sockets[0].getsockname())
        while True:
            try:
                by_hand.do_handshake()
                break
            except ssl.SSLWantReadError:
                writer.write(outgoing.read())
                incoming.write(await reader.read(65536))
        by_hand.write(b"good")
        # One packet: the good record, and one that is none.
        writer.write(outgoing.read() + b"\x17\x03\x03\x00\x20" + bytes(32))
        assert isinstance(await accepted.lost, ssl.SSLError)
        assert bytes(accepted.received) == b"good"
        writer.close()
        listener.close()

    run(main())


@pytest.mark.ours
def test_a_client_is_told_why_its_handshake_failed(run: Run, server_tls: ssl.SSLContext) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    server_tls.minimum_version = ssl.TLSVersion.TLSv1_3

    async def main() -> None:
        listener = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0, ssl=server_tls)
        # An alert, where asyncio's own resets the connection without a word.
        with pytest.raises(ssl.SSLError, match=r"(?i)alert.*version"):
            await asyncio.open_connection(*listener.sockets[0].getsockname(), ssl=old)
        listener.close()

    run(main())


@pytest.mark.ours
@pytest.mark.parametrize("size", [7, 16384, 100_000])
def test_a_buffered_protocol_gets_all_whatever_its_buffer(
    run: Run, connect: Connect, size: int
) -> None:
    async def main() -> None:
        taker = BufferedRecorder(size)
        pair = await connect(make_server=lambda: taker)
        payload = os.urandom(50_000)
        pair.client.transport.write(payload)
        pair.client.transport.close()
        assert await taker.lost is None
        assert bytes(taker.received) == payload
        assert await pair.client.lost is None

    run(main())


def test_the_protocol_may_change_from_streaming_to_buffered(run: Run, connect: Connect) -> None:
    async def main() -> None:
        pair = await connect()
        pair.client.transport.write(b"first")
        await pair.server.has_received(5)
        taker = BufferedRecorder(1000)
        pair.server.transport.set_protocol(taker)
        assert pair.server.transport.get_protocol() is taker
        pair.client.transport.write(b"second")
        pair.client.transport.close()
        assert await taker.lost is None
        assert bytes(taker.received) == b"second"

    run(main())


def test_tls_inside_tls_carries_data(
    run: Run, connect: Connect, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        pair = await connect()
        client, server = await asyncio.gather(
            loop.start_tls(
                pair.client.transport, pair.client, client_tls, server_hostname="localhost"
            ),
            loop.start_tls(pair.server.transport, pair.server, server_tls, server_side=True),
        )
        assert client is not None and server is not None
        payload = os.urandom(200_000)
        client.write(payload)
        assert await pair.server.has_received(len(payload)) == payload
        client.close()
        await pair.client.lost
        await pair.server.lost

    run(main())


def test_a_file_is_sent_through_tls(run: Run, connect: Connect, tmp_path: Any) -> None:
    payload = os.urandom(300_000)
    (tmp_path / "file").write_bytes(payload)

    async def main() -> None:
        pair = await connect()
        loop = asyncio.get_running_loop()
        with (tmp_path / "file").open("rb") as file:
            assert await loop.sendfile(pair.client.transport, file) == len(payload)
        assert await pair.server.has_received(len(payload)) == payload
        await pair.close()

    run(main())


@pytest.mark.ours
@pytest.mark.parametrize("timeout", ["ssl_handshake_timeout", "ssl_shutdown_timeout"])
def test_a_timeout_that_is_not_positive_is_refused(
    run: Run, client_tls: ssl.SSLContext, timeout: str
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        listener = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
        arguments: dict[str, Any] = {timeout: -1}
        with pytest.raises(ValueError, match=f"{timeout} should be a positive number"):
            await loop.create_connection(
                asyncio.Protocol,
                *listener.sockets[0].getsockname(),
                ssl=client_tls,
                server_hostname="localhost",
                **arguments,
            )
        listener.close()

    run(main())


def test_a_peer_that_never_answers_the_close_runs_into_the_shutdown_timeout(
    run: Run, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        accepted = RecordingProtocol()
        listener = await loop.create_server(lambda: accepted, "127.0.0.1", 0, ssl=server_tls)
        transport, client = await loop.create_connection(
            RecordingProtocol,
            *listener.sockets[0].getsockname(),
            ssl=client_tls,
            server_hostname="localhost",
            ssl_shutdown_timeout=0.02,
        )
        await accepted.made
        accepted.transport.pause_reading()
        # More than fits: the close waits behind it.
        transport.write(bytes(16 * MEGABYTE))
        transport.close()
        assert isinstance(await client.lost, TimeoutError)
        accepted.transport.abort()
        await accepted.lost
        listener.close()

    run(main())


def test_a_closed_connection_leaves_nothing_behind(
    run: Run, connect: Connect, client_tls: ssl.SSLContext
) -> None:
    async def main() -> list[weakref.ref[Any]]:
        pair = await connect()
        pair.client.transport.close()
        await pair.client.lost
        await pair.server.lost
        # connection_lost() of the other side may still be on its way out.
        await asyncio.sleep(0)
        return [weakref.ref(pair.client), weakref.ref(pair.server)]

    gc.collect()
    gc.disable()
    try:
        left = run(main())
        gc.collect()
        assert [protocol() for protocol in left] == [None, None]
    finally:
        gc.enable()


@pytest.mark.ours
def test_idle_connections_hold_no_buffers(run: Run, connect: Connect) -> None:
    def resident() -> int:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    async def main() -> float:
        warm = [await connect() for _ in range(20)]
        before = resident()
        pairs = [await connect() for _ in range(100)]
        each = (resident() - before) / len(pairs) / 2
        for pair in warm + pairs:
            await pair.close()
        return each

    # asyncio's own takes a buffer of 256 KiB for each; what is left is OpenSSL's.
    assert run(main()) < 100 * 1024


@pytest.mark.parametrize("size", [7, 3000, 16384])
def test_reading_into_a_protocols_buffer_leaves_nothing_behind(
    run: Run, connect: Connect, size: int
) -> None:
    exchanges = 300

    async def main() -> float:
        taker = BufferedRecorder(size)
        pair = await connect(make_server=lambda: taker)

        async def exchange() -> int:
            for _ in range(exchanges):
                taker.received.clear()
                pair.client.transport.write(bytes(20))
                while len(taker.received) < 20:
                    await asyncio.sleep(0)
            gc.collect()
            return sys.getallocatedblocks()

        await exchange()
        before = await exchange()
        grown = await exchange() - before
        pair.client.transport.abort()
        await pair.client.lost
        await taker.lost
        return grown / exchanges

    assert run(main()) < 0.5
