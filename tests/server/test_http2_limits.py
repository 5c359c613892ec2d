"""The limits of clients as HTTP/2 has them."""

from __future__ import annotations

import asyncio

import pytest
from applications import body, echo, hello, start
from http2 import Client, client_of
from served import Receive, Scope, Send, served

from hoopsnake import ServerLimits

SHORT = 0.4


async def test_a_connection_without_requests_is_told_goodbye() -> None:
    limits = ServerLimits(keep_alive_timeout=SHORT)
    async with served(hello, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire:
            client = await Client.begin(wire)
            assert (await client.get("/1")).body == b"/1"
            await client.until_closed()
            assert client.goaway is not None and client.goaway.code == 0


async def test_who_begins_and_never_asks_is_told_goodbye() -> None:
    limits = ServerLimits(header_timeout=SHORT)
    async with served(hello, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire:
            client = await Client.begin(wire)
            await client.until_closed()


async def test_a_stream_at_work_keeps_its_connection() -> None:
    limits = ServerLimits(keep_alive_timeout=SHORT)
    proceed = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/clock":
            return await hello(scope, receive, send)
        await send(start())
        await send(body(b"first ", more=True))
        await proceed.wait()
        await send(body(b"last"))

    async with served(app, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire:
            client = await Client.begin(wire)
            stream = await client.request("/stream")
            for _ in range(3):
                # The time of an idle connection passes.
                async with await server.connect() as clock:
                    await clock.get("/clock")
                    assert (await clock.answer()).status == 200
                    assert await clock.rest() == b""
            proceed.set()
            assert (await client.response(stream)).body == b"first last"


async def test_an_idle_connection_makes_room_for_a_new_one() -> None:
    limits = ServerLimits(connections=1)
    async with served(hello, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire:
            client = await Client.begin(wire)
            assert (await client.get("/1")).body == b"/1"
            assert (await server.get("/2")).body == b"/2"
            await client.until_closed()


async def test_streams_count_as_requests_at_work() -> None:
    limits = ServerLimits(concurrency=1, queue=1)
    entered: list[str] = []
    proceed = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        entered.append(scope["path"])
        await proceed.wait()
        await hello(scope, receive, send)

    async with served(app, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire:
            client = await Client.begin(wire)
            first, second, third = [await client.request(f"/{number}") for number in range(3)]
            refused = await client.response(third)
            assert (refused.status, refused.all("retry-after")) == (503, ["1"])
            assert entered == ["/0"]
            proceed.set()
            assert (await client.response(first)).body == b"/0"
            assert (await client.response(second)).body == b"/1"


async def test_an_application_that_does_not_answer_is_cancelled() -> None:
    limits = ServerLimits(response_timeout=SHORT)
    cancelled = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with served(app, limits=limits, lifespan="off", faulty=True) as server:
        async with await server.connect() as wire:
            client = await Client.begin(wire)
            assert (await client.get("/stuck")).status == 504
            await cancelled.wait()


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (f"/{'a' * 49}", [], 200),
        (f"/{'a' * 50}", [], 414),
        ("/", [("x-a", "1")] * 4, 200),
        ("/", [("x-a", "1")] * 6, 431),
        ("/", [("content-length", "101")], 413),
    ],
)
async def test_what_is_too_large_is_refused_and_the_connection_goes_on(
    path: str, headers: list[tuple[str, str]], status: int
) -> None:
    limits = ServerLimits(target_size=50, header_count=5, body_size=100)
    async with served(echo, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire:
            client = await Client.begin(wire)
            stream = await client.request(path, *headers, end=status != 413)
            assert (await client.response(stream)).status == status
            assert (await client.get("/next")).status == 200


async def test_a_tunnel_that_was_refused_gives_a_connection_no_more_time() -> None:
    limits = ServerLimits(keep_alive_timeout=SHORT)
    async with client_of(hello, limits=limits) as (client, _):
        stream = client.h2.get_next_available_stream_id()
        client.h2.send_headers(stream, [(":method", "CONNECT"), (":authority", "x:443")], True)
        await client.flush()
        assert (await client.response(stream)).status == 501
        await client.until_closed()


async def test_who_does_not_heed_that_the_connection_is_to_end_is_dropped() -> None:
    limits = ServerLimits(keep_alive_timeout=SHORT)
    async with client_of(hello, limits=limits) as (client, server):
        assert (await client.get()).status == 200
        # It reads, and answers nothing: not even the ping that asks whether it has heard.
        while await client.wire.reader.read(65536):
            pass
        assert (await server.get()).status == 200
