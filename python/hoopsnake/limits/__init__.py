"""Bounds for any async code: rates, places, circuit breakers, retries, hedges and deadlines.

Each is an object that is made once and shared by those whom it bounds. Each decorates async
functions; those that bound a stretch of code are async context managers too. They run on any
asyncio loop. What they decide is computed by the engine, which is told the time, and they wait on
the loop that calls them. Like asyncio's own locks, they are not for several threads at once.
"""

from __future__ import annotations

from hoopsnake.limits._breaker import BreakerStats, CircuitBreaker
from hoopsnake.limits._concurrency import ConcurrencyLimit, ConcurrencyStats
from hoopsnake.limits._deadline import Deadline
from hoopsnake.limits._errors import (
    CircuitOpen,
    DeadlineExceeded,
    LimitError,
    QueueFull,
    RateLimited,
)
from hoopsnake.limits._hedge import Hedge, HedgeStats
from hoopsnake.limits._rate import KeyedRate, RateLimit, RateStats
from hoopsnake.limits._retry import (
    Attempt,
    Retry,
    RetryBudget,
    RetryBudgetStats,
    RetryStats,
    retry_after_seconds,
)

__all__ = [
    "Attempt",
    "BreakerStats",
    "CircuitBreaker",
    "CircuitOpen",
    "ConcurrencyLimit",
    "ConcurrencyStats",
    "Deadline",
    "DeadlineExceeded",
    "Hedge",
    "HedgeStats",
    "KeyedRate",
    "LimitError",
    "QueueFull",
    "RateLimit",
    "RateLimited",
    "RateStats",
    "Retry",
    "RetryBudget",
    "RetryBudgetStats",
    "RetryStats",
    "retry_after_seconds",
]
