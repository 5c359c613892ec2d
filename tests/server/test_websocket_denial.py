"""The extension `websocket.http.response`: an ordinary response instead of a WebSocket."""

from __future__ import annotations

from typing import Any

import pytest
from frames import handshake
from http2 import Client
from served import Application, Message, Receive, Scope, Send, served
from test_websocket_over_http2 import Tunnel


def denying(*messages: Message) -> Application:
    """An application that denies a WebSocket with these messages."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert "websocket.http.response" in scope["extensions"]
        assert await receive() == {"type": "websocket.connect"}
        for message in messages:
            await send(message)
        assert await receive() == {"type": "websocket.disconnect", "code": 1006, "reason": ""}

    return app


def start(status: int = 401, **fields: Any) -> Message:
    return {"type": "websocket.http.response.start", "status": status, **fields}


def body(data: bytes = b"", more: bool = False) -> Message:
    return {"type": "websocket.http.response.body", "body": data, "more_body": more}


@pytest.mark.parametrize(
    "pieces", [[b"who are you?"], [b"who are ", b"you?"], [b"", b"who are you?"]]
)
async def test_a_client_gets_the_response(pieces: list[bytes]) -> None:
    messages = [start(401, headers=[(b"www-authenticate", b"Basic")])]
    messages += [body(piece, more=True) for piece in pieces[:-1]] + [body(pieces[-1])]
    async with served(denying(*messages), lifespan="off") as server:
        async with await server.connect() as wire:
            # The connection is not lost by it.
            for _ in range(2):
                await wire.send(handshake())
                answer = await wire.answer()
                assert (answer.status, answer.body) == (401, b"who are you?")
                assert answer.one("www-authenticate") == "Basic"
        async with await server.connect() as wire:
            client = await Client.begin(wire)
            tunnel = await Tunnel.open(client)
            response = await client.response(tunnel.stream)
            assert (response.status, response.body) == (401, b"who are you?")


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([body()], "before 'websocket.http.response.start'"),
        ([start(), start()], "'websocket.http.response.start' twice"),
        ([start(200)], "status 200 would accept the WebSocket"),
        ([start(), {"type": "websocket.accept"}], "'websocket.accept' after"),
        ([{"type": "websocket.accept"}, start()], "after 'websocket.accept'"),
        ([start(), body(), body()], "after the response was complete"),
        ([start(headers=[(b"content-length", b"1")]), body(b"two")], "declared content-length 1"),
        ([start()], "returned without a response|AssertionError"),
    ],
)
async def test_what_is_out_of_order_is_an_error_of_its_sender(
    messages: list[Message], expected: str
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        for message in messages:
            await send(message)

    async with served(app, faulty=True, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(handshake())
            await server.log.wait_for(expected)
            assert (await wire.head()).status in (101, 401, 500)
