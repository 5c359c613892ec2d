"""Rooms: WebSockets that are sent the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hoopsnake.web._bus import Bus
from hoopsnake.web._crowd import QUEUE_BYTES, TOO_SLOW, Crowd, Slow
from hoopsnake.web._json import to_json
from hoopsnake.web._request import Send
from hoopsnake.web._subscription import Subscription
from hoopsnake.web._websocket import WebSocket

__all__ = ["Room"]


class Room:
    """WebSockets that are sent the same, each message put into its frame once.

    A member has up to `queue_bytes` waiting for it. What becomes of one for whom more waits,
    because it does not read as fast as all are told, says `slow`: with "drop" it misses messages
    until it has caught up, with "disconnect" it is closed with 1013, with "wait" `broadcast` waits
    for it.

    With a `bus` the rooms of that name in all its processes are one. Raises ValueError for settings
    that cannot be meant. A room belongs to one event loop.
    """

    def __init__(
        self,
        name: str,
        *,
        slow: Slow = "drop",
        queue_bytes: int = QUEUE_BYTES,
        bus: Bus | None = None,
    ) -> None:
        self.name = name
        self._crowd: Crowd[WebSocket] = Crowd(slow, queue_bytes, _write, _dismiss)
        self._subscription = Subscription(bus, name, self._crowd.tell)

    def __repr__(self) -> str:
        return f"<Room {self.name!r} of {len(self)}>"

    def __len__(self) -> int:
        return len(self._crowd.members)

    def __contains__(self, socket: object) -> bool:
        return socket in self._crowd.members

    @property
    def members(self) -> tuple[WebSocket, ...]:
        """Who is in it here, in the order in which they came."""
        return tuple(self._crowd.members)

    @property
    def dropped(self) -> int:
        """How many times a member has missed a message because it was slow."""
        return self._crowd.dropped

    async def join(self, socket: WebSocket) -> None:
        """Let a WebSocket in, once it was accepted; it leaves when it ends, if not before.

        Raises RuntimeError if it is not open.
        """
        _check_open(socket)
        await self._subscription.begin()
        if socket.is_closed:
            self._left(socket)
            _check_open(socket)
        self._crowd.join(socket, socket._send, lambda: self._left(socket))
        socket._when_over[self] = lambda: self._ended(socket)

    def leave(self, socket: WebSocket) -> None:
        """Let it go, if it is in; what it was to be sent before is still sent."""
        self._crowd.leave(socket)
        self._left(socket)

    @asynccontextmanager
    async def member(self, socket: WebSocket) -> AsyncIterator[Room]:
        """Have a WebSocket in the room for the length of an `async with` block."""
        await self.join(socket)
        try:
            yield self
        finally:
            self.leave(socket)

    async def broadcast(self, message: Any) -> int | None:
        """Send a message to all members: a str as text, bytes as they are, all else as JSON.

        Returns how many it was sent to, or None if a bus carries it. Messages reach each member in
        the order of the calls. Only with `slow="wait"` does it wait, for members who are behind.
        """
        if not isinstance(message, str | bytes):
            message = to_json(message).decode()
        return await self._subscription.publish(message)

    def _ended(self, socket: WebSocket) -> None:
        self._crowd.leave(socket, connection_ended=True)
        self._left(socket)

    def _left(self, socket: WebSocket) -> None:
        socket._when_over.pop(self, None)
        if not self._crowd.members:
            self._subscription.end()


def _check_open(socket: WebSocket) -> None:
    if not socket.is_accepted or socket.is_closed:
        raise RuntimeError("a WebSocket joins a room once it was accepted and while it is open")


async def _write(socket: WebSocket, send: Send, message: str | bytes) -> None:
    kind = "text" if isinstance(message, str) else "bytes"
    await send({"type": "websocket.send", kind: message})


async def _dismiss(socket: WebSocket, send: Send) -> None:
    try:
        await socket.close(*TOO_SLOW)
    except Exception:
        # It has gone meanwhile, or its application has closed it: each server has its own words.
        return
