"""What a rate limit of the framework is told of each request, by the engine's GCRA (ADR 0042)."""

from __future__ import annotations

from typing import NamedTuple

from hoopsnake._native import RateTable

__all__ = ["Gcra", "Verdict"]


class Verdict(NamedTuple):
    """Whether one more may come; how many more may at once; seconds until one, and until all."""

    is_allowed: bool
    remaining: int
    retry_after: float
    reset_after: float


class Gcra:
    """Lets `burst` come at once, and one more each `interval` seconds, of each of `most_keys`.

    Raises ValueError for what is no rate.
    """

    def __init__(self, interval: float, burst: int, most_keys: int = 100_000) -> None:
        if interval <= 0 or burst < 1 or most_keys < 1:
            raise ValueError(f"{burst} at once and one each {interval} s is no rate")
        self._interval = interval
        self._burst = burst
        self._table = RateTable(1.0, interval, burst, most_keys)

    def __len__(self) -> int:
        """Return how many keys are known."""
        return self._table.counts()[2]

    def check(self, key: str, now: float, cost: int = 1) -> Verdict:
        """Ask for `cost` at once, and count them if they are allowed; `now` is in seconds."""
        wait = self._table.take(key, cost, now)
        remaining = self._table.left(key, now)
        reset = (self._burst - remaining) * self._interval
        return Verdict(wait == 0.0, remaining, wait, reset)
