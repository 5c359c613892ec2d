"""Who is told whether an application is ready for requests: an admin port, if one is wanted."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from hoopsnake._event_loop import EventLoop

if TYPE_CHECKING:
    from hoopsnake._journal import Journal

__all__ = ["Readiness", "Snapshots", "watched"]

Readiness = Callable[[str | None], None]
"""Takes why an application is not to be sent requests; None if it is."""

Snapshots = Callable[[], Awaitable[Sequence[tuple[str | None, dict[str, Any]]]]]
"""Takes the snapshots that are to be shown, each with the name of its worker, if there are any."""


@contextlib.asynccontextmanager
async def watched(
    loop: EventLoop, place: str | None, journal: Journal, snapshots: Snapshots
) -> AsyncIterator[Readiness]:
    """Open the admin port at `place`, if it is one; yield what it is told with."""
    if place is None:
        yield lambda _: None
        return
    # Only here: who wants none need not load it.
    from hoopsnake._admin_port import AdminPort

    async with AdminPort(loop, place, journal, snapshots) as admin:
        yield admin.set_unready
