"""What a serving process has counted, at one moment: plain data, to be shown or sent elsewhere."""

from __future__ import annotations

import gc
import os
import platform
import resource
import sys
import time
from typing import TYPE_CHECKING, Any

from hoopsnake._native import _DELAY_BOUNDS, __version__

if TYPE_CHECKING:
    from hoopsnake._event_loop import EventLoop
    from hoopsnake._native import Server

__all__ = ["Snapshot", "memory", "snapshot"]

Snapshot = dict[str, Any]
"""Numbers by name, some of them in a list or by label. It survives JSON, pickle and marshal."""


def snapshot(server: Server, loop: EventLoop) -> Snapshot:
    """Take what the server, the loop it runs on, the collector and the process have counted."""
    return {
        "version": __version__,
        "python": platform.python_version(),
        **server.snapshot(),
        "loop": _of_loop(loop),
        **_of_handler_threads(),
        "collector": gc.get_stats(),
        "process": _of_process(),
    }


def _of_handler_threads() -> Snapshot:
    """Take what the framework's threads are at, if the application is one of the framework's."""
    framework = sys.modules.get("hoopsnake.web._handler_threads")
    if framework is None:
        return {}
    stats = framework.handler_threads.stats()
    names = ("threads", "working", "waiting", "done")
    return {"handler_threads": {name: getattr(stats, name) for name in names}}


def _of_loop(loop: EventLoop) -> Snapshot:
    counted = loop._statistics()
    counted["ready_delays"] = list(counted["ready_delays"])
    # The last one is without end, which JSON cannot say.
    counted["delay_bounds"] = list(_DELAY_BOUNDS[:-1])
    return counted


def _of_process() -> Snapshot:
    found: Snapshot = {
        "cpu_seconds": time.process_time(),
        "max_fds": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    }
    told = memory()
    if told is not None:
        found["virtual_memory_bytes"], found["resident_memory_bytes"] = told
    try:
        found["start_time_seconds"] = _start_time()
        # One of them is that of the listing itself.
        found["open_fds"] = len(os.listdir("/proc/self/fd")) - 1
    except OSError:
        # There is no /proc, or no descriptor for it: what it tells is left out.
        pass
    return found


def memory() -> tuple[int, int] | None:
    """Tell the bytes of memory of this process, the virtual and the resident ones.

    While they cannot be read, as when there are no more descriptors, they are those that were read
    last; None if there never were any.
    """
    global _memory
    try:
        with open("/proc/self/statm", "rb") as file:
            virtual, resident, *_ = map(int, file.read().split())
    except (OSError, ValueError):
        return _memory
    page = resource.getpagesize()
    _memory = virtual * page, resident * page
    return _memory


def _start_time() -> float:
    """When this process began, in seconds since 1970 (proc(5): `starttime` and `btime`)."""
    global _began
    if _began is None:
        with open("/proc/self/stat", encoding="utf-8", errors="replace") as file:
            # The second field is the name, which may have spaces and brackets in it.
            ticks = int(file.read().rpartition(")")[2].split()[19])
        with open("/proc/stat", encoding="ascii") as file:
            booted = next(int(line.split()[1]) for line in file if line.startswith("btime "))
        _began = booted + ticks / os.sysconf("SC_CLK_TCK")
    return _began


_began: float | None = None
_memory: tuple[int, int] | None = None
