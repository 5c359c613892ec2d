"""Which loop the soak runs on: EVENT_LOOP_UNDER_TEST=asyncio means CPython's own."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import hoopsnake

ON_REFERENCE = os.environ.get("EVENT_LOOP_UNDER_TEST") == "asyncio"


def new_loop() -> asyncio.AbstractEventLoop:
    """Make the loop."""
    return asyncio.SelectorEventLoop() if ON_REFERENCE else hoopsnake.new_event_loop()


def is_known_of_reference(context: dict[str, Any]) -> bool:
    """Whether the exception handler was told a mistake of CPython's own loop that we know.

    A transport that breaks, or is aborted, while it closes with output left loses its connection
    twice (3.11.7, 3.12.1, 3.13.0).
    """
    twice = "_call_connection_lost" in context["message"]
    return ON_REFERENCE and twice and isinstance(context.get("exception"), AttributeError)
