"""What a supervisor may ask its workers, and who answers: add a function, and its name below."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

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


ANSWERS: dict[str, Callable[[Server], Any]] = {
    "statistics": lambda server: asdict(statistics(server)),
}
"""Each question's name, and what answers it in a worker, on its loop, with what JSON can hold."""
