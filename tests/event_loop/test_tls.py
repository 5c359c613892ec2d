"""TLS by the standard library's ssl: servers, clients, upgrades, refusals."""

from __future__ import annotations

import asyncio
import os
import ssl
from asyncio import AbstractEventLoop, StreamReader, StreamWriter

import pytest
from loop_under_test import Run
from recording_protocol import RecordingProtocol, connected_pair

LARGE = 2_000_000


async def echo(reader: StreamReader, writer: StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


def test_megabytes_are_echoed_through_tls(
    run: Run, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    payload = os.urandom(LARGE)

    async def main() -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=server_tls)
        host, port = server.sockets[0].getsockname()
        reader, writer = await asyncio.open_connection(
            host, port, ssl=client_tls, server_hostname="localhost"
        )
        receiving = asyncio.ensure_future(reader.readexactly(LARGE))
        writer.write(payload)
        await writer.drain()
        assert await receiving == payload
        assert writer.get_extra_info("cipher") is not None
        assert writer.get_extra_info("ssl_object").version().startswith("TLSv1.")
        assert writer.get_extra_info("peercert")["subject"] == ((("commonName", "localhost"),),)
        assert writer.get_extra_info("peername") == (host, port)
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()

    run(main())


def test_protocols_are_told_the_same_as_without_tls(
    run: Run, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        accepted = RecordingProtocol()
        server = await loop.create_server(lambda: accepted, "127.0.0.1", 0, ssl=server_tls)
        transport, client = await loop.create_connection(
            RecordingProtocol,
            *server.sockets[0].getsockname(),
            ssl=client_tls,
            server_hostname="localhost",
        )
        assert not transport.can_write_eof()
        transport.write(b"data")
        transport.close()
        assert await client.lost is None
        assert await accepted.lost is None
        assert accepted.calls == ["made", "data", "end", "lost"]
        assert accepted.received == b"data"
        server.close()

    run(main())


def test_a_certificate_that_is_not_trusted_is_refused(
    run: Run, server_tls: ssl.SSLContext, loop: AbstractEventLoop
) -> None:
    async def main() -> None:
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0, ssl=server_tls)
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection(
                *server.sockets[0].getsockname(),
                ssl=ssl.create_default_context(),
                server_hostname="localhost",
            )
        server.close()
        await server.wait_closed()

    run(main())


def test_a_wrong_name_is_refused(
    run: Run, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext, loop: AbstractEventLoop
) -> None:
    async def main() -> None:
        server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0, ssl=server_tls)
        with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
            await asyncio.open_connection(
                *server.sockets[0].getsockname(), ssl=client_tls, server_hostname="elsewhere"
            )
        server.close()
        await server.wait_closed()

    run(main())


def test_a_peer_that_speaks_no_tls_is_an_error(run: Run, client_tls: ssl.SSLContext) -> None:
    async def plain(_: StreamReader, writer: StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(plain, "127.0.0.1", 0)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection(
                *server.sockets[0].getsockname(), ssl=client_tls, server_hostname="localhost"
            )
        server.close()
        await server.wait_closed()

    run(main())


def test_a_peer_that_is_silent_runs_into_the_handshake_timeout(
    run: Run, client_tls: ssl.SSLContext
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        silent = RecordingProtocol()
        server = await loop.create_server(lambda: silent, "127.0.0.1", 0)
        with pytest.raises(ConnectionAbortedError, match="handshake is taking longer"):
            await loop.create_connection(
                asyncio.Protocol,
                *server.sockets[0].getsockname(),
                ssl=client_tls,
                server_hostname="localhost",
                ssl_handshake_timeout=0.02,
            )
        await silent.lost
        server.close()

    run(main())


def test_a_plain_connection_is_upgraded(
    run: Run, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        pair = await connected_pair()
        pair.client.transport.write(b"STARTTLS")
        await pair.server.has_received(8)
        # The same protocols go on above TLS; neither is told connection_made again.
        client, server = await asyncio.gather(
            loop.start_tls(
                pair.client.transport, pair.client, client_tls, server_hostname="localhost"
            ),
            loop.start_tls(pair.server.transport, pair.server, server_tls, server_side=True),
        )
        assert client is not None and server is not None
        client.write(b"secret question")
        assert (await pair.server.has_received(23))[8:] == b"secret question"
        server.write(b"secret answer")
        assert await pair.client.has_received(13) == b"secret answer"
        assert client.get_extra_info("cipher") is not None
        client.close()
        await pair.client.lost
        await pair.server.lost
        for protocol in (pair.client, pair.server):
            assert protocol.calls.count("made") == 1 and protocol.calls[-1] == "lost"

    run(main())


def test_streams_are_upgraded(
    run: Run, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async def upgrade(reader: StreamReader, writer: StreamWriter) -> None:
        assert await reader.readline() == b"STARTTLS\n"
        # The client waits for this: its first TLS bytes must not come before TLS is listened for.
        writer.write(b"go ahead\n")
        await writer.start_tls(server_tls)
        writer.write((await reader.readline()).upper())
        writer.close()

    async def main() -> bytes:
        server = await asyncio.start_server(upgrade, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"STARTTLS\n")
        assert await reader.readline() == b"go ahead\n"
        await writer.start_tls(client_tls, server_hostname="localhost")
        writer.write(b"secret\n")
        answer = await reader.read()
        writer.close()
        server.close()
        return answer

    assert run(main()) == b"SECRET\n"
