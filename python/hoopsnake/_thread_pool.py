"""Work for the threads of the standard library's pool, past the future that it would make."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, thread
from queue import SimpleQueue
from threading import Lock
from typing import Any, Protocol, cast

from hoopsnake._native import BlockingCall

__all__ = ["submit"]


class _Pool(Protocol):
    """What `ThreadPoolExecutor.submit` uses of its own; tests/event_loop looks whether it does."""

    _broken: bool | str
    _shutdown: bool
    _shutdown_lock: Lock
    _work_queue: SimpleQueue[Any]

    def _adjust_thread_count(self) -> None: ...


def submit(executor: ThreadPoolExecutor, call: BlockingCall) -> bool:
    """Queue `call` for a thread of `executor`; return False if it takes no more work."""
    pool = cast(_Pool, executor)
    with pool._shutdown_lock, thread._global_shutdown_lock:
        if pool._broken or pool._shutdown or thread._shutdown:
            return False
        pool._work_queue.put(call)
        pool._adjust_thread_count()
    return True
