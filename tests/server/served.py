"""A server for the length of a `with` block, on a port of its own, and what it logs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from wire import Wire

import hoopsnake

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Log(logging.Handler):
    """Everything that the server says, with tracebacks, and a way to wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self._news = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self._news.set()

    @property
    def text(self) -> str:
        return "\n".join(self.format(record) for record in self.records)

    def lines(self, logger: str) -> list[str]:
        """The messages of one logger."""
        return [each.getMessage() for each in self.records if each.name == logger]

    @property
    def faults(self) -> list[str]:
        """What it logged as an error."""
        return [self.format(each) for each in self.records if each.levelno >= logging.ERROR]

    async def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until the log has this."""
        while not (found := re.search(pattern, self.text)):
            self._news.clear()
            await self._news.wait()
        return found


class Served:
    """A running server."""

    def __init__(self, task: asyncio.Task[None], log: Log, address: str) -> None:
        self.task = task
        self.log = log
        self.address = address

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    @property
    def websocket_url(self) -> str:
        return f"ws{self.address.removeprefix('http')}"

    async def connect(self, **options: Any) -> Wire:
        """Open a bare connection."""
        return await Wire.open(("127.0.0.1", self.port), **options)

    async def get(self, path: str = "/") -> Any:
        """Send one GET over a connection of its own."""
        async with await self.connect() as wire:
            await wire.get(path)
            return await wire.answer()

    def stop(self) -> None:
        """Ask the server to stop, as its cancellation does."""
        self.task.cancel()

    async def ended(self) -> None:
        """Wait until it has stopped."""
        await asyncio.wait([self.task])
        with contextlib.suppress(asyncio.CancelledError):
            self.task.result()


@contextlib.asynccontextmanager
async def served(
    application: Application, *, faulty: bool = False, **settings: Any
) -> AsyncIterator[Served]:
    """Serve an application; unless it is a `faulty` one, nothing may be logged as an error."""
    config = hoopsnake.ServerConfig(**{"port": 0, "graceful_timeout": 2.0, **settings})
    log = Log()
    logger = logging.getLogger("hoopsnake")
    logger.addHandler(log)
    task = asyncio.create_task(hoopsnake.serve(application, config))
    try:
        address = asyncio.create_task(log.wait_for(r"Serving on (\S+) "))
        await asyncio.wait([task, address], return_when=asyncio.FIRST_COMPLETED)
        if not address.done():
            address.cancel()
            await task
        server = Served(task, log, address.result()[1])
        yield server
        server.stop()
        await server.ended()
    finally:
        task.cancel()
        await asyncio.wait([task])
        logger.removeHandler(log)
    if not faulty:
        assert log.faults == []
