"""A client's policies and its WebSockets: they hold for the handshake, not for what comes after."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from scripted_server import ScriptedServer, response, scripted
from websocket_servers import answer

import hoopsnake
from hoopsnake import limits
from hoopsnake._client import _hosts

BUSY = response(b"busy", "set-cookie: node=7", status="503 Service Unavailable")
# What is said of the handshake with this number, from 1; None accepts it.
Says = Callable[[int], Awaitable[bytes | None]]


@asynccontextmanager
async def answered(says: Says) -> AsyncIterator[tuple[ScriptedServer, str]]:
    async def handle(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = await server.head(reader)
        if b"upgrade" not in head.lower():
            writer.write(response())
            return
        refusal = await says(len(server.requests))
        writer.write(answer(head) if refusal is None else refusal)
        await writer.drain()
        # RFC 6455 section 5.5.1: an empty close frame is answered with one.
        await reader.read(1)
        writer.write(b"\x88\x00")

    async with scripted(handle) as server:
        yield server, f"ws://127.0.0.1:{server.port}/"


async def accepts(number: int) -> None:
    return None


async def busy(number: int) -> bytes | None:
    return BUSY


async def test_a_handshake_takes_a_place_and_an_open_socket_does_not() -> None:
    places = limits.ConcurrencyLimit(1)
    first, go = asyncio.Event(), asyncio.Event()

    async def held(number: int) -> None:
        first.set()
        await go.wait()

    async with answered(held) as (server, url), hoopsnake.Client(concurrency=places) as client:
        one, other = client.websocket(url), client.websocket(url)
        opening = [asyncio.create_task(each.__aenter__()) for each in (one, other)]
        await first.wait()
        while places.stats().waiting < 1:
            await asyncio.sleep(0)
        assert (places.stats().running, len(server.requests)) == (1, 1)
        go.set()
        await asyncio.gather(*opening)
        # Both are open, and the host's only place is there for others.
        assert (await client.get(server.url)).text == "hello"
        assert (places.stats().running, places.stats().waiting) == (0, 0)
        for each in (one, other):
            await each.__aexit__(None, None, None)


async def test_who_is_cancelled_in_a_handshake_keeps_no_place() -> None:
    places = limits.ConcurrencyLimit(1)
    first = asyncio.Event()

    async def never(number: int) -> None:
        first.set()
        await asyncio.Event().wait()

    async with answered(never) as (server, url), hoopsnake.Client(concurrency=places) as client:
        one, other = (asyncio.create_task(client.websocket(url).__aenter__()) for _ in range(2))
        await first.wait()
        while places.stats().waiting < 1:
            await asyncio.sleep(0)
        for task in (other, one):
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert (places.stats().running, places.stats().waiting) == (0, 0)
        assert len(server.requests) == 1


async def test_handshakes_and_requests_have_one_rate() -> None:
    rate = limits.RateLimit(1, per=3600, burst=2, max_wait=0)
    async with answered(accepts) as (server, url), hoopsnake.Client(rate_limit=rate) as client:
        await client.get(server.url)
        async with client.websocket(url) as socket:
            assert socket.response.status_code == 101
        with pytest.raises(hoopsnake.RateLimited) as caught:
            async with client.websocket(url):
                pass
        assert caught.value.host == f"127.0.0.1:{server.port}"
        assert len(server.requests) == 2


async def test_a_host_that_refuses_handshakes_is_left_alone() -> None:
    circuit = limits.CircuitBreaker(least_calls=3, open_for=3600, failures=_hosts.is_failure)
    async with answered(busy) as (server, url), hoopsnake.Client(breaker=circuit) as client:
        for _ in range(3):
            with pytest.raises(hoopsnake.HandshakeRefused, match="503") as refused:
                async with client.websocket(url):
                    pass
            assert refused.value.response.content == b"busy"
        with pytest.raises(hoopsnake.CircuitOpen):
            async with client.websocket(url):
                pass
        with pytest.raises(hoopsnake.CircuitOpen):
            await client.get(server.url)
        assert len(server.requests) == 3


async def test_a_handshake_that_fails_in_passing_is_tried_again() -> None:
    async def busy_twice(number: int) -> bytes | None:
        return BUSY if number < 3 else None

    retries = hoopsnake.Retries(3, first=0.001, longest=0.001)
    async with (
        answered(busy_twice) as (server, url),
        hoopsnake.Client(retries=retries, deadline_header="x-left") as client,
    ):
        async with client.websocket(url, timeout=hoopsnake.Timeout(total=3600)) as socket:
            attempts = socket.response.extensions["attempts"]
        assert [each.status for each in attempts] == [503, 503, 101]
        assert [b"cookie: node=7" in head.lower() for head in server.requests] == [
            False,
            True,
            True,
        ]
        assert all(b"x-left: 35" in head.lower() for head in server.requests)


async def test_the_last_refusal_has_all_attempts() -> None:
    retries = hoopsnake.Retries(2, first=0.001, longest=0.001)
    async with answered(busy) as (_, url), hoopsnake.Client(retries=retries) as client:
        with pytest.raises(hoopsnake.HandshakeRefused, match="503") as caught:
            async with client.websocket(url):
                pass
        assert [each.status for each in caught.value.attempts] == [503] * 3
    with pytest.raises(hoopsnake.ConnectError) as failed:
        # Nobody listens there any more.
        async with hoopsnake.Client(retries=retries) as client, client.websocket(url):
            pass
    assert [each.error for each in failed.value.attempts] == ["ConnectError"] * 3


async def test_a_handshake_that_is_late_gets_no_company() -> None:
    late = asyncio.Event()

    async def slow(number: int) -> None:
        await late.wait()

    async with answered(slow) as (server, url), hoopsnake.Client(hedge=0.001) as client:
        opening = client.websocket(url)
        task = asyncio.create_task(opening.__aenter__())
        for _ in range(20):
            await asyncio.sleep(0.001)
        late.set()
        socket = await task
        assert len(socket.response.extensions["attempts"]) == len(server.requests) == 1
        await opening.__aexit__(None, None, None)
