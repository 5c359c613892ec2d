"""Unix sockets: servers, clients and streams by path, and sockets that exist already."""

from __future__ import annotations

import asyncio
import os
import socket
from asyncio import StreamReader, StreamWriter
from pathlib import Path

import pytest
from loop_under_test import Run
from recording_protocol import RecordingProtocol

LARGE = 3_000_000


def test_streams_talk_over_a_path(run: Run, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    payload = os.urandom(LARGE)

    async def echo(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(await reader.read(-1))
        writer.close()

    async def main() -> None:
        server = await asyncio.start_unix_server(echo, path)
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(payload)
        writer.write_eof()
        assert await reader.read() == payload
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()

    run(main())


def test_transports_know_their_addresses(run: Run, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        accepted = RecordingProtocol()
        server = await loop.create_unix_server(lambda: accepted, path)
        transport, client = await loop.create_unix_connection(RecordingProtocol, path)
        await accepted.made
        assert transport.get_extra_info("peername") == path
        assert accepted.transport.get_extra_info("sockname") == path
        assert transport.get_extra_info("socket").family == socket.AF_UNIX
        transport.write(b"data")
        assert await accepted.has_received(4) == b"data"
        transport.close()
        await client.lost
        await accepted.lost
        server.close()

    run(main())


def test_a_stale_path_is_replaced_and_a_file_is_not(run: Run, tmp_path: Path) -> None:
    stale, file = tmp_path / "stale", tmp_path / "file"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(stale))
    file.write_text("precious")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(RecordingProtocol, str(stale))
        server.close()
        with pytest.raises(OSError, match="already in use"):
            await loop.create_unix_server(RecordingProtocol, str(file))

    run(main())
    assert file.read_text() == "precious"


def test_nobody_at_the_path_is_an_error(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(FileNotFoundError):
            await asyncio.open_unix_connection(str(tmp_path / "nobody"))

    run(main())


def test_sockets_that_exist_already_are_taken(run: Run) -> None:
    async def main() -> None:
        left, right = socket.socketpair()
        left_reader, left_writer = await asyncio.open_connection(sock=left)
        right_reader, right_writer = await asyncio.open_unix_connection(sock=right)
        left_writer.write(b"to the right\n")
        right_writer.write(b"to the left\n")
        assert await right_reader.readline() == b"to the right\n"
        assert await left_reader.readline() == b"to the left\n"
        for writer in (left_writer, right_writer):
            writer.close()
            await writer.wait_closed()

    run(main())


def test_an_accepted_socket_is_connected_to_a_protocol(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        left, right = socket.socketpair()
        with left:
            left.send(b"data")
            transport, protocol = await loop.connect_accepted_socket(RecordingProtocol, right)
            assert await protocol.has_received(4) == b"data"
            transport.close()
            await protocol.lost

    run(main())


def test_what_follows_a_passed_descriptor_arrives(run: Run) -> None:
    async def main() -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            transport, protocol = await asyncio.get_running_loop().create_connection(
                RecordingProtocol, sock=ours
            )
            # One message with a descriptor ends a read, though more is there.
            socket.send_fds(theirs, [b"a"], [theirs.fileno()])
            theirs.send(b"bc")
            assert await protocol.has_received(3) == b"abc"
            transport.close()
            await protocol.lost

    run(main())
