"""`Outcome`: how one of many ended, where each is collected."""

from __future__ import annotations

import asyncio
from typing import Any, Generic, TypeVar

__all__ = ["Outcome"]

_Result_co = TypeVar("_Result_co", covariant=True)


class Outcome(Generic[_Result_co]):
    """How one of many ended: with a value, or with an error.

    Attributes:
        index: its place among what was given, from 0.
        error: what it raised; None if it succeeded. A `CancelledError` if it was cancelled.
    """

    __slots__ = ("_value", "error", "index")

    def __init__(self, index: int, value: Any, error: BaseException | None) -> None:
        self.index = index
        self.error = error
        self._value = value

    @classmethod
    def of(cls, index: int, future: asyncio.Future[Any]) -> Outcome[Any]:
        """Return how a future ended that is done."""
        if future.cancelled():
            return Outcome(index, None, asyncio.CancelledError())
        error = future.exception()
        return Outcome(index, None if error else future.result(), error)

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return self.error is None

    @property
    def value(self) -> _Result_co:
        """What it returned; raises what it raised, if it did."""
        if self.error is not None:
            raise self.error
        value: _Result_co = self._value
        return value

    def __repr__(self) -> str:
        said = f"error={self.error!r}" if self.error is not None else f"value={self._value!r}"
        return f"Outcome(index={self.index}, {said})"
