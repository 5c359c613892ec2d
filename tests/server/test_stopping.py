"""A stop: idle connections end, requests get time, WebSockets are told, nobody new comes in."""

from __future__ import annotations

import asyncio
import time

import pytest
import websockets
from applications import body, echo, hello, start
from frames import TEXT, close, frame, handshake, next_frame, opened
from served import Message, Receive, Scope, Send, served
from wire import request


class Slow:
    """An application whose requests wait until they are released."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.release = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/quick":
            return await hello(scope, receive, send)
        if scope["path"] == "/stream":
            await send(start())
            await send(body(b"begun", True))
        self.begun.set()
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        if scope["path"] == "/stream":
            await send(body(b"ended"))
        else:
            await hello(scope, receive, send)


async def test_a_request_that_ends_in_time_gets_its_answer() -> None:
    app = Slow()
    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.get("/slow")
            await app.begun.wait()
            server.stop()
            await server.log.wait_for("Stopping: 1 open connections, 1 requests at work")
            app.release.set()
            answer = await wire.answer()
            assert (answer.status, answer.body) == (200, b"/slow")
            assert answer.one("connection") == "close"
            assert await wire.rest() == b""
            await server.ended()
    assert not app.cancelled.is_set()


async def test_a_stream_that_ends_in_time_is_complete() -> None:
    app = Slow()
    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.get("/stream")
            await wire.head()
            server.stop()
            await server.log.wait_for("Stopping")
            app.release.set()
            assert b"".join([chunk async for chunk in wire.chunks()]) == b"begunended"


async def test_an_upload_goes_on_while_the_server_stops() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        await echo(scope, receive, send)

    begun = asyncio.Event()
    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(request("POST / HTTP/1.1", "Content-Length: 6", body=b"one"))
            await begun.wait()
            server.stop()
            await server.log.wait_for("Stopping")
            await wire.send(b"two")
            assert (await wire.answer()).body == b"onetwo"


@pytest.mark.parametrize("patience", [0, 0.3])
async def test_a_request_out_of_time_is_cancelled_and_answered_503(patience: float) -> None:
    app = Slow()
    async with served(app, lifespan="off", graceful_timeout=patience) as server:
        async with await server.connect() as wire:
            await wire.get("/slow")
            await app.begun.wait()
            began = time.monotonic()
            server.stop()
            assert (await wire.answer()).status == 503
            assert patience <= time.monotonic() - began < patience + 8
            await server.ended()
    assert app.cancelled.is_set()
    assert "Cancelling 1 requests: out of time" in server.log.text
    assert "Traceback" not in server.log.text


async def test_a_stream_out_of_time_is_broken_off() -> None:
    app = Slow()
    async with served(app, lifespan="off", graceful_timeout=0) as server:
        async with await server.connect() as wire:
            await wire.get("/stream")
            await wire.head()
            server.stop()
            assert await wire.rest() == b"5\r\nbegun\r\n"
            await server.ended()
    assert app.cancelled.is_set()


async def test_a_cancelled_request_may_still_answer() -> None:
    begun = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await send(start(500))
            await send(body(b"cleaned up"))

    async with served(app, lifespan="off", graceful_timeout=0) as server:
        async with await server.connect() as wire:
            await wire.get()
            await begun.wait()
            server.stop()
            assert (await wire.answer()).body == b"cleaned up"


async def test_a_request_that_does_not_heed_its_cancellation_is_named_and_left_behind() -> None:
    begun, release = asyncio.Event(), asyncio.Event()

    async def stubborn(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                pass

    async with served(stubborn, faulty=True, lifespan="off", graceful_timeout=0) as server:
        async with await server.connect() as wire:
            await wire.get()
            await begun.wait()
            server.stop()
            await server.ended()
            assert await wire.rest() == b""
    release.set()
    (fault,) = server.log.faults
    assert "did not end when it was cancelled" in fault
    assert "stubborn" in fault
    assert "await release.wait()" in fault, "its stack shows what it is at"


async def test_idle_connections_end_at_once() -> None:
    async with served(hello, lifespan="off", graceful_timeout=20) as server:
        async with await server.connect() as used, await server.connect() as unused:
            await used.get()
            await used.answer()
            server.stop()
            async with asyncio.timeout(8):
                assert await used.rest() == b""
                assert await unused.rest() == b""
                await server.ended()


async def test_nobody_new_comes_in() -> None:
    app = Slow()
    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.get("/slow")
            await app.begun.wait()
            server.stop()
            await server.log.wait_for("Stopping")
            with pytest.raises(ConnectionError):
                # The port is free, or what still gets through is ended unanswered.
                async with await server.connect() as late:
                    await late.get("/quick")
                    await late.reader.readexactly(1)
            app.release.set()
            assert (await wire.answer()).status == 200


async def test_a_pipelined_request_behind_the_last_one_is_not_begun() -> None:
    app = Slow()
    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(request("GET /slow HTTP/1.1") + request("GET /quick HTTP/1.1"))
            await app.begun.wait()
            server.stop()
            await server.log.wait_for("Stopping")
            app.release.set()
            assert (await wire.answer()).body == b"/slow"
            assert await wire.rest() == b""


async def test_websockets_are_told_1012() -> None:
    told: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            pass
        told.append(event)

    async with served(app, lifespan="off") as server:
        async with websockets.connect(server.websocket_url) as client:
            await client.send("hello")
            await (await client.ping())
            server.stop()
            await client.wait_closed()
        await server.ended()
    assert client.close_code == 1012
    assert client.close_reason == "the server is stopping"
    assert told == [
        {"type": "websocket.disconnect", "code": 1012, "reason": "the server is stopping"}
    ]


async def test_a_handshake_that_waits_is_refused_with_503() -> None:
    waiting = asyncio.Event()
    told: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        waiting.set()
        told.append((await receive())["type"])

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(handshake())
            await waiting.wait()
            server.stop()
            assert (await wire.answer()).status == 503
            await server.ended()
    assert told == ["websocket.disconnect"]


async def test_a_websocket_client_that_does_not_answer_is_dropped_in_the_end() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await receive()

    async with served(app, lifespan="off", graceful_timeout=0.3) as server:
        async with await server.connect() as wire:
            await opened(wire)
            server.stop()
            assert (await next_frame(wire)).close[0] == 1012
            async with asyncio.timeout(8):
                await server.ended()
                assert await wire.rest() == b""


async def test_a_websocket_application_that_goes_on_is_cancelled() -> None:
    cancelled = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with served(app, lifespan="off", graceful_timeout=0) as server:
        async with await server.connect() as wire:
            await opened(wire)
            await wire.send(frame(TEXT, b"x"))
            server.stop()
            await wire.send(close(1000))
            await server.ended()
    assert cancelled.is_set()
    assert "Traceback" not in server.log.text
