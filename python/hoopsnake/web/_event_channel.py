"""Server-sent events for many clients at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from hoopsnake.web._bus import Bus
from hoopsnake.web._crowd import QUEUE_BYTES, Crowd, Slow
from hoopsnake.web._event_stream import ServerSentEvent
from hoopsnake.web._request import Request, Send
from hoopsnake.web._responses import Response
from hoopsnake.web._subscription import Subscription

__all__ = ["EventChannel"]

_PING = b": ping\n\n"


class EventChannel:
    """A source of server-sent events whose subscribers are all sent the same, encoded once.

    A handler returns `channel.response(request)`; who has news awaits `channel.publish(event)`.
    A subscriber has up to `queue_bytes` waiting for it. What becomes of one for whom more waits
    says `slow`: with "drop" it misses events until it has caught up, with "disconnect" its response
    breaks off, so that a browser's `EventSource` asks anew, with "wait" `publish` waits for it.

    After `ping` seconds without an event a comment is sent, so that proxies keep the connections;
    None sends none. With a `bus` the channels of that name in all its processes are one. Raises
    ValueError for settings that cannot be meant. A channel belongs to one event loop.
    """

    def __init__(
        self,
        name: str,
        *,
        slow: Slow = "drop",
        queue_bytes: int = QUEUE_BYTES,
        ping: float | None = 15.0,
        bus: Bus | None = None,
    ) -> None:
        self.name = name
        self._crowd: Crowd[_EventChannelResponse] = Crowd(slow, queue_bytes, _write, _dismiss)
        self._subscription = Subscription(bus, name, self._deliver)
        self._ping = ping
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<EventChannel {self.name!r} to {len(self)}>"

    def __len__(self) -> int:
        return len(self._crowd.members)

    @property
    def dropped(self) -> int:
        """How many times a subscriber has missed an event because it was slow."""
        return self._crowd.dropped

    def response(
        self,
        request: Request,
        headers: Mapping[str, str] | None = None,
        *,
        first: Any = None,
    ) -> Response:
        """Make the response that streams the events to a request's client until it leaves.

        `first` is an event for this client alone, before all others: what the state is now, say. It
        is encoded in the moment in which the client joins, and no event is missed or sent twice if
        it shows what all before it have made; a function is called then, and returns it.
        """
        return _EventChannelResponse(self, request, headers, first)

    async def publish(self, event: Any) -> int | None:
        """Send an event to all subscribers; what is no `ServerSentEvent` is sent as its data.

        Returns how many it was sent to, or None if a bus carries it. Events reach each subscriber
        in the order of the calls. Only with `slow="wait"` does it wait, for those who are behind.
        """
        return await self._subscription.publish(_encoded(event))

    def close(self) -> None:
        """End all responses, as they should end; the channel may be used again."""
        for member in tuple(self._crowd.members):
            self._crowd.leave(member)
            member.end(complete=True)
        self._left()

    async def _deliver(self, message: str | bytes) -> int:
        self._expect_silence()
        return await self._crowd.tell(message)

    async def _join(self, member: _EventChannelResponse, send: Send, first: Any) -> None:
        await self._subscription.begin()
        # Nothing is published between this and the member's place behind it: nothing is awaited.
        greeting = _greeting(first)

        def left() -> None:
            member.end(complete=False)
            self._left()

        self._crowd.join(member, send, left)
        if self._timer is None:
            self._expect_silence()
        await self._crowd.greet(member, greeting)

    def _leave(self, member: _EventChannelResponse) -> None:
        self._crowd.leave(member, connection_ended=True)
        self._left()

    def _left(self) -> None:
        if not self._crowd.members:
            self._subscription.end()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _expect_silence(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._ping is not None and self._crowd.members:
            self._timer = asyncio.get_running_loop().call_later(self._ping, self._break_silence)

    def _break_silence(self) -> None:
        # Whoever is behind has something to read already.
        self._crowd.offer(_PING)
        self._expect_silence()


class _EventChannelResponse(Response):
    """The response to one subscriber."""

    media_type = "text/event-stream"

    def __init__(
        self,
        channel: EventChannel,
        request: Request,
        headers: Mapping[str, str] | None,
        first: Any,
    ) -> None:
        super().__init__(None, 200, headers)
        self._channel = channel
        self._request = request
        self._over: asyncio.Future[bool] | None = None
        self._first = first
        self.headers["content-type"] = "text/event-stream"
        self.headers.setdefault("cache-control", "no-cache")
        # nginx keeps back what it is not told to let through.
        self.headers.setdefault("x-accel-buffering", "no")
        del self.headers["content-length"]

    async def __call__(self, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.headers.raw}
        )
        if self._request.method == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        if await self._stream(send):
            await send({"type": "http.response.body", "body": b""})

    async def _stream(self, send: Send) -> bool:
        """Be sent what all are, until that ends; whether the response is to be ended then."""
        self._over = asyncio.get_running_loop().create_future()
        watching = None
        try:
            await self._channel._join(self, send, self._first)
            if not self._over.done() and not self._channel._crowd.is_ours(self):
                watching = asyncio.ensure_future(self._watch())
            return await self._over
        finally:
            self._channel._leave(self)
            if watching is not None:
                watching.cancel()

    async def _watch(self) -> None:
        """Hear from a server that is not ours that the client has left."""
        while (await self._request._receive())["type"] != "http.disconnect":
            pass
        self.end(complete=False)

    def end(self, *, complete: bool) -> None:
        """End the stream; it is complete unless the client has gone or is to be cut off."""
        if self._over is not None and not self._over.done():
            self._over.set_result(complete)


def _greeting(first: Any) -> bytes:
    """Encode what a client is told first; without that a comment, so that it sees the head."""
    if callable(first):
        first = first()
    return b":\n\n" if first is None else _encoded(first)


def _encoded(event: Any) -> bytes:
    return (event if isinstance(event, ServerSentEvent) else ServerSentEvent(data=event)).encode()


async def _write(member: _EventChannelResponse, send: Send, message: str | bytes) -> None:
    await send({"type": "http.response.body", "body": message, "more_body": True})


async def _dismiss(member: _EventChannelResponse, send: Send) -> None:
    member.end(complete=False)
