"""Server-sent events: read, and connected to again without a loss or a double."""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import time
from collections.abc import AsyncIterator

import pytest
from scripted_server import ScriptedServer, answering, response, scripted

import hoopsnake
from hoopsnake.limits import Deadline

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
STREAM = HEAD + b"connection: close\r\n\r\n"
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


def last_id(head: bytes) -> int:
    """Find which event a request goes on behind."""
    found = re.search(rb"(?i)last-event-id: (\d+)", head)
    return int(found[1]) if found else 0


async def test_events_are_read_as_the_standard_says() -> None:
    body = (
        "\ufeffretry: 10\nid: 1\nevent: greeting\ndata: Zoë\ndata: €\n\n: a comment\n\n"
        'data: {"a": 1}\r\n\r\nid: 3\rdata:x\r\rdata: of none that ends'
    ).encode()
    async with (
        scripted(answering(response(body, "content-type: text/event-stream"))) as server,
        hoopsnake.Client() as client,
    ):
        async with client.events(server.url, reconnect=False) as events:
            assert events.response is not None
            got = [event async for event in events]
            assert events.last_event_id == "3"
            assert events.response is None
        async with client.stream("GET", server.url) as streamed:
            assert [event async for event in streamed.aiter_events()] == got
    assert got == [
        hoopsnake.ServerSentEvent("greeting", "Zoë\n€", "1", 10),
        hoopsnake.ServerSentEvent("message", '{"a": 1}', "1", None),
        hoopsnake.ServerSentEvent("message", "x", "3", None),
    ]
    assert got[1].json() == {"a": 1}
    head = server.requests[0].lower()
    assert b"accept: text/event-stream" in head
    assert b"cache-control: no-store" in head
    assert b"last-event-id" not in head


