"""Bodies read piece by piece: how they begin, end, are broken off and read twice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from scripted_server import ScriptedServer, answering, response, scripted

import hoopsnake


@contextlib.asynccontextmanager
async def opened(
    body: bytes = b"hello",
) -> AsyncIterator[tuple[ScriptedServer, hoopsnake.Client]]:
    async with scripted(answering(response(body))) as server, hoopsnake.Client() as client:
        yield server, client


async def half_an_answer(
    server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    await server.head(reader)
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
    await reader.read()


async def test_a_stream_that_is_over_stays_over() -> None:
    async with opened() as (server, client), client.stream("GET", server.url) as got:
        stream = got.aiter_bytes()
        assert await anext(stream) == b"hello"
        for _ in range(2):
            with pytest.raises(StopAsyncIteration):
                await anext(stream)
            assert await anext(stream, b"nothing") == b"nothing"
        assert got.is_closed


async def test_what_was_read_already_is_there_in_one_piece_and_as_it_came_no_more() -> None:
    async with opened() as (server, client), client.stream("GET", server.url) as got:
        early = got.aiter_bytes()
        await got.aread()
        assert [piece async for piece in early] == [b"hello"]
        assert [piece async for piece in got.aiter_bytes()] == [b"hello"]
        with pytest.raises(hoopsnake.StreamConsumed):
            await anext(got.aiter_raw())
    async with opened(b"") as (server, client), client.stream("GET", server.url) as got:
        await got.aread()
        assert [piece async for piece in got.aiter_bytes()] == []


async def test_who_breaks_off_closes_the_response() -> None:
    async with scripted(half_an_answer) as server, hoopsnake.Client() as client:
        async with client.stream("GET", server.url) as got:
            async for piece in got.aiter_bytes():
                assert piece == b"hello"
                break
            assert got.is_closed and client.stats().open == 0
            with pytest.raises(hoopsnake.StreamClosed):
                await anext(got.aiter_bytes())


async def test_a_stream_can_be_closed_by_its_own_method_and_while_it_is_read() -> None:
    async with scripted(half_an_answer) as server, hoopsnake.Client() as client:
        async with client.stream("GET", server.url) as got:
            async with contextlib.aclosing(got.aiter_bytes()) as stream:
                assert await anext(stream) == b"hello"
            assert got.is_closed
        async with client.stream("GET", server.url) as got:
            stream = got.aiter_bytes()
            assert await anext(stream) == b"hello"
            waiting = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)
            with pytest.raises(hoopsnake.StreamConsumed):
                await anext(stream)
            await stream.aclose()
            with pytest.raises(hoopsnake.StreamClosed):
                await waiting
        assert client.stats().open == 0


async def test_a_stream_that_nobody_began_closes_nothing() -> None:
    async with opened() as (server, client), client.stream("GET", server.url) as got:
        got.aiter_bytes()
        assert await got.aread() == b"hello"


async def test_a_read_that_is_cancelled_ends_the_stream_with_an_error() -> None:
    async with scripted(half_an_answer) as server, hoopsnake.Client() as client:
        async with client.stream("GET", server.url) as got:
            stream = got.aiter_bytes()
            assert await anext(stream) == b"hello"
            waiting = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            # What is missing is not passed over in silence.
            with pytest.raises(hoopsnake.StreamClosed):
                await anext(stream)
        assert client.stats().open == 0


async def test_a_block_that_fails_closes_the_response_and_its_error_goes_on() -> None:
    async with scripted(half_an_answer) as server, hoopsnake.Client() as client:
        with pytest.raises(ZeroDivisionError):
            async with client.stream("GET", server.url) as got:
                raise ZeroDivisionError
        assert got.is_closed and client.stats().open == 0


async def test_a_block_is_for_one_request() -> None:
    async with opened() as (server, client):
        streaming = client.stream("GET", server.url, headers={"x-one": "1"}, timeout=5)
        async with streaming as got:
            with pytest.raises(RuntimeError, match="sent already"):
                await streaming.__aenter__()
            assert await got.aread() == b"hello"
        assert [b"x-one: 1" in head for head in server.requests] == [True]


def test_what_is_in_memory_is_read_on_any_loop() -> None:
    async def read() -> list[object]:
        made = hoopsnake.Response(200, content=b"one\ntwo")
        return [
            [piece async for piece in made.aiter_bytes()],
            [line async for line in made.aiter_lines()],
        ]

    assert asyncio.run(read()) == [[b"one\ntwo"], ["one", "two"]]


async def test_a_class_of_ones_own_sends_streams_in_its_own_way() -> None:
    class Counting(hoopsnake.Client):
        sent = 0

        async def send(self, *arguments: Any, **options: Any) -> hoopsnake.Response:
            self.sent += 1
            return await super().send(*arguments, **options)

    async with scripted(answering(response())) as server, Counting() as client:
        async with client.stream("GET", server.url) as got:
            assert await got.aread() == b"hello"
        assert (await client.get(server.url)).content == b"hello"
        assert client.sent == 2


async def test_a_body_that_is_passed_on_ends_with_who_it_was_for() -> None:
    from hoopsnake.web import StreamingResponse

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            raise OSError("the client has left")

    async with scripted(half_an_answer) as server, hoopsnake.Client() as client:
        async with client.stream("GET", server.url) as upstream:
            passing = StreamingResponse(upstream.aiter_bytes())
            with pytest.raises(OSError, match="has left"):
                await passing(send)
            assert upstream.is_closed and client.stats().open == 0
