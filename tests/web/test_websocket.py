"""WebSockets of an application: what their handlers are given, say and hear."""

from __future__ import annotations

from typing import Annotated

import pytest
from asgi_client import websocket

from hoopsnake.web import App, Depends, Query, WebSocket, WebSocketDisconnect

app = App()
SEEN: list[object] = []


def token(token: Annotated[str, Query(min_length=2)]) -> str:
    return token


@app.websocket("/echo/{room}")
async def echo(socket: WebSocket, room: int, token: Annotated[str, Depends(token)]) -> None:
    await socket.accept("chat")
    await socket.send_json({"room": room, "token": token})
    try:
        while True:
            await socket.send_text(await socket.receive_text())
    except WebSocketDisconnect as gone:
        SEEN.append((gone.code, gone.reason))
        raise


@app.websocket("/all")
async def everything(socket: WebSocket) -> None:
    await socket.accept()
    async for message in socket:
        SEEN.append(message)


@app.websocket("/json")
async def as_json(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_bytes(bytes([await socket.receive_json()]))


async def test_messages_go_both_ways_until_the_client_leaves() -> None:
    SEEN.clear()
    async with websocket(app, "/echo/7", "token=abc") as client:
        assert (await client.hear())["subprotocol"] == "chat"
        assert (await client.hear())["text"] == '{"room":7,"token":"abc"}'
        client.tell("websocket.receive", text="hi")
        assert (await client.hear())["text"] == "hi"
        client.tell("websocket.disconnect", code=4000, reason="bye")
        await client.task
    assert SEEN == [(4000, "bye")]


@pytest.mark.parametrize(
    ("path", "query", "reason"),
    [
        ("/echo/x", "token=abc", "path.room: Input should be a valid integer"),
        ("/echo/1", "", "query.token: Field required"),
    ],
)
async def test_what_is_wrong_refuses_the_handshake(path: str, query: str, reason: str) -> None:
    async with websocket(app, path, query) as client:
        message = await client.hear()
        assert (message["type"], message["code"]) == ("websocket.close", 1008)
        assert message["reason"].startswith(reason)


async def test_a_path_without_a_handler_refuses_too() -> None:
    async with websocket(app, "/none") as client:
        assert (await client.hear())["type"] == "websocket.close"


async def test_a_message_of_the_wrong_kind_closes() -> None:
    async with websocket(app, "/echo/1", "token=abc") as client:
        await client.hear()
        await client.hear()
        client.tell("websocket.receive", bytes=b"x")
        message = await client.hear()
        assert (message["type"], message["code"]) == ("websocket.close", 1003)


async def test_json_and_what_is_none() -> None:
    async with websocket(app, "/json") as client:
        await client.hear()
        client.tell("websocket.receive", text="65")
        assert (await client.hear())["bytes"] == b"A"
        assert (await client.hear())["type"] == "websocket.close"
    async with websocket(app, "/json") as client:
        await client.hear()
        client.tell("websocket.receive", text="{")
        assert (await client.hear())["code"] == 1007


async def test_going_through_the_messages_ends_with_the_client() -> None:
    SEEN.clear()
    async with websocket(app, "/all") as client:
        await client.hear()
        client.tell("websocket.receive", text="a")
        client.tell("websocket.receive", bytes=b"b")
        client.tell("websocket.disconnect", code=1001)
        await client.task
    assert SEEN == ["a", b"b"]
