"""Bodies that nobody waits for: after HEAD, after the answer, after the client has left."""

from __future__ import annotations

import asyncio
import time

from applications import body, start
from served import Receive, Scope, Send, served
from wire import request

from hoopsnake import ClientDisconnected


async def test_an_endless_stream_asked_for_with_head_ends_with_its_connection() -> None:
    ended = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        try:
            while True:
                await send(body(b"tick", more=True))
                await asyncio.sleep(0)
        except ClientDisconnected:
            ended.set()
            raise

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.get(method="HEAD")
            assert (await wire.head()).status == 200
            assert not ended.is_set()
            wire.leave()
            await ended.wait()


async def test_an_endless_stream_asked_for_with_head_ends_with_the_next_request() -> None:
    ended = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        if scope["method"] == "GET":
            await send(body(b"hello"))
            return
        await send(body(b"tick", more=True))
        assert (await receive())["type"] == "http.request"
        assert (await receive())["type"] == "http.disconnect"
        ended.set()

    async with served(app, lifespan="off") as server, await server.connect() as wire:
        await wire.get(method="HEAD")
        assert (await wire.head()).status == 200
        await wire.get()
        assert (await wire.answer()).body == b"hello"
        await ended.wait()


async def test_an_application_that_only_sends_into_nowhere_leaves_the_loop_to_others() -> None:
    sent = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal sent
        await send(start())
        while True:
            await send(body(b"tick", more=True))
            sent += 1

    async with served(app, lifespan="off") as server, await server.connect() as wire:
        await wire.get(method="HEAD")
        assert (await wire.head()).status == 200
        before = sent
        # Each of these is a turn of the loop, of which the application takes its share only.
        for _ in range(100):
            await asyncio.sleep(0)
        assert sent - before < 1000


async def test_a_read_that_was_given_up_does_not_hold_up_the_end() -> None:
    gave_up = False

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal gave_up
        try:
            await asyncio.wait_for(receive(), 0.01)
        except TimeoutError:
            gave_up = True
        await send(start())
        await send(body(b"ok"))
        assert await receive() == {"type": "http.disconnect"}

    async with served(app, lifespan="off", graceful_timeout=30) as server:
        async with await server.connect() as wire:
            await wire.send(request("POST / HTTP/1.1", "Content-Length: 10"))
            assert (await wire.answer()).body == b"ok"
            assert gave_up
            # The rest of the body never comes; the server does not wait for it.
            assert await wire.rest() == b""
        begun = time.monotonic()
        server.stop()
        await server.ended()
        assert time.monotonic() - begun < 10
