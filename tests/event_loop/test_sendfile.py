"""loop.sendfile: a file goes out through a transport, in place among other writes."""

from __future__ import annotations

import asyncio
import io
import os
from pathlib import Path

import pytest
from loop_under_test import Run
from recording_protocol import connected_pair

LARGE = 2_000_000
FAR_MORE_THAN_SOCKETS_HOLD = 40_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(LARGE))
    return path


def test_a_file_is_sent_between_writes(run: Run, file: Path) -> None:
    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        pair = await connected_pair()
        pair.client.transport.write(b"before ")
        with file.open("rb") as opened:
            assert await loop.sendfile(pair.client.transport, opened) == LARGE
            assert opened.tell() == LARGE
        pair.client.transport.write(b" after")
        received = await pair.server.has_received(LARGE + 13)
        assert pair.client.transport.get_protocol() is pair.client
        await pair.close()
        return received

    assert run(main()) == b"before " + file.read_bytes() + b" after"


def test_a_part_of_a_file_is_sent(run: Run, file: Path) -> None:
    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        pair = await connected_pair()
        with file.open("rb") as opened:
            assert await loop.sendfile(pair.client.transport, opened, 1000, 500_000) == 500_000
        received = await pair.server.has_received(500_000)
        await pair.close()
        return received

    assert run(main()) == file.read_bytes()[1000:501_000]


def test_what_is_no_real_file_is_sent_too(run: Run) -> None:
    async def main() -> bytes:
        pair = await connected_pair()
        content = io.BytesIO(b"in memory")
        await asyncio.get_running_loop().sendfile(pair.client.transport, content)
        received = await pair.server.has_received(9)
        await pair.close()
        return received

    assert run(main()) == b"in memory"


def test_a_slow_reader_holds_the_file_back(run: Run, tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(b"x" * FAR_MORE_THAN_SOCKETS_HOLD)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        pair = await connected_pair()
        pair.server.transport.pause_reading()
        with big.open("rb") as opened:
            sending = asyncio.ensure_future(loop.sendfile(pair.client.transport, opened))
            await asyncio.sleep(0.005)
            assert not sending.done()
            pair.server.transport.resume_reading()
            assert await sending == FAR_MORE_THAN_SOCKETS_HOLD
        received = await pair.server.has_received(FAR_MORE_THAN_SOCKETS_HOLD)
        assert len(received) == FAR_MORE_THAN_SOCKETS_HOLD
        await pair.close()

    run(main())


def test_a_connection_that_is_lost_ends_the_sending(run: Run, file: Path) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        pair = await connected_pair()
        await pair.close()
        with file.open("rb") as opened, pytest.raises((RuntimeError, ConnectionError)):
            await loop.sendfile(pair.client.transport, opened)

    run(main())
