"""WebSocket applications that break the rules, or send when nobody listens any more."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
import websockets
from applications import start
from served import Receive, Scope, Send, served

from hoopsnake import ClientDisconnected


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
        (sends({"type": "websocket.accept"}), "sent 'websocket.accept' twice"),
        (sends({"type": "websocket.send"}), "'websocket.send' needs 'text' or 'bytes'"),
        (sends({"type": "websocket.send", "text": "a", "bytes": b"b"}), "not both"),
        (sends({"type": "websocket.send", "text": b"a"}), "'text' .* is a str, not bytes"),
        (sends({"type": "websocket.send", "bytes": "a"}), "'bytes' .* is bytes, not str"),
        (sends({"type": "websocket.send", "text": "\ud800"}), "surrogates not allowed"),
        (sends({"type": "websocket.close", "code": 1005}), "code 1005 may not be sent"),
        (sends({"type": "websocket.close", "code": 5000}), "code 5000 may not be sent"),
        (sends({"type": "websocket.close", "code": "x"}), "'code' .* is an int"),
        (sends({"type": "websocket.close", "code": -1}), "'code' .* is an int"),
        (sends({"type": "websocket.close", "reason": b"x"}), "'reason' .* is a str, not bytes"),
        (sends({"type": "websocket.close", "reason": "é" * 62}), "takes 124 bytes"),
        (sends(start()), 'a WebSocket application sends .* not "http.response.start"'),
        (sends({"text": "x"}), "an ASGI message needs a 'type'"),
        (sends(None), "TypeError: an ASGI message is a dict, not NoneType"),
    ],
)
async def test_a_fault_of_the_application_is_a_1011_and_named_in_the_log(
    misdeed: Any, complaint: str
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "before"})
        if scope["path"] == "/ill":
            await misdeed(send)

    async with served(app, faulty=True, lifespan="off") as server:
        async with websockets.connect(f"{server.websocket_url}/ill") as client:
            assert await client.recv() == "before"
            await client.wait_closed()
        assert client.close_code == 1011
        async with websockets.connect(f"{server.websocket_url}/well") as client:
            assert await client.recv() == "before"
            await client.wait_closed()
        assert client.close_code == 1000, "an application that returns has closed"
    (fault,) = server.log.faults
    assert re.search(complaint, fault), fault
    assert fault.startswith("GET /ill: ")
    assert f'File "{__file__}"' in fault


@pytest.mark.parametrize("kind", ["websocket.send", "websocket.accept", "websocket.close"])
async def test_after_its_own_close_the_application_can_send_nothing(kind: str) -> None:
    raised: asyncio.Queue[Exception] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 4000})
        try:
            await send({"type": kind, "text": "late"})
        except Exception as error:
            raised.put_nowait(error)

    async with served(app, lifespan="off") as server:
        async with websockets.connect(server.websocket_url) as client:
            error = await raised.get()
            await client.wait_closed()
    assert isinstance(error, RuntimeError)
    assert f'"{kind}" after it had closed' in str(error)
    assert client.close_code == 4000


async def test_after_the_clients_close_send_raises_and_close_does_not() -> None:
    raised: asyncio.Queue[BaseException] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        assert (await receive())["type"] == "websocket.disconnect"
        await send({"type": "websocket.close"})
        try:
            await send({"type": "websocket.send", "text": "late"})
        except BaseException as error:
            raised.put_nowait(error)
            raise

    async with served(app, lifespan="off") as server:
        async with websockets.connect(server.websocket_url):
            pass
        assert isinstance(await raised.get(), ClientDisconnected)
