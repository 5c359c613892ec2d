"""Debug mode of the loop: asyncio's own handles, which know their origin and how long they ran."""

from __future__ import annotations

import asyncio
import contextvars
from asyncio import base_events
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import traceback

    from hoopsnake._event_loop import EventLoop

Scheduled = tuple[asyncio.Handle, Callable[[], None]]


def debug_handle(
    loop: EventLoop,
    method: str,
    callback: Callable[..., object],
    args: tuple[Any, ...],
    context: contextvars.Context | None,
) -> Scheduled:
    """Check a `call_soon`, and return the handle to show and the callable that runs it.

    Raises RuntimeError in a wrong thread, TypeError for a coroutine, as asyncio's debug mode does.
    """
    if method == "call_soon":
        loop._check_thread()
    loop._check_callback(callback, method)
    handle = asyncio.Handle(callback, args, loop, context)
    return _traced(loop, handle)


def debug_timer_handle(
    loop: EventLoop,
    when: float,
    callback: Callable[..., object],
    args: tuple[Any, ...],
    context: contextvars.Context | None,
) -> Scheduled:
    """Check a `call_at` or `call_later`; like `debug_handle`."""
    loop._check_thread()
    loop._check_callback(callback, "call_at")
    handle = asyncio.TimerHandle(when, callback, args, loop, context)
    return _traced(loop, handle)


def _traced(loop: EventLoop, handle: asyncio.Handle) -> Scheduled:
    # Private to asyncio, and there in debug mode alone.
    source: list[traceback.FrameSummary] | None = handle._source_traceback  # type: ignore[attr-defined]
    if source:
        # The frame of this module says nothing to the user.
        del source[-1]
    return handle, partial(_run, loop, handle)


def _run(loop: EventLoop, handle: asyncio.Handle) -> None:
    """Run one handle, and name it in a warning if it took longer than `slow_callback_duration`."""
    if handle.cancelled():
        return
    loop._current_handle = handle
    begun = loop.time()
    try:
        handle._run()
    finally:
        loop._current_handle = None
    took = loop.time() - begun
    if took >= loop.slow_callback_duration:
        described = base_events._format_handle(handle)  # type: ignore[attr-defined]
        logger = base_events.logger  # type: ignore[attr-defined]
        logger.warning("Executing %s took %.3f seconds", described, took)
    # An exception of the callback keeps this frame, which would keep the handle, which keeps the
    # callback: a cycle, and nobody would hear of the exception before the collector runs.
    del handle
