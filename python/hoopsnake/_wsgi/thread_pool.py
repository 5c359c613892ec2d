"""Threads for calls that block: as few of them awake as there is work for.

What is different from the standard library's pool: a call makes no future, and many calls that
come together wake one thread, which wakes the next one only if there is more to do. Where calls are
short and hold the GIL, one thread then does them all, and the others do not wake to find nothing.

Both sides touch `_calls`, `_idle` and `_waking` without a lock. That is sound for these reasons:

1. Appending to a deque or a list, and popping from it, is one step under the GIL.
2. A thread lies down in this order: it puts its place into `_idle`, looks at `_calls` once more,
   and then waits. Whoever brings a call puts it into `_calls` first, and then looks into `_idle`.
   So one of the two sees the other.
3. `_waking` is set by whoever wakes a thread, and cleared by that thread before it looks at
   `_calls`: while it is set, a thread will yet look. Whoever finds none to wake clears it too, and
   then looks again: others may have relied on it meanwhile.
"""

from __future__ import annotations

import os
import threading
import time
from _thread import LockType, allocate_lock
from collections import deque
from collections.abc import Callable

__all__ = ["ThreadPool", "default_threads"]

Call = Callable[[], None]


def default_threads() -> int:
    """How many threads there are if nobody says how many.

    Threads wait for databases and files, so there are more than processors; but they share one
    interpreter lock, and beyond some they only wait for each other.
    """
    return min(32, len(os.sched_getaffinity(0)) + 4)


class ThreadPool:
    """Up to `size` threads, begun when needed; they do not keep the process from ending."""

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._calls: deque[Call] = deque()
        # Where idle threads wait: a lock for each, the last to lie down on top.
        self._idle: list[LockType] = []
        self._waking = False
        self._closed = False
        self._threads: set[threading.Thread] = set()
        self._growing = allocate_lock()

    def submit(self, call: Call) -> None:
        """Have a thread make a call, which must not raise; any thread may submit.

        Raises RuntimeError if there is no thread and the system gives none.
        """
        self._calls.append(call)
        if not self._waking:
            self._wake()

    def close(self) -> None:
        """Let the threads end once there is nothing left to do."""
        self._closed = True
        while self._idle:
            try:
                self._idle.pop().release()
            except IndexError:
                break

    @property
    def threads(self) -> list[threading.Thread]:
        """Those that have not ended."""
        with self._growing:
            return [*self._threads]

    def join(self, patience: float) -> None:
        """Wait until all have ended, for `patience` seconds at most."""
        deadline = time.monotonic() + patience
        for thread in self.threads:
            thread.join(max(deadline - time.monotonic(), 0))

    def _wake(self) -> None:
        while True:
            self._waking = True
            try:
                place = self._idle.pop()
            except IndexError:
                # All are at work: begin another, or leave it to the first that is through.
                if self._grow():
                    return
            else:
                place.release()
                return
            self._waking = False
            # One may have lain down since, and a call have come after that.
            if not (self._calls and self._idle):
                return

    def _grow(self) -> bool:
        with self._growing:
            if len(self._threads) >= self._size:
                return False
            thread = threading.Thread(
                target=self._work, name=f"{self._name}-{len(self._threads) + 1}", daemon=True
            )
            self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:
            with self._growing:
                self._threads.discard(thread)
                if not self._threads:
                    self._calls.pop()
                    self._waking = False
                    raise
            return False
        return True

    def _work(self) -> None:
        place = allocate_lock()
        place.acquire()
        try:
            self._waking = False
            while True:
                try:
                    call = self._calls.popleft()
                except IndexError:
                    if self._closed:
                        return
                    self._rest(place)
                    continue
                if self._calls and not self._waking:
                    self._wake()
                call()
                del call
        finally:
            with self._growing:
                self._threads.discard(threading.current_thread())

    def _rest(self, place: LockType) -> None:
        """Wait at `place` until somebody opens it, unless there is something to do after all."""
        self._idle.append(place)
        if self._calls or self._closed:
            try:
                self._idle.remove(place)
            except ValueError:
                pass  # somebody has taken it, and is opening it
            else:
                return
        place.acquire()
        self._waking = False
