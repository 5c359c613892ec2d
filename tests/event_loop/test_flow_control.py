"""Flow control: pausing and resuming both ways, and the marks of the write buffer."""

from __future__ import annotations

import asyncio
import socket

import pytest
from loop_under_test import Run
from recording_protocol import RecordingProtocol, connected_pair

LARGE = 32_000_000


def test_a_full_buffer_pauses_the_protocol_and_an_empty_one_resumes_it(run: Run) -> None:
    async def main() -> None:
        pair = await connected_pair()
        pair.server.transport.pause_reading()
        pair.client.transport.write(b"x" * LARGE)
        assert pair.client.calls == ["made", "pause"]
        assert pair.client.transport.get_write_buffer_size() > 64 * 1024
        pair.client.transport.write(b"more")
        assert pair.client.calls == ["made", "pause"]
        pair.server.transport.resume_reading()
        await pair.client.resumed.wait()
        assert pair.client.calls == ["made", "pause", "resume"]
        assert pair.client.transport.get_write_buffer_size() <= 16 * 1024
        await pair.server.has_received(LARGE + 4)
        await pair.close()

    run(main())


def test_small_writes_never_pause(run: Run) -> None:
    async def main() -> None:
        pair = await connected_pair()
        for _ in range(1000):
            pair.client.transport.write(b"x" * 10)
            assert pair.client.transport.get_write_buffer_size() == 0
        await pair.server.has_received(10_000)
        assert pair.client.calls == ["made"]
        await pair.close()

    run(main())


def test_the_marks_follow_from_each_other(run: Run) -> None:
    async def main() -> None:
        pair = await connected_pair()
        transport = pair.client.transport
        assert transport.get_write_buffer_limits() == (16 * 1024, 64 * 1024)
        transport.set_write_buffer_limits(high=1000)
        assert transport.get_write_buffer_limits() == (250, 1000)
        transport.set_write_buffer_limits(low=100)
        assert transport.get_write_buffer_limits() == (100, 400)
        transport.set_write_buffer_limits(high=7, low=7)
        assert transport.get_write_buffer_limits() == (7, 7)
        transport.set_write_buffer_limits(high=0)
        assert transport.get_write_buffer_limits() == (0, 0)
        transport.set_write_buffer_limits()
        assert transport.get_write_buffer_limits() == (16 * 1024, 64 * 1024)
        for high, low in ((1, 2), (-1, -1), (10, -1)):
            with pytest.raises(ValueError, match=r"high \(.*\) must be >= low \(.*\) must be >= 0"):
                transport.set_write_buffer_limits(high=high, low=low)
        assert transport.get_write_buffer_limits() == (16 * 1024, 64 * 1024)
        await pair.close()

    run(main())


def test_a_high_mark_of_zero_pauses_at_the_first_byte_left_over(run: Run) -> None:
    async def main() -> None:
        pair = await connected_pair()
        pair.client.transport.set_write_buffer_limits(high=0)
        pair.client.transport.write(b"small")
        assert pair.client.calls == ["made"]
        pair.server.transport.pause_reading()
        pair.client.transport.write(b"x" * LARGE)
        assert pair.client.calls == ["made", "pause"]
        pair.server.transport.resume_reading()
        await pair.client.resumed.wait()
        assert pair.client.transport.get_write_buffer_size() == 0
        await pair.close()

    run(main())


def test_lowering_the_mark_under_a_full_buffer_pauses(run: Run) -> None:
    async def main() -> None:
        pair = await connected_pair()
        pair.server.transport.pause_reading()
        pair.client.transport.set_write_buffer_limits(high=2 * LARGE)
        pair.client.transport.write(b"x" * LARGE)
        assert pair.client.calls == ["made"]
        pair.client.transport.set_write_buffer_limits(high=10)
        assert pair.client.calls == ["made", "pause"]
        await pair.close()

    run(main())


def test_a_paused_reader_reads_nothing_until_it_resumes(run: Run) -> None:
    async def main() -> None:
        pair = await connected_pair()
        transport = pair.server.transport
        assert transport.is_reading()
        transport.pause_reading()
        transport.pause_reading()
        assert not transport.is_reading()
        pair.client.transport.write(b"waiting")
        pair.client.transport.write_eof()
        await asyncio.sleep(0.005)
        assert pair.server.calls == ["made"]
        transport.resume_reading()
        transport.resume_reading()
        assert transport.is_reading()
        await pair.server.lost
        assert pair.server.calls == ["made", "data", "end", "lost"]
        assert not transport.is_reading()
        await pair.close()

    run(main())


def test_pausing_inside_data_received_stops_the_reading(run: Run) -> None:
    async def main() -> None:
        pair = await connected_pair()
        chunks: list[int] = []

        def pause(data: bytes) -> None:
            chunks.append(len(data))
            pair.server.transport.pause_reading()

        pair.server.on_data = pause
        pair.client.transport.write(b"x" * LARGE)
        while len(pair.server.received) < LARGE:
            count = len(chunks)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert len(chunks) <= count + 1
            pair.server.transport.resume_reading()
        await pair.close()

    run(main())


def test_a_protocol_may_begin_paused(run: Run) -> None:
    class Paused(RecordingProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self.transport.pause_reading()

    async def main() -> None:
        left, right = socket.socketpair()
        left.send(b"already here")
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_connection(Paused, sock=right)
        await asyncio.sleep(0.002)
        assert protocol.calls == ["made"]
        transport.resume_reading()
        assert await protocol.has_received(12) == b"already here"
        transport.close()
        await protocol.lost
        left.close()

    run(main())


def test_a_paused_connection_that_is_closed_loses_it(run: Run) -> None:
    async def main() -> None:
        pair = await connected_pair()
        pair.client.transport.pause_reading()
        pair.client.transport.close()
        pair.client.transport.resume_reading()
        assert await pair.client.lost is None
        await pair.server.lost

    run(main())


def test_writing_inside_resume_writing_loses_nothing(run: Run) -> None:
    class Pumping(RecordingProtocol):
        left = 200

        def resume_writing(self) -> None:
            super().resume_writing()
            if self.left:
                self.left -= 1
                self.transport.write(b"x" * 200_000)

    async def main() -> None:
        pair = await connected_pair(make_client=Pumping)
        pair.client.transport.set_write_buffer_limits(high=0)
        pair.client.transport.write(b"x" * LARGE)
        await pair.client.resumed.wait()
        pair.client.transport.close()
        await pair.client.lost
        await pair.server.lost
        assert len(pair.server.received) == LARGE + (200 - pair.client.left) * 200_000

    run(main())
