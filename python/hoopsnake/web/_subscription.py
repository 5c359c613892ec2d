"""What ties a room or a channel to its bus: subscribed for as long as somebody is there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from hoopsnake.web._bus import Bus

__all__ = ["Subscription"]

_TEXT, _BYTES = b"t", b"b"


class Subscription:
    """Carries texts and bytes over a bus, or straight to `deliver` where there is none."""

    def __init__(
        self, bus: Bus | None, topic: str, deliver: Callable[[str | bytes], Awaitable[int]]
    ) -> None:
        self._bus = bus
        self._topic = topic
        self._deliver = deliver
        self._end: Callable[[], None] | None = None

    async def begin(self) -> None:
        """Hear what is published, from now on."""
        if self._bus is not None and self._end is None:
            end = await self._bus.subscribe(self._topic, self._receive)
            if self._end is None:
                self._end = end
            else:
                # Two came at once, and the other one was first.
                end()

    def end(self) -> None:
        """Hear no more."""
        if self._end is not None:
            self._end()
            self._end = None

    async def publish(self, message: str | bytes) -> int | None:
        """Hand it to all; return how many it was sent to, if that is known here."""
        if self._bus is None:
            return await self._deliver(message)
        data = _TEXT + message.encode() if isinstance(message, str) else _BYTES + message
        await self._bus.publish(self._topic, data)
        return None

    async def _receive(self, data: bytes) -> None:
        kind, message = data[:1], data[1:]
        await self._deliver(message.decode() if kind == _TEXT else message)
