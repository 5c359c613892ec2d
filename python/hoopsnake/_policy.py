"""Making hoopsnake's the default event loop of a process."""

from __future__ import annotations

import asyncio
import warnings

from hoopsnake._event_loop import EventLoop, new_event_loop


def install() -> None:
    """Let `asyncio.run()` and `asyncio.new_event_loop()` use hoopsnake's loop from now on.

    It sets an event loop policy. Python 3.14 deprecates policies and 3.16 removes them; where you
    can, prefer `hoopsnake.run(main())` or `asyncio.Runner(loop_factory=hoopsnake.new_event_loop)`.
    Loops that exist already stay what they are. Raises RuntimeError on a Python without policies.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        default = getattr(asyncio, "DefaultEventLoopPolicy", None)
        if default is None:
            raise RuntimeError(
                "this Python has no event loop policies; use hoopsnake.run() or "
                "asyncio.Runner(loop_factory=hoopsnake.new_event_loop)"
            )

        class EventLoopPolicy(default):  # type: ignore[valid-type, misc]
            """asyncio's default policy, but for the loop that it makes."""

            _loop_factory = EventLoop

            def new_event_loop(self) -> EventLoop:
                return new_event_loop()

        asyncio.set_event_loop_policy(EventLoopPolicy())
