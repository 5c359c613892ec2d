"""Bodies over HTTP/2, both ways: too large, too slow, and not taken."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import h2.settings
import pytest
from applications import body, hello, start
from http2 import Client
from served import Message, Receive, Scope, Send, served

from hoopsnake import ServerLimits

SHORT = 0.2


class Reading:
    """Reads whole bodies at /upload and tells how they ended."""

    def __init__(self, *, answers_first: bool = False) -> None:
        self.answers_first = answers_first
        self.ended: asyncio.Future[Message] = asyncio.Future()
        self.received = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != "/upload":
            return await hello(scope, receive, send)
        if self.answers_first:
            await send(start())
            await send(body(b"first", more=True))
        while True:
            event = await receive()
            self.received += len(event.get("body", b""))
            if event["type"] == "http.disconnect" or not event["more_body"]:
                break
        self.ended.set_result(event)
        if event["type"] == "http.request":
            if not self.answers_first:
                await send(start())
            await send(body(str(self.received).encode()))


async def test_a_body_that_turns_out_too_large_is_refused_while_it_comes() -> None:
    app = Reading()
    limits = ServerLimits(body_size=100_000)
    async with served(app, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire:
            client = await Client.begin(wire)
            stream = await client.request("/upload", method="POST", end=False)
            await client.send_body(stream, bytes(100_000), end=False)
            await client.send_body(stream, b"1", end=False)
            assert (await client.response(stream)).status == 413
            assert (await app.ended)["type"] == "http.disconnect"
            assert app.received <= 100_000
            assert len(server.log.lines("hoopsnake.error")) >= 1
            assert "the body is too large" in server.log.text
            assert (await client.get("/next")).body == b"/next"


async def test_a_body_of_the_largest_size_is_taken() -> None:
    app = Reading()
    limits = ServerLimits(body_size=100_000)
    async with served(app, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire:
            client = await Client.begin(wire)
            stream = await client.request("/upload", method="POST", body=bytes(100_000))
            assert (await client.response(stream)).body == b"100000"


async def test_a_body_too_large_behind_the_beginning_of_an_answer_breaks_both_off() -> None:
    app = Reading(answers_first=True)
    limits = ServerLimits(body_size=1000)
    async with served(app, limits=limits, lifespan="off", faulty=True) as server:
        async with await server.connect() as wire:
            client = await Client.begin(wire)
            stream = await client.request("/upload", method="POST", end=False)
            await client.until(lambda _: client.responses[stream].body)
            await client.send_body(stream, bytes(1001), end=False)
            response = await client.response(stream)
            assert (response.status, response.body) == (200, b"first")
            assert response.reset is not None and not response.ended
            assert (await app.ended)["type"] == "http.disconnect"
            assert "the body is too large" in server.log.text
            assert (await client.get("/next")).body == b"/next"


@pytest.mark.parametrize("sent", [b"", b"a little"])
async def test_a_body_that_does_not_come_is_not_waited_for(sent: bytes) -> None:
    app = Reading()
    limits = ServerLimits(body_rate=1000, body_grace=SHORT)
    async with served(app, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire:
            client = await Client.begin(wire)
            stream = await client.request("/upload", method="POST", end=False)
            await client.send_body(stream, sent, end=False)
            assert (await client.response(stream)).status == 408
            assert (await app.ended)["type"] == "http.disconnect"
            assert "the body arrives too slowly" in server.log.text
            assert (await client.get("/next")).body == b"/next"


async def test_a_body_that_nobody_waits_for_may_take_its_time() -> None:
    proceed = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/clock":
            return await hello(scope, receive, send)
        await proceed.wait()
        assert (await receive())["body"] == b"at last"
        await hello(scope, receive, send)

    limits = ServerLimits(body_rate=1000, body_grace=SHORT, keep_alive_timeout=2 * SHORT)
    async with served(app, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire:
            client = await Client.begin(wire)
            stream = await client.request("/upload", method="POST", end=False)
            async with await server.connect() as clock:
                # It ends when twice the time of the body has passed.
                await clock.get("/clock")
                assert (await clock.answer()).status == 200
                assert await clock.rest() == b""
            await client.send_body(stream, b"at last")
            proceed.set()
            assert (await client.response(stream)).status == 200


LARGE = bytes(300_000)


async def whole(send: Send) -> None:
    await send(start())
    await send(body(LARGE))


async def piece_by_piece(send: Send) -> None:
    await send(start())
    for _ in range(100):
        await send(body(LARGE[:3000], more=True))
    await send(body())


@pytest.mark.parametrize("answer", [whole, piece_by_piece])
@pytest.mark.parametrize("pings", [False, True], ids=["silent", "pinging"])
@pytest.mark.parametrize("window", [0, 1000])
@pytest.mark.parametrize("compress", [(), ("gzip",)], ids=["plain", "compressed"])
async def test_a_client_that_takes_nothing_of_its_answer_is_dropped(
    answer: object, pings: bool, window: int, compress: tuple[str, ...]
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/large":
            with contextlib.suppress(OSError):
                await answer(send)  # type: ignore[operator]
        else:
            await hello(scope, receive, send)

    limits = ServerLimits(send_timeout=SHORT, keep_alive_timeout=None)
    settings: Any = {"limits": limits, "compress": compress, "compress_min_size": 0}
    async with served(app, lifespan="off", faulty=True, **settings) as server:
        async with await server.connect() as wire:
            client = await Client.begin(
                wire, settings={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window}
            )
            client.takes_data = False
            await client.request("/large", ("accept-encoding", "gzip"))
            while not client.ended:
                if pings:
                    # It is alive, and wants nothing.
                    client.h2.ping(b"8 bytes!")
                    with contextlib.suppress(ConnectionError):
                        await client.flush()
                with contextlib.suppress(ConnectionError):
                    await client.read()
                    continue
                break
        assert (await server.get()).status == 200


async def test_a_client_that_takes_its_answer_slowly_gets_all_of_it() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/large":
            await whole(send)
        else:
            await hello(scope, receive, send)

    patience = 1.2
    limits = ServerLimits(send_timeout=patience, keep_alive_timeout=patience)
    async with served(app, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire:
            client = await Client.begin(
                wire, settings={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 50_000}
            )
            client.takes_data = False
            stream = await client.request("/large")
            response = client.responses[stream]
            while not response.ended:
                # Less than the time that a client has passes between any two pieces of it, and more
                # than that in all.
                before = len(response.body)
                await asyncio.sleep(patience / 4)
                client.h2.increment_flow_control_window(50_000, stream)
                client.h2.increment_flow_control_window(50_000)
                await client.flush()
                await client.until(
                    lambda _, before=before: len(response.body) > before or response.ended
                )
            assert len(response.body) == len(LARGE)
