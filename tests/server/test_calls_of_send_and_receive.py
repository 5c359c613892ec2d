"""However an application calls `send` and `receive`, and awaits what they return."""

from __future__ import annotations

from typing import Any

import pytest
from served import Receive, Scope, Send, served

START: Any = {"type": "http.response.start", "status": 200, "headers": []}
BODY: Any = {"type": "http.response.body", "body": b"done"}


async def test_arguments_may_be_named_starred_and_wrong() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        anything: Any = send
        with pytest.raises(TypeError, match="missing 1 required positional argument"):
            anything()
        with pytest.raises(TypeError, match="takes 1 positional argument"):
            anything(START, START)
        with pytest.raises(TypeError, match="unexpected keyword argument"):
            anything(event=START)
        with pytest.raises(TypeError):
            anything(START, message=START)
        any_receive: Any = receive
        with pytest.raises(TypeError):
            any_receive(1)
        assert (await any_receive(*()))["type"] == "http.request"
        await anything(message=START)
        await anything(*(BODY,))

    async with served(app, lifespan="off") as server:
        assert (await server.get("/")).body == b"done"


async def test_a_message_that_was_taken_can_be_awaited_later_and_again() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        started: Any = send(START)
        await send(BODY)
        assert await started is None
        assert await started is None
        assert list(started) == []

    async with served(app, lifespan="off") as server:
        assert (await server.get("/")).body == b"done"


async def test_a_request_without_method_or_query_of_its_own_has_the_usual_ones() -> None:
    seen: list[tuple[str, bytes]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((scope["method"], scope["query_string"]))
        # What one request does to its scope is nothing to the next.
        scope["method"], scope["query_string"] = "CHANGED", b"changed"
        await send(START)
        await send(BODY)

    async with served(app, lifespan="off") as server:
        for target in ("/", "/?", "/?a=b", "/"):
            assert (await server.get(target)).body == b"done"
    assert seen == [("GET", b""), ("GET", b""), ("GET", b"a=b"), ("GET", b"")]
