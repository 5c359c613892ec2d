"""The opening handshake of a WebSocket: its scope, its acceptance and its refusal."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
import websockets
from applications import body, hello, start
from frames import TEXT, accept_of, close, frame, handshake, opened
from served import Application, Message, Receive, Scope, Send, served


def accepting(scopes: list[Scope], **accept: Any) -> Application:
    """An application that keeps its scopes, accepts and closes."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)
        assert await receive() == {"type": "websocket.connect"}
        await send({"type": "websocket.accept", **accept})
        await send({"type": "websocket.close"})

    return app


async def test_a_scope_has_what_the_specification_names_and_nothing_else() -> None:
    scopes: list[Scope] = []
    async with served(accepting(scopes), lifespan="off") as server:
        async with await server.connect() as wire:
            client = wire.sock.getsockname()
            await opened(wire, "/caf%C3%A9/a%2Fb?x=%20", "X-A: 1", "x-a: 2")
    (scope,) = scopes
    headers = scope.pop("headers")
    assert scope.pop("asgi")["version"] == "3.0"
    assert scope == {
        "type": "websocket",
        "http_version": "1.1",
        "scheme": "ws",
        "path": "/café/a/b",
        "raw_path": b"/caf%C3%A9/a%2Fb",
        "query_string": b"x=%20",
        "root_path": "",
        "client": client,
        "server": ("127.0.0.1", server.port),
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
        "state": {},
    }
    assert [value for name, value in headers if name == b"x-a"] == [b"1", b"2"]
    assert (b"upgrade", b"websocket") in headers
    assert (b"sec-websocket-version", b"13") in headers


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        (["Sec-WebSocket-Protocol: chat"], ["chat"]),
        (["Sec-WebSocket-Protocol: chat, superchat,  other"], ["chat", "superchat", "other"]),
        (["Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: b, c"], ["a", "b", "c"]),
    ],
)
async def test_the_offered_subprotocols_are_listed(lines: list[str], names: list[str]) -> None:
    scopes: list[Scope] = []
    async with served(accepting(scopes), lifespan="off") as server:
        async with await server.connect() as wire:
            await opened(wire, "/", *lines)
    assert scopes[0]["subprotocols"] == names


async def test_an_accepted_handshake_is_answered_as_the_protocol_asks() -> None:
    async with served(accepting([]), lifespan="off") as server:
        async with await server.connect() as wire:
            answer = await opened(wire)
    assert (answer.status, answer.reason) == (101, "Switching Protocols")
    assert (answer.one("upgrade") or "").lower() == "websocket"
    assert (answer.one("connection") or "").lower() == "upgrade"
    assert answer.one("sec-websocket-accept") == accept_of()
    for name in ("sec-websocket-protocol", "sec-websocket-extensions", "content-length"):
        assert answer.one(name) is None


