"""Functions that are not `async`, on threads of their own."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from hoopsnake.web._handler_threads import handler_threads

__all__ = ["call_either", "inline", "is_async", "is_inline", "run_in_thread"]

Call = TypeVar("Call", bound=Callable[..., Any])

_MARK = "__hoopsnake_inline__"


def inline(call: Call) -> Call:
    """Declare that a function that is not `async` never blocks: it is called without a thread.

    For handlers and dependencies that only compute, and briefly: the loop waits for them.
    """
    setattr(call, _MARK, True)
    return call


def is_inline(call: Callable[..., Any]) -> bool:
    """Whether a call was declared not to block."""
    while isinstance(call, functools.partial):
        call = call.func
    return getattr(call, _MARK, False) is True


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
    """Call a function on a thread that handlers have for themselves, in our context."""
    return await handler_threads.run(call, *args, **kwargs)


async def call_either(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Await an `async` function, or call another one: on a thread, unless it is `inline`."""
    if is_async(call):
        return await call(*args, **kwargs)
    if is_inline(call):
        return call(*args, **kwargs)
    return await run_in_thread(call, *args, **kwargs)
