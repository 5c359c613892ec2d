"""Streams of events and of JSON lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hoopsnake.web._json import to_json
from hoopsnake.web._responses import StreamingResponse, ended

__all__ = ["EventSourceResponse", "JSONLinesResponse", "ServerSentEvent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSentEvent:
    """An event (html.spec.whatwg.org, "Server-sent events").

    `data` is sent as JSON unless it is a text; `retry` is in milliseconds. Raises ValueError for a
    line break in `event` or `id`, which would end the field.
    """

    data: Any = None
    event: str | None = None
    id: str | None = None
    retry: int | None = None
    comment: str | None = None

    def __post_init__(self) -> None:
        for name in ("event", "id"):
            value = getattr(self, name)
            if value is not None and any(each in value for each in "\r\n\0"):
                raise ValueError(f"the {name} {value!r} of a server-sent event has a line break")

    def encode(self) -> bytes:
        """Write it as it is sent."""
        fields = [("", line) for line in _lines(self.comment)]
        fields += [("event", self.event)] if self.event is not None else []
        fields += [("id", self.id)] if self.id is not None else []
        fields += [("retry", str(self.retry))] if self.retry is not None else []
        if self.data is not None:
            text = self.data if isinstance(self.data, str) else to_json(self.data).decode()
            fields += [("data", line) for line in _lines(text)]
        return "".join(f"{name}: {value}\n" for name, value in fields).encode() + b"\n"


def _lines(text: str | None) -> list[str]:
    # Only these end a line there; splitlines() knows more.
    if text is None:
        return []
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


class EventSourceResponse(StreamingResponse):
    """Events for a browser's `EventSource`; what is no `ServerSentEvent` is sent as its data.

    After `ping` seconds without an event a comment is sent, so that proxies keep the connection
    and a client that has gone is noticed; None sends none.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        content: AsyncIterable[Any],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        *,
        ping: float | None = 15.0,
        background: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        pieces = _with_pings(_encoded(content), ping)
        super().__init__(pieces, status_code, headers, background=background)
        self.headers["content-type"] = "text/event-stream"
        self.headers.setdefault("cache-control", "no-cache")
        # nginx keeps back what it is not told to let through.
        self.headers.setdefault("x-accel-buffering", "no")


class JSONLinesResponse(StreamingResponse):
    """Values as JSON, a line each, as they come."""

    media_type = "application/jsonl"

    def __init__(
        self,
        content: AsyncIterable[Any],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        background: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(_json_lines(content), status_code, headers, background=background)


async def _json_lines(content: AsyncIterable[Any]) -> AsyncGenerator[bytes, None]:
    async with ended(content):
        async for value in content:
            yield to_json(value) + b"\n"


async def _encoded(content: AsyncIterable[Any]) -> AsyncGenerator[bytes, None]:
    async with ended(content):
        async for value in content:
            event = value if isinstance(value, ServerSentEvent) else ServerSentEvent(data=value)
            yield event.encode()


async def _with_pings(
    pieces: AsyncGenerator[bytes, None], interval: float | None
) -> AsyncGenerator[bytes, None]:
    """Go through the pieces, and put a comment wherever the next one takes too long."""
    following: asyncio.Future[bytes] | None = None
    try:
        while True:
            following = asyncio.ensure_future(_following(pieces))
            while not (await asyncio.wait([following], timeout=interval))[0]:
                yield b": ping\n\n"
            try:
                yield following.result()
            except EOFError:
                return
    finally:
        if following is not None and not following.done():
            following.cancel()
            await asyncio.wait([following])
        await pieces.aclose()


async def _following(pieces: AsyncGenerator[bytes, None]) -> bytes:
    # A task cannot end with StopAsyncIteration.
    try:
        return await anext(pieces)
    except StopAsyncIteration:
        raise EOFError from None
