"""How a room's messages reach the members that other processes have."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

__all__ = ["Bus", "LocalBus", "Receiver"]

Receiver = Callable[[bytes], Awaitable[None]]
"""Takes a message of the topic that it was subscribed to."""


class Bus(Protocol):
    """Carries messages by topic to whoever has subscribed, in the order of their publishing.

    What travels is bytes, so a broker between processes can be one: its adapter has these methods.
    """

    async def publish(self, topic: str, message: bytes) -> None:
        """Hand a message to every receiver of a topic, in this process and elsewhere."""

    async def subscribe(self, topic: str, receiver: Receiver) -> Callable[[], None]:
        """Have a receiver called with each message from now on; return what ends that."""
        raise NotImplementedError


class LocalBus:
    """A bus within one process: rooms of the same name hear each other through it."""

    def __init__(self) -> None:
        self._receivers: dict[str, list[Receiver]] = {}

    @property
    def topics(self) -> tuple[str, ...]:
        """What somebody has subscribed to."""
        return tuple(self._receivers)

    async def publish(self, topic: str, message: bytes) -> None:
        """Hand a message to every receiver of a topic, one after the other."""
        for receiver in tuple(self._receivers.get(topic, ())):
            await receiver(message)

    async def subscribe(self, topic: str, receiver: Receiver) -> Callable[[], None]:
        """Have a receiver called with each message from now on; return what ends that."""
        self._receivers.setdefault(topic, []).append(receiver)

        def unsubscribe() -> None:
            receivers = self._receivers.get(topic, [])
            if receiver in receivers:
                receivers.remove(receiver)
            if not receivers:
                self._receivers.pop(topic, None)

        return unsubscribe
