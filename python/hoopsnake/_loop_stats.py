"""What an event loop has counted: `EventLoop.stats()`."""

from __future__ import annotations

from dataclasses import dataclass, fields

from hoopsnake._native import _DELAY_BOUNDS


@dataclass(frozen=True)
class DelayHistogram:
    """How long things waited, counted in buckets that double from 1 µs to 34 s and beyond."""

    counts: tuple[int, ...]
    """How many waited so long; bucket `n` holds what lies from `bounds[n - 1]` to `bounds[n]`."""

    @property
    def bounds(self) -> tuple[float, ...]:
        """What the delays in each bucket stay below, in seconds; infinity for the last."""
        return _DELAY_BOUNDS

    @property
    def total(self) -> int:
        """How many delays were counted."""
        return sum(self.counts)

    def quantile(self, share: float) -> float:
        """The delay in seconds that a `share` of all, 0 to 1, stayed below; 0.0 if none is known.

        As exact as the buckets are: the true delay is at least half of what this returns.
        Raises ValueError for a share that is not between 0 and 1.
        """
        if not 0 <= share <= 1:
            raise ValueError(f"a share lies between 0 and 1, so {share!r} is none")
        wanted, seen = share * self.total, 0
        for bound, count in zip(self.bounds, self.counts, strict=True):
            seen += count
            if count and seen >= wanted:
                return bound
        return 0.0

    def __sub__(self, earlier: DelayHistogram) -> DelayHistogram:
        """What was counted since an earlier histogram of the same loop."""
        pairs = zip(self.counts, earlier.counts, strict=True)
        return DelayHistogram(tuple(now - before for now, before in pairs))


@dataclass(frozen=True, kw_only=True)
class LoopStats:
    """A snapshot of what a loop has counted since it was made.

    The difference of two snapshots tells what happened in between; what is a state and not a count
    (`ready`, `timers`, `transports`) is that of the later one.
    """

    turns: int
    """Turns of the loop that had at least one callback to run."""

    callbacks: int
    """Callbacks, timers and steps of tasks that the turns ran, or passed over because they were
    cancelled. What transports tell their protocols comes between turns and is not counted."""

    ready: int
    """Callbacks that wait for the next turn, at this moment."""

    timers: int
    """Timers that wait for their time, at this moment."""

    transports: int
    """Stream transports whose connection is open, at this moment."""

    callback_seconds: float
    """Time that turns took, on the clock. The turn that is running is not in it."""

    parked_seconds: float
    """Time in which the loop waited for something to happen. A wait that goes on, as another
    thread may see it, is not in it."""

    gil_seconds: float
    """Time in which the loop had something to do and waited for another thread to release the
    global interpreter lock."""

    ready_delays: DelayHistogram
    """For each turn, how long its oldest callback had been ready, at most. A callback that blocks
    the loop shows here as the delay of those that came after it. Time in which the loop did not run
    is no delay."""

    def __sub__(self, earlier: LoopStats) -> LoopStats:
        """What was counted since an earlier snapshot of the same loop."""
        states = ("ready", "timers", "transports")
        return LoopStats(
            **{
                field.name: getattr(self, field.name)
                if field.name in states
                else getattr(self, field.name) - getattr(earlier, field.name)
                for field in fields(self)
            }
        )
