"""A response, or its client, that one task closes while another is at work."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from scripted_server import ScriptedServer, response, scripted

import hoopsnake

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


async def begun(reading: asyncio.Task[Any]) -> None:
    """Let a reader come to where it waits."""
    for _ in range(3):
        await asyncio.sleep(0)
    assert not reading.done()


@pytest.mark.parametrize("way", ["pieces", "raw", "whole"])
async def test_a_response_that_another_task_closes_is_closed_at_once(way: str) -> None:
    left = asyncio.Event()

    async def handle(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await server.head(reader)
        writer.write(HEAD + b"5\r\nhello\r\n")
        await reader.read()
        left.set()

    async def read(answer: hoopsnake.Response) -> None:
        if way == "whole":
            await answer.aread()
            return
        pieces = answer.aiter_bytes() if way == "pieces" else answer.aiter_raw()
        assert await anext(pieces) == b"hello"
        await anext(pieces)

    timeout = hoopsnake.Timeout(None)
    async with scripted(handle) as server, hoopsnake.Client(timeout=timeout) as client:
        async with client.stream("GET", server.url) as answer:
            reading = asyncio.create_task(read(answer))
            await begun(reading)
            await answer.aclose()
            with pytest.raises(hoopsnake.StreamClosed):
                await reading
            assert answer.is_closed
            await left.wait()
            assert client.stats().open == 0
            with pytest.raises(hoopsnake.StreamClosed):
                await anext(answer.aiter_bytes())


async def test_a_response_of_an_application_that_another_task_closes_is_closed_at_once() -> None:
    left, may_end = asyncio.Event(), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()
        # Nobody waits for what it does then.
        await may_end.wait()

    async def read(answer: hoopsnake.Response) -> None:
        pieces = answer.aiter_bytes()
        assert await anext(pieces) == b"hello"
        await anext(pieces)

    transport = hoopsnake.ASGITransport(app, lifespan="off")
    client = hoopsnake.Client(transport=transport, base_url="http://shop")
    answer = await client.send(client.build_request("GET", "/"), stream=True)
    reading = asyncio.create_task(read(answer))
    await begun(reading)
    await answer.aclose()
    with pytest.raises(hoopsnake.StreamClosed):
        await reading
    assert answer.is_closed
    await left.wait()
    may_end.set()


async def test_a_closed_client_drops_what_is_idle_while_a_call_is_under_way() -> None:
    asked, gone, answers = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handle(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        is_slow = b"/slow" in await server.head(reader)
        if is_slow:
            asked.set()
            await answers.wait()
        writer.write(response())
        assert await reader.read() == b""
        if not is_slow:
            gone.set()

    async with scripted(handle) as server:
        client = hoopsnake.Client()
        slow = asyncio.create_task(client.get(server.url + "slow"))
        await asked.wait()
        await client.get(server.url)
        await client.aclose()
        await gone.wait()
        answers.set()
        assert (await slow).content == b"hello"
        with pytest.raises(hoopsnake.ClientClosed):
            await client.get(server.url)
