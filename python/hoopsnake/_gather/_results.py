"""`Results`: what `as_completed` and `map_concurrent` return."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from hoopsnake._gather._crew import Crew
from hoopsnake._gather._outcome import Outcome

__all__ = ["Results"]

_Result_co = TypeVar("_Result_co", covariant=True)


class Results(Generic[_Result_co]):
    """Results as they come: `async for result in results:`.

    Nothing starts before the first is asked for. Whoever leaves the loop early leaves no task
    behind: what is at work is cancelled as soon as the iterator is dropped, or its task ends. To be
    sure that all has ended before the next line runs, use it as an async context manager, or
    `await results.aclose()`.
    """

    def __init__(self, crew: Crew, collect: bool) -> None:
        self._crew = crew
        self._collect = collect
        self._is_over = False
        self._is_asked = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _Result_co:
        if self._is_over:
            raise StopAsyncIteration
        if self._is_asked:
            raise RuntimeError("two tasks ask for the next result of the same iterator")
        self._is_asked = True
        try:
            ready = await self._crew.take()
        except BaseException:
            self._is_over = True
            raise
        finally:
            self._is_asked = False
        if ready is None:
            self._is_over = True
            raise StopAsyncIteration
        index, future = ready
        result: Any = Outcome.of(index, future) if self._collect else future.result()
        taken: _Result_co = result
        return taken

    async def aclose(self) -> None:
        """Cancel what is at work, and return once all of it has ended."""
        self._is_over = True
        await self._crew.end()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        # From another thread, or after its loop, there is nothing that could be cancelled.
        if not self._is_over and asyncio._get_running_loop() is self._crew.loop:
            self._crew.stop()
