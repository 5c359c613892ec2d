"""What is left when nothing should be: descriptors, tasks, objects, threads, children, memory."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import sys
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoopsnake._native import TLSProtocol

# The allocator keeps what was freed, and a round's greatest need differs from another's: a soak of
# 150 s grew by 0.8 MiB. A leak of 40 bytes for each of its 90,000 connections is more than this.
RESIDENT_ALLOWANCE = 3 * 1024**2
# Python's own blocks are counted, and differed by 300 from one round to another.
BLOCKS_ALLOWANCE = 2_000
LIBC = ctypes.CDLL(None)


@dataclass(frozen=True)
class Memory:
    """What the process holds at a moment of rest."""

    resident: int
    """Bytes."""
    blocks: int
    """Of Python's allocator."""

    def __str__(self) -> str:
        return f"{self.resident / 1024**2:.1f} MiB resident, {self.blocks:,} blocks"


def memory_at_rest() -> Memory:
    """Look, once garbage is gone and free pages are given back."""
    gc.collect()
    if hasattr(LIBC, "malloc_trim"):
        LIBC.malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Memory(pages * os.sysconf("SC_PAGE_SIZE"), sys.getallocatedblocks())


def growth(seen: list[Memory]) -> list[str]:
    """Complaints about the memory after each round; the first half is for warming up."""
    warm = seen[: (len(seen) + 1) // 2]
    resident = seen[-1].resident - max(each.resident for each in warm)
    blocks = seen[-1].blocks - max(each.blocks for each in warm)
    said = []
    if resident > RESIDENT_ALLOWANCE:
        said.append(
            f"resident memory grew by {resident / 1024**2:.1f} MiB after the warm-up, "
            f"{RESIDENT_ALLOWANCE / 1024**2:.0f} MiB are allowed"
        )
    if blocks > BLOCKS_ALLOWANCE:
        said.append(
            f"Python's blocks grew by {blocks:,} after the warm-up, "
            f"{BLOCKS_ALLOWANCE:,} are allowed"
        )
    return said


def descriptors() -> Counter[str]:
    """What is open, by what the kernel calls it without its number."""
    found: Counter[str] = Counter()
    for name in os.listdir("/proc/self/fd"):
        try:
            found[os.readlink(f"/proc/self/fd/{name}").partition(":[")[0]] += 1
        except OSError:
            # The one that lists them.
            continue
    return found


def new_descriptors(before: Counter[str]) -> list[str]:
    """A complaint if more is open than before."""
    more = descriptors() - before
    return [f"descriptors are left open: {dict(more)}"] if more else []


def tasks_left() -> list[str]:
    """A complaint about tasks of the running loop, but for the current one."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    return [f"tasks are left: {[repr(task)[:200] for task in left][:5]}"] if left else []


def objects_left(transports: list[asyncio.BaseTransport]) -> list[str]:
    """Complaints about transports and protocols that somebody still holds."""
    said = []
    if transports:
        holders = [type(each).__name__ for each in gc.get_referrers(transports[0])]
        said.append(
            f"{len(transports)} transports are still alive, the first is {transports[0]!r}, "
            f"held by {holders}"
        )
    protocols = [each for each in gc.get_objects() if is_protocol(each)]
    if protocols:
        names = Counter(type(each).__name__ for each in protocols)
        said.append(f"protocols are still alive: {dict(names)}")
    return said


def is_protocol(candidate: Any) -> bool:
    """By its type alone: objects may lie about their class."""
    return issubclass(type(candidate), (asyncio.BaseProtocol, TLSProtocol))


def threads_left(before: set[threading.Thread]) -> list[str]:
    """A complaint about threads that were not there before."""
    left = {thread.name for thread in threading.enumerate() if thread not in before}
    return [f"threads are left: {sorted(left)}"] if left else []


def children_left() -> list[str]:
    """A complaint about children that nobody waited for."""
    try:
        pid, _ = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return []
    return [f"a child is left: {pid or 'it still runs'}"]
