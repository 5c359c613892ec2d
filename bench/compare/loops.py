"""The event loops that are compared, by name."""

import asyncio
import importlib
from collections.abc import Callable

NAMES = ("hoopsnake", "uvloop", "rloop", "asyncio")


def new_event_loop(name: str) -> asyncio.AbstractEventLoop:
    """A new loop of the named kind, set as the thread's current one."""
    if name not in NAMES:
        raise ValueError(f"unknown loop {name}: choose from {', '.join(NAMES)}")
    factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module(name).new_event_loop
    loop = factory()
    asyncio.set_event_loop(loop)
    return loop
