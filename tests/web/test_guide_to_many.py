"""The guide's programs that tell many clients the same do what the guide says of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from either_server import on_either_server, serving
from frames import TEXT, close, frame, next_frame, opened
from test_fan_out import next_event

from hoopsnake.web import App

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "web.md"


def program(name: str) -> App:
    """Run a program of the guide's, and return its application."""
    found = re.search(
        rf"^```python\n# {re.escape(name)}\n(.*?)^```$", GUIDE.read_text(), re.M | re.S
    )
    if found is None:
        pytest.fail(f"the guide has no {name}")
    names: dict[str, object] = {"__name__": name}
    exec(compile(found[1], name, "exec"), names)
    app = names["app"]
    assert isinstance(app, App)
    return app


@on_either_server
async def test_the_chat_tells_everybody_who_comes_speaks_and_goes(kind: str) -> None:
    async with (
        serving(program("chat.py"), kind) as server,
        await server.connect() as one,
        await server.connect() as two,
    ):
        await opened(one, "/chat/one")
        assert (await next_frame(one)).payload == b'{"joined":"one","members":1}'
        await opened(two, "/chat/two")
        for wire in (one, two):
            assert (await next_frame(wire)).payload == b'{"joined":"two","members":2}'
        await two.send(frame(TEXT, b"hello"))
        for wire in (one, two):
            assert (await next_frame(wire)).payload == b'{"from":"two","text":"hello"}'
        await two.send(close(1000))
        assert (await next_frame(one)).payload == b'{"left":"two"}'


async def test_the_ticker_shows_what_is_and_what_changes() -> None:
    async with (
        serving(program("ticker.py")) as server,
        await server.connect() as reader,
        await server.connect() as writer,
    ):
        await reader.get("/prices")
        assert (await reader.head()).one("content-type") == "text/event-stream"
        assert await next_event(reader) == b"event: all\ndata: {}"
        await writer.get("/prices/tea?price=2.5", method="PUT")
        assert (await writer.answer()).status == 200
        assert await next_event(reader) == b'event: change\ndata: {"tea":2.5}'
