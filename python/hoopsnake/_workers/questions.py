"""What a supervisor may ask its workers, and who answers: add a function, and its name below."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, cast

from hoopsnake._event_loop import EventLoop
from hoopsnake._metrics import Snapshot, snapshot
from hoopsnake._native import Server
from hoopsnake._workers.messages import Heartbeat

__all__ = ["ANSWERS", "statistics"]

_PAGE = os.sysconf("SC_PAGE_SIZE")


def statistics(server: Server) -> Heartbeat:
    """Tell how a worker fares."""
    return Heartbeat(
        requests=server.requests,
        connections=server.open_connections,
        tasks=len(server.tasks()),
        memory=_resident_memory(),
    )


def _resident_memory() -> int:
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * _PAGE


def _metrics(server: Server) -> Snapshot:
    # Whoever asks once asks again, and wants to know how long requests take.
    server.measure()
    return snapshot(server, cast(EventLoop, asyncio.get_running_loop()))


ANSWERS: dict[str, Callable[[Server], Any]] = {
    "metrics": _metrics,
    "statistics": lambda server: asdict(statistics(server)),
}
"""Each question's name, and what answers it in a worker, on its loop, with what JSON can hold."""
