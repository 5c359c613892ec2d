"""Server-sent events and JSON lines."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgi_client import get

from hoopsnake.web import App, EventSourceResponse, JSONLinesResponse, ServerSentEvent


async def test_events_are_written_as_browsers_read_them() -> None:
    app = App()

    @app.get("/")
    async def events() -> EventSourceResponse:
        async def content() -> AsyncIterator[Any]:
            yield ServerSentEvent(data="one\r\ntwo\rthree", event="note", id="7", retry=500)
            yield {"n": 1}
            yield ServerSentEvent(comment="still here")

        return EventSourceResponse(content())

    answer = await get(app, "/")
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.text == (
        "event: note\nid: 7\nretry: 500\ndata: one\ndata: two\ndata: three\n\n"
        'data: {"n":1}\n\n: still here\n\n'
    )


async def test_a_comment_is_sent_where_nothing_comes() -> None:
    proceed = asyncio.Event()
    pieces: list[bytes] = []

    async def content() -> AsyncIterator[str]:
        await proceed.wait()
        yield "late"

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            pieces.append(message["body"])
            if len(pieces) == 2:
                proceed.set()

    await EventSourceResponse(content(), ping=0.01)(send)
    assert pieces[:2] == [b": ping\n\n"] * 2
    assert pieces[-2:] == [b"data: late\n\n", b""]


async def test_what_makes_events_is_ended_when_nobody_listens() -> None:
    ended = asyncio.Event()

    async def content() -> AsyncIterator[str]:
        try:
            yield "first"
            await asyncio.Event().wait()
        finally:
            ended.set()

    sent = asyncio.Event()

    async def send(message: dict[str, Any]) -> None:
        if message.get("body"):
            sent.set()

    task = asyncio.ensure_future(EventSourceResponse(content(), ping=None)(send))
    await sent.wait()
    task.cancel()
    await asyncio.wait([task])
    assert ended.is_set()


@pytest.mark.parametrize("broken", [{"event": "a\nb"}, {"id": "a\rb"}, {"id": "a\0b"}])
def test_a_line_break_in_a_field_is_an_error(broken: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="line break"):
        ServerSentEvent(**broken)


async def test_json_lines() -> None:
    app = App()

    @app.get("/")
    async def lines() -> JSONLinesResponse:
        async def content() -> AsyncIterator[Any]:
            for number in range(2):
                yield {"n": number}

        return JSONLinesResponse(content())

    answer = await get(app, "/")
    assert (answer.text, answer.headers["content-type"]) == (
        '{"n":0}\n{"n":1}\n',
        "application/jsonl",
    )
