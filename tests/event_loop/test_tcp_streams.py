"""TCP by streams: start_server, open_connection, readers and writers."""

from __future__ import annotations

import asyncio
import os
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from loop_under_test import Run

LARGE = 5_000_000
Handler = Callable[[StreamReader, StreamWriter], Awaitable[None]]


async def echo(reader: StreamReader, writer: StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


@asynccontextmanager
async def serving(handler: Handler = echo) -> AsyncIterator[tuple[str, int]]:
    """Serve with `handler`, and wait at the end until all of its connections are done."""
    handling: set[asyncio.Task[None]] = set()

    async def tracked(reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handling.add(task)
        try:
            await handler(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(tracked, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()
    finally:
        server.close()
        await asyncio.gather(*handling)
        await server.wait_closed()


async def close(writer: StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


def test_megabytes_are_echoed(run: Run) -> None:
    payload = os.urandom(LARGE)

    async def main() -> None:
        async with serving() as address:
            reader, writer = await asyncio.open_connection(*address)
            receiving = asyncio.ensure_future(reader.readexactly(LARGE))
            for start in range(0, LARGE, 100_000):
                writer.write(payload[start : start + 100_000])
                await writer.drain()
            assert await receiving == payload
            await close(writer)

    run(main())


def test_a_writer_that_never_drains_loses_nothing(run: Run) -> None:
    payload = os.urandom(LARGE)

    async def main() -> None:
        async with serving() as address:
            reader, writer = await asyncio.open_connection(*address)
            for start in range(0, LARGE, 1000):
                writer.write(payload[start : start + 1000])
            writer.write_eof()
            assert await reader.read() == payload
            await close(writer)

    run(main())


def test_lines_are_read(run: Run) -> None:
    async def shout(reader: StreamReader, writer: StreamWriter) -> None:
        async for line in reader:
            writer.write(line.upper())

    async def main() -> list[bytes]:
        async with serving(shout) as address:
            reader, writer = await asyncio.open_connection(*address)
            writer.writelines([b"one\nt", b"wo\n", b"three"])
            writer.write_eof()
            lines = [line async for line in reader]
            await close(writer)
            return lines

    assert run(main()) == [b"ONE\n", b"TWO\n", b"THREE"]


def test_an_end_too_early_is_an_incomplete_read(run: Run) -> None:
    async def say_little(_: StreamReader, writer: StreamWriter) -> None:
        writer.write(b"short")

    async def main() -> None:
        async with serving(say_little) as address:
            reader, writer = await asyncio.open_connection(*address)
            with pytest.raises(asyncio.IncompleteReadError) as incomplete:
                await reader.readexactly(100)
            assert incomplete.value.partial == b"short"
            await close(writer)

    run(main())


def test_a_line_that_is_too_long_is_an_error(run: Run) -> None:
    async def say_much(_: StreamReader, writer: StreamWriter) -> None:
        writer.write(b"x" * 1000)

    async def main() -> None:
        async with serving(say_much) as address:
            reader, writer = await asyncio.open_connection(*address, limit=100)
            with pytest.raises(ValueError, match="limit"):
                await reader.readline()
            await close(writer)

    run(main())


def test_close_sends_all_that_was_written(run: Run) -> None:
    payload = os.urandom(LARGE)

    async def send_and_close(_: StreamReader, writer: StreamWriter) -> None:
        writer.write(payload)

    async def main() -> None:
        async with serving(send_and_close) as address:
            reader, writer = await asyncio.open_connection(*address)
            assert await reader.read() == payload
            await close(writer)

    run(main())


def test_drain_waits_for_a_slow_reader(run: Run) -> None:
    release: list[asyncio.Event] = []

    async def read_late(reader: StreamReader, _: StreamWriter) -> None:
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        await release[0].wait()
        reader._transport.resume_reading()  # type: ignore[attr-defined]
        while await reader.read(1_000_000):
            pass

    async def main() -> None:
        release.append(asyncio.Event())
        async with serving(read_late) as address:
            _, writer = await asyncio.open_connection(*address)
            writer.write(b"x" * 20_000_000)
            draining = asyncio.ensure_future(writer.drain())
            await asyncio.sleep(0.005)
            assert not draining.done()
            release[0].set()
            await draining
            await close(writer)

    run(main())


def test_a_reset_connection_is_an_error_of_the_reader(run: Run) -> None:
    async def reset(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readexactly(1)
        import socket
        import struct

        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async def main() -> None:
        async with serving(reset) as address:
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"x")
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()
            with pytest.raises(ConnectionResetError):
                await writer.wait_closed()

    run(main())


def test_many_connections_at_once(run: Run) -> None:
    async def talk(address: tuple[str, int], number: int) -> bytes:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"%d" % number * 1000)
        writer.write_eof()
        answer = await reader.read()
        await close(writer)
        return answer

    async def main() -> list[bytes]:
        async with serving() as address:
            return await asyncio.gather(*(talk(address, number) for number in range(200)))

    assert run(main()) == [b"%d" % number * 1000 for number in range(200)]


def test_a_cancelled_read_leaves_the_stream_whole(run: Run) -> None:
    async def main() -> bytes:
        async with serving() as address:
            reader, writer = await asyncio.open_connection(*address)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.readexactly(4), 0.002)
            writer.write(b"kept")
            answer = await reader.readexactly(4)
            await close(writer)
            return answer

    assert run(main()) == b"kept"
