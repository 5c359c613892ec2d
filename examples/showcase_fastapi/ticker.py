"""A live ticker over server-sent events: how this very server is doing, twice a second."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import asdict, dataclass
from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import StreamingResponse

from .transfer import traffic

router = APIRouter()

PERIOD = 0.5
WINDOW = 30.0  # What a newcomer, or one who was away, is told of the past, in seconds.
RETRY_MILLISECONDS = 1000


@dataclass(frozen=True)
class Tick:
    """One reading of the server's pulse."""

    number: int
    at: float  # Unix time, in seconds.
    late_ms: float  # How much later than asked the loop woke us.
    cpu_percent: float
    tasks: int
    listeners: int
    transfers: int
    bytes_per_second: int


class Pulse:
    """Reads the pulse while somebody listens, and lets any number of listeners follow it.

    There is no queue for each listener: all read the same short history, each at its own pace, so
    a slow one costs the others nothing and simply misses what has left the history.
    """

    def __init__(self) -> None:
        self.run = secrets.token_hex(4)  # Tells our ids from those of an earlier process.
        self.listeners = 0
        self._ticks: deque[Tick] = deque(maxlen=int(WINDOW / PERIOD))
        self._count = 0
        self._arrived = asyncio.Condition()
        self._reader: asyncio.Task[None] | None = None

    async def follow(self, after: int) -> AsyncGenerator[Tick, None]:
        """Every tick with a number above `after`, for as long as the caller wants them."""
        self.listeners += 1
        if self._reader is None:
            self._reader = asyncio.create_task(self._read())
        try:
            while True:
                news = [tick for tick in self._ticks if tick.number > after]
                for tick in news:
                    if tick.at > time.time() - WINDOW:
                        yield tick
                    after = tick.number
                async with self._arrived:
                    while self._count <= after:
                        await self._arrived.wait()
        finally:
            self.listeners -= 1
            if self.listeners == 0 and self._reader is not None:
                self._reader.cancel()  # Nobody listens: the pulse need not be read.
                self._reader = None

    async def _read(self) -> None:
        clock = asyncio.get_running_loop().time
        cpu, moved, then = time.process_time(), traffic.bytes_moved, clock()
        while True:
            due = clock() + PERIOD
            await asyncio.sleep(PERIOD)
            now = clock()
            self._count += 1
            tick = Tick(
                number=self._count,
                at=time.time(),
                late_ms=round(max(0.0, now - due) * 1000, 2),
                cpu_percent=round((time.process_time() - cpu) / (now - then) * 100, 1),
                tasks=len(asyncio.all_tasks()),
                listeners=self.listeners,
                transfers=traffic.under_way,
                bytes_per_second=round((traffic.bytes_moved - moved) / (now - then)),
            )
            cpu, moved, then = time.process_time(), traffic.bytes_moved, now
            self._ticks.append(tick)
            async with self._arrived:
                self._arrived.notify_all()


pulse = Pulse()


def number_of(event_id: str) -> int:
    """The number in an event's id, or 0 where the id is not one of this process."""
    found = re.fullmatch(r"([0-9a-f]{8})-([0-9]{1,15})", event_id)
    return int(found[2]) if found and found[1] == pulse.run else 0


async def server_sent(after: int) -> AsyncIterator[str]:
    """The ticks in the wire format of server-sent events."""
    yield f"retry: {RETRY_MILLISECONDS}\n\n"
    async with aclosing(pulse.follow(after)) as ticks:
        async for tick in ticks:
            data = json.dumps(asdict(tick))
            yield f"id: {pulse.run}-{tick.number}\nevent: tick\ndata: {data}\n\n"


@router.get("/ticker")
async def ticker(
    after: str = "", last_event_id: Annotated[str, Header()] = ""
) -> StreamingResponse:
    """Follow the pulse. The browser's header, or `after`, says which event was seen last."""
    return StreamingResponse(
        server_sent(number_of(last_event_id or after)),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )
