"""Those who are sent the same: by the engine, or by a task for each on servers not our own."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Generic, Literal, TypeVar

from hoopsnake._native import Audience
from hoopsnake.web._request import Send

__all__ = ["QUEUE_BYTES", "TOO_SLOW", "Crowd", "Slow", "Ticket"]

Slow = Literal["drop", "disconnect", "wait"]
QUEUE_BYTES = 256 * 1024
TOO_SLOW = (1013, "too slow")
"""How a WebSocket ends that does not keep up: "Try Again Later" of IANA's registry."""

T = TypeVar("T")


class Ticket:
    """One who is sent what all are, for as long as its connection lasts."""

    def __init__(self, left: Callable[[], object]) -> None:
        self.left = left
        self.number: int | None = None
        """What the engine calls it."""
        self.queue: Queue | None = None
        """What waits for it, where its server is not ours."""


class Queue:
    """What waits for one client of a server that is not ours, and the task that sends it."""

    def __init__(
        self,
        write: Callable[[str | bytes], Coroutine[Any, Any, None]],
        failed: Callable[[], object],
    ) -> None:
        self._write = write
        self._failed = failed
        self._waiting: deque[str | bytes] = deque()
        self._empty: list[asyncio.Future[None]] = []
        self._is_leaving = False
        self._task: asyncio.Task[None] | None = None
        self.size = 0
        """Bytes that wait, a text's characters counted as one each."""

    def put(self, message: str | bytes) -> None:
        """Send it once what was there before is sent."""
        self._waiting.append(message)
        self.size += len(message)
        if self._task is None:
            self._task = asyncio.ensure_future(self._work())

    async def _work(self) -> None:
        try:
            while self._waiting:
                message = self._waiting[0]
                await self._write(message)
                self._waiting.popleft()
                self.size -= len(message)
        except Exception:
            # Each server has its own exception for a client that has gone.
            self._task = None
            self._failed()
        finally:
            self._task = None
            self._tell_empty()

    def _tell_empty(self) -> None:
        for future in self._empty:
            if not future.done():
                future.set_result(None)
        self._empty.clear()

    def emptied(self) -> asyncio.Future[None]:
        """Return a future that is done once nothing waits, for a queue in which something does."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._empty.append(future)
        return future

    def end(self) -> None:
        """Send nothing more, whatever waits."""
        self._waiting.clear()
        self.size = 0
        if self._task is not None:
            self._task.cancel()
        self._tell_empty()


class Crowd(Generic[T]):
    """Those who are sent the same, each with a bounded queue, and what becomes of the slow ones."""

    def __init__(
        self,
        slow: Slow,
        queue_bytes: int,
        write: Callable[[T, Send, str | bytes], Coroutine[Any, Any, None]],
        dismiss: Callable[[T, Send], Coroutine[Any, Any, None]],
    ) -> None:
        if slow not in ("drop", "disconnect", "wait"):
            raise ValueError(f"slow is 'drop', 'disconnect' or 'wait', not {slow!r}")
        if queue_bytes < 0:
            raise ValueError(f"queue_bytes is a number of bytes, not {queue_bytes!r}")
        self._slow = slow
        self._limit = queue_bytes
        self._write = write
        self._dismiss = dismiss
        self._native = Audience(queue_bytes)
        self._by_number: dict[int, T] = {}
        self._turn = asyncio.Lock()
        self._ending: set[asyncio.Task[None]] = set()
        self.members: dict[T, tuple[Ticket, Send]] = {}
        self.dropped = 0
        """How many deliveries did not happen because somebody was slow."""

    def join(self, member: T, send: Send, left: Callable[[], object]) -> None:
        """Have whom `send` sends to be sent what all are; `left` is called once, if that ends."""
        if member in self.members:
            return
        ticket = Ticket(left)
        self.members[member] = (ticket, send)
        ticket.number = self._native.join(send, lambda: self._lost(member))
        if ticket.number is not None:
            self._by_number[ticket.number] = member
        else:
            ticket.queue = Queue(
                lambda message: self._write(member, send, message), lambda: self._lost(member)
            )

    async def greet(self, member: T, message: str | bytes) -> None:
        """Send something to one who has just joined, before what all are sent from then on.

        It has its place there as soon as this is called, whatever has to be waited for.
        """
        ticket, send = self.members[member]
        if ticket.queue is not None:
            ticket.queue.put(message)
        else:
            await self._write(member, send, message)

    def is_ours(self, member: T) -> bool:
        """Whether the engine sends to it, and so hears of its end."""
        return self.members[member][0].number is not None

    def leave(self, member: T, *, connection_ended: bool = False) -> None:
        """Take it out; what waits for it is still sent unless its connection has ended."""
        ticket, _ = self.members.pop(member, (None, None))
        if ticket is None:
            return
        if ticket.number is not None:
            self._by_number.pop(ticket.number, None)
            self._native.leave(ticket.number)
        elif ticket.queue is not None and connection_ended:
            ticket.queue.end()

    def _lost(self, member: T) -> None:
        """Its connection has ended: it is no member any more, and hears of it."""
        if member in self.members:
            left = self.members[member][0].left
            self.leave(member, connection_ended=True)
            left()

    def offer(self, message: str | bytes) -> tuple[int, list[T]]:
        """Send to all who have room; return how many these are, and who has none."""
        taken, full = self._native.tell(message) if self._by_number else (0, [])
        slow = [self._by_number[number] for number in full]
        if len(self._by_number) < len(self.members):
            for member, (ticket, _) in self.members.items():
                if ticket.queue is None:
                    continue
                if ticket.queue.size > self._limit:
                    slow.append(member)
                else:
                    ticket.queue.put(message)
                    taken += 1
        return taken, slow

    async def tell(self, message: str | bytes) -> int:
        """Send to all as the policy is; return how many it was sent to."""
        if self._slow == "wait":
            async with self._turn:
                await self._room_for_all()
                return self.offer(message)[0]
        taken, slow = self.offer(message)
        self.dropped += len(slow)
        if self._slow == "disconnect":
            for member in slow:
                self._put_out(member)
        return taken

    async def _room_for_all(self) -> None:
        """Wait for those who have more waiting than they may have."""
        for number in self._native.behind():
            if (caught_up := self._native.caught_up(number)) is not None:
                await caught_up
        if len(self._by_number) == len(self.members):
            return
        queues = [ticket.queue for ticket, _ in self.members.values()]
        for queue in queues:
            while queue is not None and queue.size > self._limit:
                await queue.emptied()

    def _put_out(self, member: T) -> None:
        ticket, send = self.members[member]
        if ticket.number is not None:
            # The engine tells of it as it does of a client that leaves.
            self._native.dismiss(ticket.number, *TOO_SLOW)
            return
        self._lost(member)
        task = asyncio.ensure_future(self._dismiss(member, send))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
