"""A handler whose client has gone is cancelled: nobody would read its answer.

The watch begins when the handler waits for the first time, so one that answers at once costs
nothing more. Until then, and from then on, no byte of the body is lost: the watch takes one event
of `receive()` ahead, and keeps it for who asks.
"""

from __future__ import annotations

import asyncio
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from hoopsnake._errors import ClientDisconnected
from hoopsnake.web._request import Receive, Request

__all__ = ["while_the_client_is_there"]


async def while_the_client_is_there(work: Coroutine[Any, Any, Any], request: Request) -> Any:
    """Await something, unless the client leaves: then cancel it and raise ClientDisconnected.

    A handler that awaits `receive()` itself is told there, and not cancelled.
    """
    watch: list[_Watch] = []

    def begin() -> None:
        watch.append(_Watch(request))

    try:
        return await _driven(work, begin)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if watch and watch[0].has_cancelled and task is not None and task.uncancel() <= 0:
            raise ClientDisconnected("the client left before it was answered") from None
        raise
    finally:
        if watch:
            watch[0].end()


@types.coroutine
def _driven(work: Coroutine[Any, Any, Any], begin: Callable[[], None]) -> Generator[Any, None, Any]:
    """Do what `await work` does, and call `begin` before it waits for the first time."""
    try:
        waiting = work.send(None)
        begin()
        while True:
            try:
                yield waiting
            except GeneratorExit:
                work.close()
                raise
            except BaseException as error:
                waiting = work.throw(error)
            else:
                waiting = work.send(None)
    except StopIteration as done:
        return done.value


class _Watch:
    """Looks for the client's leaving, in the place of `receive()`."""

    def __init__(self, request: Request) -> None:
        self.has_cancelled = False
        self._receive: Receive = request._receive
        self._ahead: deque[dict[str, Any]] = deque()
        self._readers: deque[asyncio.Future[None]] = deque()
        self._taken = asyncio.Event()
        self._task = asyncio.current_task()
        request._receive = self.receive
        self._looking = asyncio.ensure_future(self._look(request))

    def end(self) -> None:
        """Look no more; what was taken ahead can still be received."""
        self._looking.cancel()
        self._wake()

    async def receive(self) -> dict[str, Any]:
        """Take the next event (ASGI 3.0)."""
        while not self._ahead:
            if self._looking.done() or self._looking.cancelling():
                return await self._receive()
            reader = asyncio.get_running_loop().create_future()
            self._readers.append(reader)
            try:
                await reader
            finally:
                if reader in self._readers:
                    self._readers.remove(reader)
        event = self._ahead.popleft()
        self._taken.set()
        return event

    async def _look(self, request: Request) -> None:
        try:
            if request._is_receiving:
                # What the handler waits for is an event: no two may wait for one.
                received = asyncio.Event()
                request._when_received = received.set
                await received.wait()
                request._when_received = None
            while True:
                event = await self._receive()
                is_read = bool(self._readers)
                self._ahead.append(event)
                self._wake()
                if event["type"] == "http.disconnect":
                    if not is_read and self._task is not None:
                        self.has_cancelled = True
                        self._task.cancel()
                    return
                if event.get("more_body", False):
                    # One piece ahead, and not the whole of a body that nobody reads.
                    self._taken.clear()
                    await self._taken.wait()
        except Exception:
            # Who receives next hears of it, from the server itself.
            return
        finally:
            self._wake()

    def _wake(self) -> None:
        while self._readers:
            reader = self._readers.popleft()
            if not reader.done():
                reader.set_result(None)
