"""What `_native` has for `hoopsnake.limits`: a stub of its own, as that one would be too long.

Times are seconds on one clock, whichever that is.
"""

from typing import Literal, final

@final
class RateTable:
    """How often each key may act (GCRA)."""

    def __new__(cls, rate: float, per: float, burst: int, most_keys: int) -> RateTable: ...
    def take(self, key: str, acts: int, now: float) -> float:
        """Take, and return 0; or return after how many seconds it can be, infinite being never."""

    def look(self, key: str, ahead: int, acts: int, now: float) -> float:
        """Return what `take` would after `ahead` other acts; nothing is taken."""

    def give_back(self, key: str, acts: int) -> None:
        """Take back what was taken and not done."""

    def left(self, key: str, now: float) -> int:
        """Return how many acts a key has left at once."""

    def forget(self, key: str) -> None:
        """Give a key all of its burst back."""

    def counts(self) -> tuple[int, int, int, int]:
        """Return acts allowed and refused, keys known, and keys forgotten before their time."""

@final
class Places:
    """How many are at work at once, and who is next; who waits has a ticket, a number from 0."""

    def __new__(cls, places: int, longest_queue: int | None = None) -> Places: ...
    def enter(self) -> int | None:
        """Return None for a place, a ticket for having to wait, -1 if there is no room to."""

    def enter_at_once(self) -> bool:
        """Return whether there was a place; it is taken then."""

    def leave(self) -> int | None:
        """Leave, and return the ticket of the one who has the place now."""

    def give_up(self, ticket: int) -> int | None:
        """Wait no longer; return who has the place that this ticket was given meanwhile."""

    def resize(self, places: int) -> list[int]:
        """Have so many places; return the tickets of those who have one now."""

    def depth(self) -> tuple[int, int, int]:
        """Return places, how many are inside and how many wait."""

    def counts(self) -> tuple[int, int, int, int]:
        """Return how many were let in and sent away, the most inside and waiting at once."""

@final
class Breaker:
    """Whether a dependency that fails is left alone for a while."""

    def __new__(
        cls, failure_rate: float, least_calls: int, window: float, open_for: float, probes: int
    ) -> Breaker: ...
    def enter(self, now: float) -> tuple[int, float] | tuple[None, float]:
        """Return the passage of a call; or None, and after how many seconds to ask again."""

    def leave(self, passage: int, well: bool | None, now: float) -> None:
        """End a call: well, badly, or (None) in a way that says nothing."""

    def open(self, now: float) -> None:
        """Refuse calls, whatever was counted."""

    def close(self) -> None:
        """Let calls pass, and forget what was counted."""

    def state(self, now: float) -> Literal["closed", "open", "half-open"]:
        """Return what it does with calls."""

    def counts(self, now: float) -> tuple[int, int, int, int]:
        """Return recent successes and failures, all refusals, and how often it opened."""

@final
class RetryPolicy:
    """How often, how long, and with which pauses something is tried."""

    def __new__(
        cls,
        attempts: int,
        total: float | None,
        first: float,
        factor: float,
        longest: float,
        jitter: str,
    ) -> RetryPolicy: ...
    def decide(
        self,
        attempt: int,
        is_safe: bool,
        elapsed: float,
        last_pause: float | None,
        asked_pause: float | None,
        random: float,
    ) -> float | Literal["unsafe", "attempts", "time"]:
        """Return the seconds until the next attempt, or why there is none."""

@final
class BudgetPolicy:
    """How many retries all callers together may add."""

    def __new__(cls, ratio: float, reserve_per_second: float, window: float) -> BudgetPolicy: ...
    def deposit(self, now: float) -> None:
        """Count a call that is made for the first time."""

    def withdraw(self, now: float) -> bool:
        """Return whether one more retry is paid for, and count it then."""

    def counts(self, now: float) -> tuple[int, int, int, float]:
        """Return recent calls and retries, all retries refused, and how many are left."""

@final
class HedgePolicy:
    """When a call is late, by what those before it took."""

    def __new__(
        cls,
        percentile: float,
        most: int,
        least_calls: int,
        until_known: float | None,
        shortest: float,
        window: float,
    ) -> HedgePolicy: ...
    def record(self, latency: float, now: float) -> None:
        """Count an attempt that succeeded after so many seconds."""

    def delay(self, added: int, now: float) -> float | None:
        """Return after how many seconds one more attempt begins; None: never."""

    def known(self, now: float) -> int:
        """Return how many calls are known."""

def retry_after(value: str, now: float) -> float | None:
    """Return the seconds that a Retry-After asks for at `now`, in seconds since 1970."""
