"""Functions that are not `async`, on threads of their own."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

__all__ = ["call_either", "is_async", "run_in_thread"]

# A thread of a web application waits more than it works: what it works at is under the GIL.
_THREADS = max(32, 4 * (os.cpu_count() or 1))

_pool: ThreadPoolExecutor | None = None


def is_async(call: Callable[..., Any]) -> bool:
    """Whether a call returns something to await."""
    while isinstance(call, functools.partial):
        call = call.func
    return inspect.iscoroutinefunction(call) or (
        not inspect.isroutine(call)
        and not inspect.isclass(call)
        and inspect.iscoroutinefunction(getattr(call, "__call__", None))  # noqa: B004
    )


async def run_in_thread(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function on a thread of the pool that handlers have for themselves, in our context."""
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="hoopsnake-handler")
    context = contextvars.copy_context()
    work = functools.partial(context.run, call, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(_pool, work)


async def call_either(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Await an `async` function, or call another one on a thread."""
    if is_async(call):
        return await call(*args, **kwargs)
    return await run_in_thread(call, *args, **kwargs)
