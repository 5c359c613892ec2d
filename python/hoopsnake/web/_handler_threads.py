"""The threads of handlers and dependencies that are not `async`: how many, and how busy."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from hoopsnake.web._errors import HTTPException

__all__ = ["HandlerThreads", "ThreadStats", "handler_threads"]

# A thread of a web application waits more than it works: what it works at is under the GIL.
_THREADS = max(32, 4 * (os.cpu_count() or 1))


@dataclass(frozen=True, slots=True)
class ThreadStats:
    """What the threads are at: calls that run, that wait for a thread, and that are over."""

    threads: int
    queue: int | None
    working: int
    waiting: int
    done: int


class HandlerThreads:
    """Threads that all applications of this process share; `handler_threads` is the only one.

    asyncio's own pool stays free of them, so that a slow handler holds up no file and no name
    resolution.
    """

    def __init__(self, threads: int = _THREADS, queue: int | None = None) -> None:
        self._threads, self._queue = threads, queue
        self._pool: ThreadPoolExecutor | None = None
        # The counts change on threads too.
        self._lock = threading.Lock()
        self._working = self._waiting = self._done = 0

    def configure(self, threads: int, queue: int | None = None) -> None:
        """Have so many threads, from now on; `queue` calls may wait for one (None: any number).

        Calls that were made before end on the threads that they were made for.
        """
        if threads < 1 or (queue is not None and queue < 0):
            raise ValueError(f"{threads} threads with a queue of {queue} cannot work")
        if threads != self._threads and self._pool is not None:
            self._pool.shutdown(wait=False)
            self._pool = None
        self._threads, self._queue = threads, queue

    def stats(self) -> ThreadStats:
        """Return what the threads are at."""
        with self._lock:
            return ThreadStats(self._threads, self._queue, self._working, self._waiting, self._done)

    async def run(
        self,
        call: Callable[..., Any],
        *args: Any,
        abandoned: Callable[[asyncio.Future[Any]], None] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Make a call on a thread, in our context.

        A thread cannot be cancelled: where we are while it is at work, `abandoned` is called with
        what it will come to (None where it raises). Raises HTTPException with 503 if all are busy
        and no more may wait.
        """
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="hoopsnake-handler")
        with self._lock:
            busy = self._working + self._waiting
            if self._queue is not None and busy >= self._threads + self._queue:
                raise HTTPException(503, headers={"retry-after": "1"})
            self._waiting += 1
        context = contextvars.copy_context()
        hop = _Hop(self, functools.partial(context.run, call, *args, **kwargs))
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._pool, hop)
        except asyncio.CancelledError:
            outcome = self._abandon(hop, loop)
            if outcome is not None and abandoned is not None:
                abandoned(outcome)
            raise

    def _start(self, hop: _Hop) -> bool:
        with self._lock:
            if hop.is_dropped:
                return False
            hop.is_started = True
            self._waiting -= 1
            self._working += 1
            return True

    def _end(self, hop: _Hop, result: Any) -> None:
        with self._lock:
            self._working -= 1
            self._done += 1
            hop.is_over = True
            hop.result = result
            outcome = hop.outcome
        if outcome is not None:
            loop = outcome.get_loop()
            # The loop may have ended before its threads.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_resolve, outcome, result)

    def _abandon(self, hop: _Hop, loop: asyncio.AbstractEventLoop) -> asyncio.Future[Any] | None:
        """Forget a call that nobody waits for; return what comes of it if a thread is at it."""
        with self._lock:
            if not hop.is_started:
                hop.is_dropped = True
                self._waiting -= 1
                return None
            hop.outcome = loop.create_future()
            if hop.is_over:
                hop.outcome.set_result(hop.result)
            return hop.outcome


def _resolve(outcome: asyncio.Future[Any], result: Any) -> None:
    if not outcome.done():
        outcome.set_result(result)


class _Hop:
    """One call on its way to a thread."""

    __slots__ = ("_call", "_threads", "is_dropped", "is_over", "is_started", "outcome", "result")

    def __init__(self, threads: HandlerThreads, call: Callable[[], Any]) -> None:
        self._threads, self._call = threads, call
        self.is_started = self.is_dropped = self.is_over = False
        self.outcome: asyncio.Future[Any] | None = None
        self.result: Any = None

    def __call__(self) -> Any:
        if not self._threads._start(self):
            return None
        result = None
        try:
            result = self._call()
            return result
        finally:
            self._threads._end(self, result)


handler_threads = HandlerThreads()
