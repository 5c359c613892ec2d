"""How tasks that are no longer wanted are ended: cancelled, and waited for, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

__all__ = ["all_done", "end_all"]


async def end_all(futures: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel what is not done, and return once all of it is; what it raises is left out."""
    all_of_them = tuple(futures)
    for future in all_of_them:
        future.cancel()
    await all_done(all_of_them)


async def all_done(futures: Iterable[asyncio.Future[Any]]) -> None:
    """Return once all are done.

    If the caller is cancelled meanwhile, the wait goes on, since cleaning up is not to be cut
    short, and the cancellation is raised at its end.
    """
    all_of_them = tuple(futures)
    cancelled: asyncio.CancelledError | None = None
    while left := {future for future in all_of_them if not future.done()}:
        try:
            await asyncio.wait(left)
        except asyncio.CancelledError as error:
            cancelled = error
    for future in all_of_them:
        if not future.cancelled():
            # Whoever ends them has seen what mattered; the loop need not say that nobody looked.
            future.exception()
    if cancelled is not None:
        raise cancelled
