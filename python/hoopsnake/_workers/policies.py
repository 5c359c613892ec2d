"""When a worker is due to be replaced, and when the next is tried after one that failed.

Pure: ages and chances (numbers from 0 to 1) are arguments.
"""

from __future__ import annotations

from dataclasses import dataclass

from hoopsnake._workers.config import WorkerConfig

__all__ = ["Backoff", "Term"]


class Backoff:
    """How long a place stays empty: the longer, the more often its workers end soon."""

    HEALTHY_AFTER = 10.0
    """Seconds of serving after which an end is nobody's habit."""
    FIRST = 0.25
    LONGEST = 30.0

    def __init__(self) -> None:
        self._early_ends = 0

    def after(self, served: float, chance: float) -> float:
        """Tell how many seconds to wait, after a worker that has served for `served` seconds.

        A worker that was healthy is replaced at once. Otherwise the time doubles, and `chance`
        takes up to half of it away, so that places that fell empty together are not filled so.
        """
        if served >= self.HEALTHY_AFTER:
            self._early_ends = 0
            return 0.0
        # 2**16 times the first is beyond the longest, and no number that could grow for ever.
        longest = min(self.LONGEST, self.FIRST * 2.0 ** min(self._early_ends, 16))
        self._early_ends += 1
        return longest * (1 - chance / 2)


@dataclass(frozen=True, slots=True)
class Term:
    """What one worker may do before it is replaced; None means no limit."""

    requests: int | None
    lifetime: float | None
    memory: int | None

    @classmethod
    def drawn(cls, config: WorkerConfig, chance: float) -> Term:
        """Give a worker its own limits: those of all, and `chance` of the jitter."""
        requests, lifetime = config.max_requests, config.worker_lifetime
        if requests is not None:
            requests += round(chance * config.max_requests_jitter)
        if lifetime is not None:
            lifetime += chance * config.worker_lifetime_jitter
        return cls(requests, lifetime, config.worker_memory)

    def over(self, *, requests: int, age: float, memory: int) -> str | None:
        """Say why a worker is due, None if it is not. `age` in seconds, `memory` in bytes."""
        if self.requests is not None and requests >= self.requests:
            return f"it has served {requests} requests"
        if self.lifetime is not None and age >= self.lifetime:
            return f"it has served for {age:.0f} seconds"
        if self.memory is not None and memory >= self.memory:
            return f"it has {memory / 1024**2:.0f} MiB of memory"
        return None
