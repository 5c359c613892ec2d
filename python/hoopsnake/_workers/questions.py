"""What a supervisor may ask its workers, and who answers: add a function, and its name below."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, cast

from hoopsnake._event_loop import EventLoop
from hoopsnake._metrics import Snapshot, memory, snapshot
from hoopsnake._native import Server
from hoopsnake._workers.messages import Heartbeat

__all__ = ["ANSWERS", "statistics"]


def statistics(server: Server) -> Heartbeat:
    """Tell how a worker fares; memory is 0 where it cannot be known."""
    _, resident = memory() or (0, 0)
    return Heartbeat(
        requests=server.requests,
        connections=server.open_connections,
        tasks=len(server.tasks()),
        memory=resident,
    )


def _metrics(server: Server) -> Snapshot:
    # Whoever asks once asks again, and wants to know how long requests take.
    server.measure()
    return snapshot(server, cast(EventLoop, asyncio.get_running_loop()))


ANSWERS: dict[str, Callable[[Server], Any]] = {
    "metrics": _metrics,
    "statistics": lambda server: asdict(statistics(server)),
}
"""Each question's name, and what answers it in a worker, on its loop, with what JSON can hold."""
