"""WebSocket over HTTP/2 (RFC 8441): the same to applications as over HTTP/1.1."""

from __future__ import annotations

import asyncio

import h2.errors
import h2.settings
import pytest
from applications import hello
from frames import BINARY, CLOSE, PING, PONG, TEXT, Frame, close, frame
from http2 import Client, client_of
from served import Message, Receive, Scope, Send


class Tunnel:
    """A stream that carries a WebSocket."""

    def __init__(self, client: Client, stream: int) -> None:
        self.client = client
        self.stream = stream
        self.response = client.responses[stream]

    @classmethod
    async def open(cls, client: Client, path: str = "/", *headers: tuple[str, str]) -> Tunnel:
        """Send the handshake and read the head of what answers it."""
        stream = client.h2.get_next_available_stream_id()
        head = [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "http"),
            (":path", path),
            (":authority", "test"),
            *(headers or [("sec-websocket-version", "13")]),
        ]
        client.h2.send_headers(stream, head)
        await client.flush()
        tunnel = cls(client, stream)
        await client.until(lambda _: tunnel.response.headers or tunnel.response.reset is not None)
        return tunnel

    async def send(self, data: bytes) -> None:
        await self.client.send_body(self.stream, data, end=False)

    async def frame(self) -> Frame:
        """Read a frame of the server's, of less than 64 KiB."""
        while (end := self._first_frame()) is None:
            assert not self.client.ended, "the server ended the connection"
            await self.client.read()
        data, self.response.body = self.response.body[:end], self.response.body[end:]
        at = 4 if data[1] == 126 else 2
        return Frame(data[0] & 0x0F, data[at:], bool(data[0] & 0x80))

    def _first_frame(self) -> int | None:
        """How long the first frame is, if all of it has come."""
        data = self.response.body
        if len(data) < 4 and not (len(data) >= 2 and data[1] < 126):
            return None
        end = 4 + int.from_bytes(data[2:4], "big") if data[1] == 126 else 2 + data[1]
        return end if len(data) >= end else None


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Accept and send back what comes; serve HTTP beside it."""
    if scope["type"] == "http":
        return await hello(scope, receive, send)
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await send({**event, "type": "websocket.send"})


async def test_it_is_offered_in_the_settings() -> None:
    async with client_of(echo) as (client, _):
        setting = h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL
        assert client.h2.remote_settings[setting] == 1


async def test_a_scope_is_that_of_http_1() -> None:
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        assert await receive() == {"type": "websocket.connect"}
        await send(
            {"type": "websocket.accept", "subprotocol": "chat", "headers": [(b"x-own", b"1")]}
        )
        await send({"type": "websocket.close", "code": 3001, "reason": "seen"})

    async with client_of(app) as (client, server):
        tunnel = await Tunnel.open(
            client,
            "/caf%C3%A9?x=1",
            ("sec-websocket-version", "13"),
            ("sec-websocket-protocol", "chat, other"),
        )
        assert tunnel.response.status == 200
        headers = dict(tunnel.response.headers)
        assert headers["sec-websocket-protocol"] == "chat" and headers["x-own"] == "1"
        assert not headers.keys() & {"upgrade", "connection", "sec-websocket-accept"}
        assert (await tunnel.frame()).close == (3001, "seen")
        await tunnel.send(close(3001))
        await client.response(tunnel.stream)
        # The connection goes on, and another one may be opened on it.
        assert (await Tunnel.open(client)).response.status == 200
    scope = scopes[0]
    assert (scope["type"], scope["http_version"], scope["scheme"]) == ("websocket", "2", "ws")
    assert (scope["path"], scope["raw_path"]) == ("/café", b"/caf%C3%A9")
    assert scope["query_string"] == b"x=1"
    assert scope["subprotocols"] == ["chat", "other"]
    assert scope["headers"][0] == (b"host", b"test")
    assert scope["server"] == ("127.0.0.1", server.port)
    assert "method" not in scope


async def test_messages_go_both_ways_beside_requests() -> None:
    async with client_of(echo) as (client, _):
        tunnels = [await Tunnel.open(client) for _ in range(3)]
        for number, tunnel in enumerate(tunnels):
            await tunnel.send(frame(TEXT, f"tunnel {number}".encode()))
        assert (await client.get("/beside")).body == b"/beside"
        for number, tunnel in enumerate(tunnels):
            assert await tunnel.frame() == Frame(TEXT, f"tunnel {number}".encode())
        large = bytes(range(256)) * 200
        await tunnels[0].send(frame(BINARY, large))
        assert await tunnels[0].frame() == Frame(BINARY, large)
        await tunnels[1].send(frame(PING, b"there?"))
        assert await tunnels[1].frame() == Frame(PONG, b"there?")
        await tunnels[2].send(close(1000, "done"))
        assert (await tunnels[2].frame()).close == (1000, "done")
        assert (await client.response(tunnels[2].stream)).ended


async def test_a_refused_handshake_is_an_ordinary_response() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.close"})

    async with client_of(app) as (client, _):
        tunnel = await Tunnel.open(client)
        assert tunnel.response.status == 403
        assert (await client.response(tunnel.stream)).ended


@pytest.mark.parametrize(
    ("header", "status"),
    [(("sec-websocket-version", "12"), 426), (("x-other", "1"), 426)],
    ids=["another version", "no version"],
)
async def test_a_handshake_that_is_wrong_is_refused(header: tuple[str, str], status: int) -> None:
    async with client_of(echo) as (client, _):
        tunnel = await Tunnel.open(client, "/", header)
        assert tunnel.response.status == status
        assert dict(tunnel.response.headers)["sec-websocket-version"] == "13"


@pytest.mark.parametrize("how", ["reset", "end"])
async def test_a_stream_that_breaks_off_is_a_client_that_has_gone(how: str) -> None:
    events: asyncio.Queue[Message] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        events.put_nowait(await receive())

    async with client_of(app) as (client, _):
        tunnel = await Tunnel.open(client)
        if how == "reset":
            client.h2.reset_stream(tunnel.stream, h2.errors.ErrorCodes.CANCEL)
        else:
            client.h2.end_stream(tunnel.stream)
        await client.flush()
        assert await events.get() == {
            "type": "websocket.disconnect",
            "code": 1006,
            "reason": "",
        }
        assert (await Tunnel.open(client)).response.status == 200


async def test_a_stop_tells_it_to_leave() -> None:
    async with client_of(echo, graceful_timeout=30.0) as (client, server):
        tunnel = await Tunnel.open(client)
        server.stop()
        message = await tunnel.frame()
        assert message.opcode == CLOSE and message.close[0] == 1012
        await tunnel.send(close(1012))
        await client.until_closed()
        client.wire.leave()
        await server.ended()
