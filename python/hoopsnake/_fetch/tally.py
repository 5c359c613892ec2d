"""How many were fetched and how many failed: as a line while it goes on, and at the end."""

from __future__ import annotations

import sys
import time
from collections import Counter
from http import HTTPStatus
from typing import Any

from hoopsnake._progress_line import ProgressLine, span

__all__ = ["Tally"]


class Tally:
    """Counts lines that are written, and draws how it goes on."""

    def __init__(self, *, total: int | None, shows: bool | None, is_quiet: bool) -> None:
        self._total = total
        self._line = ProgressLine()
        is_terminal = sys.stderr is not None and sys.stderr.isatty()
        self._shows = False if is_quiet else is_terminal if shows is None else shows
        self._is_quiet = is_quiet
        self._began = time.monotonic()
        self.done = 0
        self.failed = 0
        self.skipped = 0
        self._bytes = 0
        self._kinds: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def count(self, record: dict[str, Any]) -> None:
        """Count what became of a URL."""
        self.done += 1
        self._bytes += record["bytes"] or 0
        if (kind := failure(record)) is not None:
            self.failed += 1
            self._kinds[kind] += 1
            self._first.setdefault(kind, record["url"])
        if self._shows and self._line.is_due:
            self._line.show(self._going_on())

    def end(self, how: str = "") -> None:
        """Say how it all went."""
        if self._is_quiet:
            self._line.clear()
            return
        took = time.monotonic() - self._began
        well = self.done - self.failed
        said = f"{how}{well} of {self.done} fetched in {span(took)}, {size(self._bytes)}"
        if self.skipped:
            said += f"; {self.skipped} skipped, which were done before"
        if self.failed:
            said += f"; {self.failed} failed:"
        for kind, number in self._kinds.most_common():
            said += f"\n  {number} × {kind}, first {self._first[kind]}"
        self._line.end(said)

    def _going_on(self) -> str:
        took = max(time.monotonic() - self._began, 0.001)
        of = "" if self._total is None else f"/{self._total}"
        failed = f", {self.failed} failed" if self.failed else ""
        speed = f"{self.done / took:.1f}/s, {size(self._bytes / took)}/s"
        return f"{self.done}{of} done{failed} in {span(took)} ({speed})"


def failure(record: dict[str, Any]) -> str | None:
    """Name the kind of failure that a line tells of; None if it is none."""
    error, status = record["error"], record["status"]
    if error is not None:
        phase = f" ({error['phase']} phase)" if error["phase"] else ""
        return f"{error['type']}{phase}"
    if status < 400:
        return None
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def size(number: float) -> str:
    """Write a number of bytes as people do."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            break
        number /= 1000
    return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