async def test_the_application_chooses_subprotocol_and_headers() -> None:
    headers = [(b"Set-Cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"x-a", b"1")]
    app = accepting([], subprotocol="superchat", headers=headers)
    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            answer = await opened(wire, "/", "Sec-WebSocket-Protocol: chat, superchat")
        url = server.websocket_url
        async with websockets.connect(url, subprotocols=["chat", "superchat"]) as client:
            assert client.subprotocol == "superchat"
    assert answer.all("set-cookie") == ["a=1", "b=2"]
    assert answer.one("x-a") == "1"
    assert answer.one("sec-websocket-protocol") == "superchat"


async def test_an_application_cannot_agree_on_extensions() -> None:
    headers = [(b"sec-websocket-extensions", b"x-own")]
    async with served(accepting([], headers=headers), lifespan="off") as server:
        async with await server.connect() as wire:
            answer = await opened(wire, "/", "Sec-WebSocket-Extensions: x-own")
    assert answer.one("sec-websocket-extensions") is None


async def test_a_refused_handshake_is_a_403_and_then_a_disconnect() -> None:
    told: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.close", "code": 4000})
        told.append(await receive())

    async with served(app, lifespan="off") as server:
        for _ in range(2):
            with pytest.raises(websockets.InvalidStatus) as refused:
                await websockets.connect(server.websocket_url)
            assert refused.value.response.status_code == 403
    assert [event["type"] for event in told] == ["websocket.disconnect"] * 2


async def raises(send: Send) -> None:
    raise LookupError("nothing there")


async def returns(send: Send) -> None:
    pass


def sends(message: Any) -> Any:
    async def misdeed(send: Send) -> None:
        await send(message)

    return misdeed


@pytest.mark.parametrize(
    ("misdeed", "complaint"),
    [
        (raises, "LookupError: nothing there"),
        (returns, "returned without a response"),
        (sends({"type": "websocket.send", "text": "x"}), "'websocket.send' before 'websocket.acc"),
        (sends(start()), 'a WebSocket application sends .* not "http.response.start"'),
        (sends(body()), 'a WebSocket application sends .* not "http.response.body"'),
        (sends({}), "an ASGI message needs a 'type'"),
        (sends("websocket.accept"), "TypeError: an ASGI message is a dict, not str"),
        (sends({"type": "websocket.accept", "headers": [("x", "y")]}), "a pair of bytes"),
        (sends({"type": "websocket.accept", "headers": [(b"x", b"a\nb")]}), "line break"),
        (sends({"type": "websocket.accept", "subprotocol": b"x"}), "is a str, not bytes"),
        (sends({"type": "websocket.accept", "subprotocol": "a\r\nb"}), "is not a token"),
    ],
)
async def test_a_fault_before_the_answer_is_a_500_and_named_in_the_log(
    misdeed: Any, complaint: str
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            return await hello(scope, receive, send)
        await receive()
        await misdeed(send)

    async with served(app, faulty=True, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(handshake("/ill"))
            answer = await wire.answer()
            assert (answer.status, answer.body) == (500, b"Internal Server Error")
        assert (await server.get("/well")).body == b"/well"
    (fault,) = server.log.faults
    assert re.search(complaint, fault), fault
    assert fault.startswith("GET /ill: ")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (["Sec-WebSocket-Key:"], 400),
        (["Sec-WebSocket-Version:"], 426),
        (["Sec-WebSocket-Version: 12"], 426),
        (["Sec-WebSocket-Key: too-short"], 400),
    ],
)
async def test_a_handshake_that_is_none_is_refused_without_the_application(
    headers: list[str], status: int
) -> None:
    scopes: list[Scope] = []
    async with served(accepting(scopes), lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(handshake("/", *headers))
            answer = await wire.answer()
    assert answer.status == status
    assert answer.one("sec-websocket-version") == ("13" if status == 426 else None)
    assert scopes == []


async def test_another_upgrade_is_an_ordinary_request() -> None:
    async with served(hello, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(handshake("/h2c", "Upgrade: h2c"))
            assert (await wire.answer()).body == b"/h2c"


@pytest.mark.parametrize("leaves", ["with a reset", "in order"])
async def test_a_client_that_leaves_before_the_answer_is_told_to_the_application(
    leaves: str,
) -> None:
    waiting = asyncio.Event()
    told: asyncio.Queue[Message] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        waiting.set()
        told.put_nowait(await receive())

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(handshake())
            await waiting.wait()
            wire.vanish() if leaves == "with a reset" else wire.leave()
            event = await told.get()
    assert (event["type"], event["code"]) == ("websocket.disconnect", 1006)


async def test_a_handshake_with_a_body_is_none() -> None:
    async with served(hello, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(handshake("/", "Content-Length: 5"))
            answer = await wire.answer()
    assert (answer.status, answer.body) == (400, b"a WebSocket handshake has no body")


async def test_messages_sent_right_behind_the_handshake_are_not_lost() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        texts.append((await receive())["text"])
        await send({"type": "websocket.close"})

    texts: list[str] = []
    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(handshake() + frame(TEXT, b"early") + close(1000))
            await wire.rest()
    assert texts == ["early"]
