"""What a limit says no with."""

from __future__ import annotations

__all__ = ["CircuitOpen", "DeadlineExceeded", "LimitError", "QueueFull", "RateLimited"]


class LimitError(Exception):
    """A limit said no: the base of all that this package raises.

    `retry_after` is after how many seconds it is worth asking again; None if nobody knows. `Retry`
    waits at least that long.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RateLimited(LimitError):
    """It would be more often than the rate allows; `retry_after` says when it no longer is.

    That is None where it never will be: the act costs more than the limit's burst.
    """


class QueueFull(LimitError):
    """All places are taken, and as many wait for one as may wait."""


class CircuitOpen(LimitError):
    """The circuit breaker leaves a dependency alone that failed too often."""


class DeadlineExceeded(LimitError, TimeoutError):
    """It took longer than the deadline allows. A `TimeoutError`, as asyncio raises it."""
