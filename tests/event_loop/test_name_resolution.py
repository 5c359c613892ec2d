"""getaddrinfo and getnameinfo, and connections by name."""

from __future__ import annotations

import asyncio
import socket

import pytest
from loop_under_test import Run
from recording_protocol import RecordingProtocol


def test_names_are_resolved_as_the_system_does(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        for arguments in (("localhost", 80), ("127.0.0.1", "http"), (None, 0)):
            found = await loop.getaddrinfo(*arguments, type=socket.SOCK_STREAM)
            assert found == socket.getaddrinfo(*arguments, type=socket.SOCK_STREAM)
        numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
        assert await loop.getnameinfo(("127.0.0.1", 80), numeric) == ("127.0.0.1", "80")

    run(main())


def test_a_name_that_does_not_exist_is_an_error(run: Run) -> None:
    async def main() -> None:
        # A label may have 63 letters: this one fails without asking any server.
        with pytest.raises((socket.gaierror, UnicodeError)):
            await asyncio.open_connection("x" * 64 + ".invalid", 80)

    run(main())


def test_a_connection_is_made_by_name(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        accepted = RecordingProtocol()
        server = await loop.create_server(lambda: accepted, "localhost", 0, family=socket.AF_INET)
        port = server.sockets[0].getsockname()[1]
        transport, client = await loop.create_connection(
            RecordingProtocol, "localhost", port, family=socket.AF_INET
        )
        transport.write(b"by name")
        assert await accepted.has_received(7) == b"by name"
        transport.close()
        await client.lost
        await accepted.lost
        server.close()

    run(main())


def test_happy_eyeballs_find_the_address_that_answers(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        transport, client = await loop.create_connection(
            RecordingProtocol, "localhost", port, happy_eyeballs_delay=0.01
        )
        assert transport.get_extra_info("peername")[:2] == ("127.0.0.1", port)
        transport.close()
        await client.lost
        server.close()

    run(main())
