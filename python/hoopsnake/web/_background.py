"""Work that begins once a response is on its way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec

from hoopsnake.web._concurrency import call_either

__all__ = ["BackgroundTasks"]

P = ParamSpec("P")


class BackgroundTasks:
    """Calls that are made in their order after the response; a parameter of this type gets one."""

    def __init__(self) -> None:
        self._calls: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = []

    def add_task(self, call: Callable[P, Any], *args: P.args, **kwargs: P.kwargs) -> None:
        """Add a call; a function that is not `async` runs on a thread."""
        self._calls.append((call, args, kwargs))

    def __bool__(self) -> bool:
        return bool(self._calls)

    async def __call__(self) -> None:
        """Make the calls. One that raises ends those that follow, and its exception is raised."""
        for call, args, kwargs in self._calls:
            await call_either(call, *args, **kwargs)
