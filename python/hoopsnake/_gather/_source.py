"""Where calls come from: pulled one by one, closed when no more are wanted."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sized
from typing import Any

__all__ = ["AsyncSource", "Source", "source_of"]


class Source:
    """Items of an iterable."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._iterator: Iterator[Any] = iter(items)
        self.total = len(items) if isinstance(items, Sized) else None

    def __next__(self) -> Any:
        return next(self._iterator)

    def close(self, *, of_awaitables: bool) -> None:
        """No more are wanted: close a generator, or coroutines that nobody will await."""
        if inspect.isgenerator(self._iterator):
            self._iterator.close()
        elif of_awaitables and self.total is not None:
            # As many as there are; an iterator without a length might have no end.
            for item in self._iterator:
                if inspect.iscoroutine(item):
                    item.close()


class AsyncSource:
    """Items of an async iterable, which one task goes through."""

    def __init__(self, items: AsyncIterable[Any]) -> None:
        self._iterator: AsyncIterator[Any] = aiter(items)
        self.total = None

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._iterator

    async def aclose(self) -> None:
        """Close an async generator."""
        close = getattr(self._iterator, "aclose", None)
        if close is not None:
            await close()


def source_of(items: object) -> Source | AsyncSource:
    """Return what items are pulled from; raises TypeError for what cannot be gone through."""
    if isinstance(items, AsyncIterable):
        return AsyncSource(items)
    if isinstance(items, Iterable):
        return Source(items)
    raise TypeError(f"expected an iterable or an async iterable, got {type(items).__name__}")