async def test_a_stream_that_breaks_anywhere_loses_no_event_and_doubles_none() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    chance = random.Random(seed)
    count = 60

    async def breaks(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        begin = last_id(await server.head(reader)) + 1
        if begin > count:
            writer.write(NO_CONTENT)
            return
        events = b"".join(
            b"id: %d\ndata: number %d\n\n" % (number, number) for number in range(begin, count + 1)
        )
        whole = HEAD + b"transfer-encoding: chunked\r\n\r\n"
        while events:
            size = min(chance.randrange(1, 40), len(events))
            whole += b"%x\r\n%s\r\n" % (size, events[:size])
            events = events[size:]
        writer.write(whole[: chance.randrange(50, 500)])
        if chance.random() < 0.3:
            await writer.drain()
            writer.transport.abort()

    async with scripted(breaks) as server, hoopsnake.Client() as client:
        source = client.events(server.url, retry=0.001, longest_pause=0.01, max_attempts=1000)
        async with source as events:
            numbers = [int(event.data.removeprefix("number ")) async for event in events]
    assert numbers == list(range(1, count + 1))
    assert server.connections > 3


async def test_a_read_that_is_cancelled_loses_neither_event_nor_connection() -> None:
    go: asyncio.Queue[bytes] = asyncio.Queue()

    async def tells(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await server.head(reader)
        writer.write(STREAM + b"data: 1\n\ndata: 2")
        while True:
            await writer.drain()
            writer.write(await go.get())

    # Whoever connects again comes too late.
    async with scripted(tells) as server, hoopsnake.Client() as client:
        async with client.events(server.url, retry=3600, longest_pause=3600) as events:
            assert (await anext(events)).data == "1"
            for expected in ("2", "3"):
                for patience in (0, 0.001):
                    with pytest.raises(TimeoutError):
                        await asyncio.wait_for(anext(events), patience)
                go.put_nowait(b"\n\ndata: 3")
                assert (await anext(events)).data == expected
    assert server.connections == 1


async def test_a_pause_before_a_connection_outlives_who_waits_for_it() -> None:
    gone = asyncio.Event()

    async def handle(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await server.head(reader)
        writer.write(STREAM)
        if server.connections > 1:
            writer.write(b"data: there\n\n")
        gone.set()

    async with scripted(handle) as server, hoopsnake.Client() as client:
        async with client.events(server.url, retry=0.2) as events:
            await gone.wait()
            while True:
                try:
                    # Each wait is shorter than the pause.
                    async with Deadline(0.02):
                        event = await anext(events)
                    break
                except TimeoutError:
                    assert server.connections <= 2
            assert event.data == "there"
    assert server.connections == 2


async def test_who_waits_is_told_when_another_task_ends_the_stream() -> None:
    async def silent(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await server.head(reader)
        writer.write(STREAM)
        await writer.drain()
        await reader.read()

    async with scripted(silent) as server, hoopsnake.Client() as client:
        async with client.events(server.url) as events:
            waiting = [asyncio.ensure_future(anext(events, None)) for _ in range(2)]
            await asyncio.sleep(0)
            await events.aclose()
            assert await asyncio.gather(*waiting) == [None, None]


async def test_the_pause_is_what_the_server_asks_for_and_grows() -> None:
    answers = [
        response(b"retry: 40\nid: 1\ndata: a\n\n", "content-type: text/event-stream"),
        response(b"busy", "retry-after: 0", status="503 Service Unavailable"),
        response(b"", "content-type: text/event-stream"),
        NO_CONTENT,
    ]
    times: list[float] = []

    async def handle(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            await server.head(reader)
            times.append(time.monotonic())
            writer.write(answers[len(times) - 1])

    async with scripted(handle) as server, hoopsnake.Client() as client:
        async with client.events(server.url, retry=30) as events:
            assert [event.data async for event in events] == ["a"]
    pauses = [after - before for before, after in itertools.pairwise(times)]
    assert [pause >= wanted for pause, wanted in zip(pauses, (0.04, 0.08, 0.16), strict=True)] == [
        True
    ] * 3
    assert all(b"last-event-id: 1" in head.lower() for head in server.requests[1:])


async def test_attempts_come_to_an_end_and_failures_are_told() -> None:
    empty = response(b": nothing\n\n", "content-type: text/event-stream")
    async with scripted(answering(empty)) as server, hoopsnake.Client() as client:
        with pytest.raises(hoopsnake.EventStreamError, match="3 times without an event"):
            async with client.events(server.url, retry=0.001, max_attempts=3) as events:
                async for _ in events:
                    pass
    assert len(server.requests) == 3
    # Nobody listens there any more.
    async with hoopsnake.Client() as client:
        with pytest.raises(hoopsnake.ConnectError):
            async with client.events(server.url, retry=0.001, max_attempts=3):
                pass


async def test_what_is_no_event_stream_is_an_error_with_its_response() -> None:
    page = response(b"<html>", "content-type: text/html")
    missing = response(b"", "content-type: text/event-stream", status="404 Not Found")
    async with scripted(answering(page)) as server, hoopsnake.Client() as client:
        with pytest.raises(hoopsnake.EventStreamError, match="text/html") as caught:
            async with client.events(server.url):
                pass
        assert caught.value.response.status_code == 200
        async with client.stream("GET", server.url) as streamed:
            with pytest.raises(hoopsnake.EventStreamError):
                await anext(streamed.aiter_events())
    assert len(server.requests) == 2
    async with scripted(answering(missing)) as server, hoopsnake.Client() as client:
        with pytest.raises(hoopsnake.HTTPStatusError, match="404"):
            async with client.events(server.url):
                pass
    assert len(server.requests) == 1


async def test_a_deadline_is_for_all_of_it() -> None:
    async def drips(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await server.head(reader)
        writer.write(STREAM)
        while True:
            writer.write(b"data: again\n\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with scripted(drips) as server, hoopsnake.Client() as client:
        got = 0
        with pytest.raises(hoopsnake.TotalTimeout):
            async with client.events(server.url, deadline=1) as events:
                async for _ in events:
                    got += 1
        assert got > 0


async def test_a_line_without_an_end_is_given_up() -> None:
    async def endless(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await server.head(reader)
        writer.write(STREAM)
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with scripted(endless) as server, hoopsnake.Client() as client:
        with pytest.raises(hoopsnake.ResponseTooLarge, match="line"):
            async with client.events(server.url) as events:
                await anext(events)
    assert server.connections == 1


@pytest.mark.parametrize("ends", [True, False])
async def test_the_events_before_a_line_without_an_end_are_not_lost(ends: bool) -> None:
    asked: list[hoopsnake.Request] = []

    def kitchen(request: hoopsnake.Request) -> hoopsnake.Response:
        async def body() -> AsyncIterator[bytes]:
            yield b"id: 1\ndata: a\n\ndata: b\n\nid: 2\n" + b"x" * (1024 * 1024 + 1)
            if not ends:
                await asyncio.Event().wait()

        asked.append(request)
        headers = {"content-type": "text/event-stream"}
        return hoopsnake.Response(200, headers=headers, content=body())

    async with hoopsnake.Client(transport=hoopsnake.MockTransport(kitchen)) as client:
        async with client.events("http://kitchen/", retry=0.001) as events:
            assert [(await anext(events)).data for _ in range(2)] == ["a", "b"]
            with pytest.raises(hoopsnake.ResponseTooLarge, match="line"):
                await anext(events)
            # And that is the end: who asks on hears it, not the same for ever.
            with pytest.raises(StopAsyncIteration):
                await anext(events)
            assert (events.last_event_id, events.response) == ("1", None)
        got: list[str] = []
        async with client.stream("GET", "http://kitchen/") as streamed:
            with pytest.raises(hoopsnake.ResponseTooLarge, match="line"):
                async for event in streamed.aiter_events():
                    got.append(event.data)
        assert got == ["a", "b"]
    assert len(asked) == 2


async def test_a_post_that_answers_with_a_stream_is_sent_once() -> None:
    async def completes(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = await server.head(reader)
        assert await server.body(head, reader) == b'{"stream":true}'
        writer.write(STREAM + b'data: {"token": "a"}\n\ndata: [DONE]\n\n')

    async with scripted(completes) as server, hoopsnake.Client() as client:
        asked = client.events(server.url, method="POST", json={"stream": True})
        async with asked as events:
            assert [event.data async for event in events] == ['{"token": "a"}', "[DONE]"]
    assert server.connections == 1
