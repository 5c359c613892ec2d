"""websockets: its asyncio server and client, with all the ways in which a connection ends."""

from __future__ import annotations

import asyncio
import contextlib
import http
import os
import ssl

import pytest

pytest.importorskip("websockets")
from websockets.asyncio.client import connect, unix_connect
from websockets.asyncio.server import Server, ServerConnection, broadcast, serve, unix_serve
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK, InvalidStatus
from websockets.http11 import Request, Response

LARGE = 2_000_000
CLIENTS = 200


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


def address(server: Server, scheme: str = "ws") -> str:
    return f"{scheme}://localhost:{server.sockets[0].getsockname()[1]}"


async def test_text_bytes_and_pieces_come_back() -> None:
    payload = os.urandom(LARGE)
    async with serve(echo, "localhost", 0, max_size=None) as server:
        async with connect(address(server), max_size=None) as client:
            for message in ("grüße", b"\x00\xff", "", payload):
                await client.send(message)
                assert await client.recv() == message
            await client.send(f"piece {number};" for number in range(100))
            assert await client.recv() == "".join(f"piece {number};" for number in range(100))
        assert client.close_code == 1000


async def test_tls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    payload = os.urandom(LARGE)
    async with serve(echo, "localhost", 0, ssl=server_tls, max_size=None) as server:
        async with connect(address(server, "wss"), ssl=client_tls, max_size=None) as client:
            await client.send(payload)
            assert await client.recv() == payload
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect(address(server, "wss"))


async def test_a_unix_socket(socket_path: str) -> None:
    async with unix_serve(echo, socket_path), unix_connect(socket_path) as client:
        await client.send("hello")
        assert await client.recv() == "hello"


async def test_pings_are_answered_and_timed() -> None:
    async with serve(echo, "localhost", 0) as server:
        async with connect(address(server), ping_interval=0.01, ping_timeout=10) as client:
            assert await (await client.ping()) > 0
            while client.latency == 0:
                await (await client.ping())
            assert 0 < client.latency < 10


async def test_a_peer_that_answers_no_ping_is_given_up() -> None:
    given_up = asyncio.Event()

    async def deaf(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        await given_up.wait()
        connection.transport.abort()

    async with serve(deaf, "localhost", 0) as server:
        client = await connect(
            address(server), ping_interval=0.02, ping_timeout=0.05, close_timeout=0.05
        )
        with pytest.raises(ConnectionClosedError, match="keepalive ping timeout"):
            await client.recv()
        given_up.set()


async def test_close_codes_and_reasons_reach_the_other_side() -> None:
    heard: asyncio.Queue[tuple[int | None, str | None]] = asyncio.Queue()

    async def listen(connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosedError):
            async for message in connection:
                assert isinstance(message, str)
                await connection.close(int(message), "as you wish")
        await heard.put((connection.close_code, connection.close_reason))

    async with serve(listen, "localhost", 0) as server:
        async with connect(address(server)) as client:
            await client.close(4002, "enough")
        assert await heard.get() == (4002, "enough")
        async with connect(address(server)) as client:
            await client.send("1000")
            with pytest.raises(ConnectionClosedOK):
                await client.recv()
        async with connect(address(server)) as client:
            await client.send("4003")
            with pytest.raises(ConnectionClosedError) as closed:
                await client.recv()
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4003, "as you wish")


async def test_a_message_that_is_too_large_ends_the_connection_with_its_code() -> None:
    async with serve(echo, "localhost", 0, max_size=1000) as server:
        async with connect(address(server)) as client:
            await client.send("x" * 1001)
            with pytest.raises(ConnectionClosedError):
                await client.recv()
            assert client.close_code == 1009


async def test_an_aborted_connection_is_an_error_on_the_other_side() -> None:
    ends: asyncio.Queue[Exception | None] = asyncio.Queue()

    async def listen(connection: ServerConnection) -> None:
        try:
            await connection.recv()
        except ConnectionClosedError as error:
            await ends.put(error)

    async with serve(listen, "localhost", 0) as server:
        client = await connect(address(server))
        client.transport.abort()
        await client.wait_closed()
        assert isinstance(await ends.get(), ConnectionClosedError)
        assert client.close_code == 1006


async def test_a_handshake_can_be_refused() -> None:
    def check(connection: ServerConnection, request: Request) -> Response | None:
        if request.headers.get("Authorization") != "Bearer me":
            return connection.respond(http.HTTPStatus.UNAUTHORIZED, "who are you?")
        return None

    async with serve(echo, "localhost", 0, process_request=check) as server:
        with pytest.raises(InvalidStatus) as refused:
            await connect(address(server))
        assert refused.value.response.status_code == 401
        headers = {"Authorization": "Bearer me"}
        async with connect(address(server), additional_headers=headers) as client:
            await client.send("hello")
            assert await client.recv() == "hello"


async def test_a_cancelled_recv_loses_no_message() -> None:
    async def count(connection: ServerConnection) -> None:
        for number in range(200):
            await connection.send(str(number))
            await asyncio.sleep(0.0005)

    received = []
    async with serve(count, "localhost", 0) as server, connect(address(server)) as client:
        while len(received) < 200:
            try:
                async with asyncio.timeout(0.0008):
                    received.append(await client.recv())
            except TimeoutError:
                pass
    assert received == [str(number) for number in range(200)]


async def test_a_slow_reader_holds_up_the_sender() -> None:
    sent = 0

    async def flood(connection: ServerConnection) -> None:
        nonlocal sent
        for _ in range(400):
            await connection.send(bytes(50_000))
            sent += 1

    async with serve(flood, "localhost", 0, compression=None) as server:
        async with connect(address(server), compression=None, max_queue=2) as client:
            await client.recv()
            seen = -1
            while seen != sent:  # until the sender has come to a stop
                seen = sent
                await asyncio.sleep(0.1)
            assert sent < 390
            for _ in range(399):
                assert len(await client.recv()) == 50_000
            await client.wait_closed()


async def test_many_clients_hear_a_broadcast_and_the_end_of_the_server() -> None:
    members: set[ServerConnection] = set()

    async def join(connection: ServerConnection) -> None:
        members.add(connection)
        try:
            await connection.wait_closed()
        finally:
            members.discard(connection)

    async with serve(join, "localhost", 0) as server:
        clients = await asyncio.gather(*(connect(address(server)) for _ in range(CLIENTS)))
        while len(members) < CLIENTS:
            await asyncio.sleep(0)
        broadcast(members, "to all")
        assert await asyncio.gather(*(client.recv() for client in clients)) == ["to all"] * CLIENTS
        server.close()
        await asyncio.gather(*(client.wait_closed() for client in clients))
        assert {client.close_code for client in clients} == {1001}
    assert members == set()
