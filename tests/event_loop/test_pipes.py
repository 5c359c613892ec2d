"""Pipes as transports: reading ends, writing ends, and their ends."""

from __future__ import annotations

import asyncio
import os
from typing import BinaryIO

from loop_under_test import Run
from recording_protocol import RecordingProtocol

LARGE = 2_000_000


class Writing(asyncio.BaseProtocol):
    def __init__(self) -> None:
        self.calls: list[str] = []
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def pause_writing(self) -> None:
        self.calls.append("pause")

    def resume_writing(self) -> None:
        self.calls.append("resume")

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.set_result(error)


class Reading(RecordingProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.calls.append("made")
        self.made.set_result(transport)  # type: ignore[arg-type]


def pipe() -> tuple[BinaryIO, BinaryIO]:
    reader, writer = os.pipe()
    return open(reader, "rb", 0), open(writer, "wb", 0)


def test_what_is_written_is_read(run: Run) -> None:
    payload = os.urandom(LARGE)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        reader, writer = pipe()
        _, reading = await loop.connect_read_pipe(Reading, reader)
        transport, writing = await loop.connect_write_pipe(Writing, writer)
        transport.write(payload)
        assert writing.calls == ["pause"]
        transport.close()
        assert await reading.lost is None
        assert await writing.lost is None
        assert reading.received == payload
        assert reading.calls[-2:] == ["end", "lost"]
        assert writing.calls == ["pause", "resume"]

    run(main())


def test_a_reader_that_goes_away_ends_the_writer(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        reader, writer = pipe()
        transport, writing = await loop.connect_write_pipe(Writing, writer)
        reader.close()
        assert isinstance(await writing.lost, BrokenPipeError | None)
        assert transport.is_closing()

    run(main())


def test_streams_read_a_pipe_by_lines(run: Run) -> None:
    async def main() -> list[bytes]:
        loop = asyncio.get_running_loop()
        reader, writer = pipe()
        stream = asyncio.StreamReader()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), reader
        )
        writer.write(b"one\ntwo\nthr")
        lines = [await stream.readline(), await stream.readline()]
        writer.write(b"ee\n")
        writer.close()
        lines.append(await stream.readline())
        assert await stream.read() == b""
        transport.close()
        return lines

    assert run(main()) == [b"one\n", b"two\n", b"three\n"]


def test_a_paused_pipe_is_not_read(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        reader, writer = pipe()
        transport, reading = await loop.connect_read_pipe(Reading, reader)
        transport.pause_reading()
        writer.write(b"waiting")
        await asyncio.sleep(0.002)
        assert reading.calls == ["made"]
        transport.resume_reading()
        assert await reading.has_received(7) == b"waiting"
        transport.close()
        await reading.lost
        writer.close()

    run(main())
