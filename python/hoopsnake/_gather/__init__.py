"""Much at once, within bounds: `gather`, `as_completed` and `map_concurrent`."""

from __future__ import annotations

from hoopsnake._gather._functions import as_completed, gather, map_concurrent
from hoopsnake._gather._outcome import Outcome
from hoopsnake._gather._results import Results

__all__ = ["Outcome", "Results", "as_completed", "gather", "map_concurrent"]
