"""The tasks at work for one `gather`, `as_completed` or `map_concurrent`, and their end.

Whoever consumes the results drives it: with each result taken, the next call is started. At most
`limit` calls are at work or done and not taken, so a slow consumer holds the source back. Only an
async source has a task of its own, which goes through it from beginning to end, so that its
context and its timeouts stay those of one task.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from functools import partial
from typing import Any

from hoopsnake._ending import all_done
from hoopsnake._gather._outcome import Outcome
from hoopsnake._gather._progress import ProgressOption, progress_of
from hoopsnake._gather._source import AsyncSource, Source

__all__ = ["Crew"]


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


class Crew:
    """Calls at work, and those that are done and not yet taken."""

    def __init__(
        self,
        source: Source | AsyncSource,
        call: Callable[[Any], Awaitable[Any]] | None,
        *,
        limit: int | None,
        ordered: bool,
        collect: bool,
        progress: ProgressOption,
        title: str,
    ) -> None:
        if limit is not None and limit < 1:
            raise ValueError(f"limit has to be at least 1, not {limit}")
        self._source = source
        self._call = call
        self._limit = limit
        self._ordered = ordered
        self._collect = collect
        self._progress = progress_of(progress, title, source.total)
        # Each call sees the variables of whoever asked for it, and not those of the one before.
        self._context = copy_context()
        self.loop = asyncio.get_running_loop()
        self._running: dict[int, asyncio.Future[Any]] = {}
        self._done: dict[int, asyncio.Future[Any]] = {}
        self._just_done: set[int] = set()
        self._order: deque[int] = deque()
        self._started = 0
        self._taken = 0
        self._finished = 0
        self._exhausted = False
        self._stopped = False
        self._failure: BaseException | None = None
        self._feeder: asyncio.Task[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._awaited: asyncio.Future[None] | None = None
        self._consumer: asyncio.Task[Any] | None = None

    async def take(self) -> tuple[int, asyncio.Future[Any]] | None:
        """Return the next that is done, and its place; None at the end.

        Raises the first failure, unless each outcome is collected; by then all others have ended.
        """
        self._belong_to(asyncio.current_task())
        while True:
            self._fill()
            ready = self._pop()
            if ready is not None:
                self._fill()
                return ready
            if self._failure is not None:
                await self.end()
                raise self._pop_failure()
            if self._exhausted and not self._running:
                await self.end()
                return None
            self._awaited = self.loop.create_future()
            try:
                await self._awaited
            except BaseException:
                await self.end()
                raise
            finally:
                self._awaited = None

    def stop(self) -> None:
        """Start nothing more, and cancel what is at work; once, for its cleanup is its own."""
        self._belong_to(None)
        if self._stopped:
            return
        self._exhausted = self._stopped = True
        if isinstance(self._source, Source):
            try:
                self._source.close(of_awaitables=self._call is None)
            except Exception as error:
                self._report(error)
        if self._feeder is not None:
            self._feeder.cancel()
        for index, future in self._running.items():
            if not future.cancel():
                # It was done in the same turn, by itself.
                self._just_done.add(index)
        self._close_progress()

    async def end(self) -> None:
        """Stop, and return once all have ended."""
        self.stop()
        await all_done([*self._running.values(), *filter(None, [self._feeder])])
        if self._running:
            # Done just now: what follows from that is queued, and is part of the end.
            await asyncio.sleep(0)

    def _belong_to(self, task: asyncio.Task[Any] | None) -> None:
        """Note who consumes: when that task ends, nobody is left to."""
        if task is not self._consumer:
            if self._consumer is not None:
                self._consumer.remove_done_callback(self._left_alone)
            self._consumer = task
            if task is not None:
                task.add_done_callback(self._left_alone)

    def _left_alone(self, _task: asyncio.Task[Any]) -> None:
        self._consumer = None
        self.stop()

    def _has_room(self) -> bool:
        return self._limit is None or len(self._running) + len(self._done) < self._limit

    def _fill(self) -> None:
        """Start as many as there is room for."""
        if self._exhausted:
            return
        if isinstance(self._source, AsyncSource):
            if self._feeder is None:
                self._feeder = self.loop.create_task(self._feed(self._source))
                self._feeder.add_done_callback(self._fed)
            elif self._room is not None and self._has_room() and not self._room.done():
                self._room.set_result(None)
            return
        while self._has_room():
            try:
                item = next(self._source)
            except StopIteration:
                self._exhausted = True
                return
            except Exception as error:
                self._fail(error)
                return
            self._start(item)

    async def _feed(self, source: AsyncSource) -> None:
        try:
            async for item in source:
                self._start(item)
                while not self._has_room():
                    self._room = self.loop.create_future()
                    await self._room
        finally:
            await source.aclose()

    def _fed(self, feeder: asyncio.Task[None]) -> None:
        self._exhausted = True
        error = None if feeder.cancelled() else feeder.exception()
        if error is not None and self._stopped:
            self._report(error)
        elif error is not None:
            self._fail(error)
        self._wake()

    def _start(self, item: Any) -> None:
        if self._stopped:
            # The source gave one more although it was cancelled.
            if inspect.iscoroutine(item):
                item.close()
            return
        index = self._started
        self._started += 1
        try:
            awaitable = item if self._call is None else self._call(item)
            if not asyncio.isfuture(awaitable):
                if not inspect.isawaitable(awaitable):
                    raise TypeError(f"expected an awaitable, got {type(awaitable).__name__}")
                if not inspect.iscoroutine(awaitable):
                    awaitable = _awaited(awaitable)
                awaitable = self.loop.create_task(awaitable, context=self._context.copy())
        except Exception as error:
            awaitable = self.loop.create_future()
            awaitable.set_exception(error)
        self._running[index] = awaitable
        awaitable.add_done_callback(partial(self._ended, index))

    def _ended(self, index: int, future: asyncio.Future[Any]) -> None:
        del self._running[index]
        error = Outcome.of(index, future).error
        if self._stopped:
            if isinstance(error, Exception) and index not in self._just_done:
                # It failed because it was cancelled, as nobody would expect.
                self._report(error)
            return
        self._finished += 1
        if self._progress is not None:
            try:
                self._progress.advance(self._finished, self._source.total)
            except Exception as broken:
                self._fail(broken)
        if error is not None and not self._collect:
            self._fail(error)
            return
        self._done[index] = future
        if not self._ordered:
            self._order.append(index)
        self._wake()

    def _fail(self, error: BaseException) -> None:
        """Let the first failure end all others."""
        if self._failure is None:
            self._failure = error
            self.stop()
        self._wake()

    def _report(self, error: BaseException) -> None:
        """Say what nobody will be told: an error beside the first."""
        self.loop.call_exception_handler(
            {"message": "a call failed while it was being cancelled", "exception": error}
        )

    def _wake(self) -> None:
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(None)

    def _pop(self) -> tuple[int, asyncio.Future[Any]] | None:
        if self._ordered:
            index = self._taken
        elif self._order:
            index = self._order.popleft()
        else:
            return None
        future = self._done.pop(index, None)
        if future is None:
            return None
        self._taken += 1
        return index, future

    def _pop_failure(self) -> BaseException:
        """Hand the failure out: its traceback leads back here, and would keep itself alive."""
        failure = self._failure
        self._failure = None
        assert failure is not None
        return failure

    def _close_progress(self) -> None:
        if self._progress is not None:
            self._progress.close()
            self._progress = None
