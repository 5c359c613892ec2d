"""Which loop the tests run on, and how it is made and ended.

With EVENT_LOOP_UNDER_TEST=asyncio in the environment the same tests run on CPython's own loop: what
fails there asks for more than asyncio promises.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from typing import Any

import hoopsnake

ON_REFERENCE = os.environ.get("EVENT_LOOP_UNDER_TEST") == "asyncio"
LONGEST_SECONDS = 30

NewLoop = Callable[[], asyncio.AbstractEventLoop]
Run = Callable[[Coroutine[Any, Any, Any]], Any]
Reports = list[dict[str, Any]]


def make_loop() -> asyncio.AbstractEventLoop:
    """Make a loop that the caller closes."""
    return asyncio.SelectorEventLoop() if ON_REFERENCE else hoopsnake.new_event_loop()


def end(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what is left and close, as `asyncio.run` does."""
    if loop.is_closed():
        return
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
