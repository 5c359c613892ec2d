"""One line on standard error that says how far something is, where nothing better is there."""

from __future__ import annotations

import os
import sys
import time

__all__ = ["ProgressLine", "span"]

# Redrawn at most so often: a terminal is slow, and nobody reads faster.
SECONDS_BETWEEN = 0.1


class ProgressLine:
    """A line that is written over on a terminal; elsewhere only what it says last is written."""

    def __init__(self) -> None:
        self._stream = sys.stderr
        self._is_terminal = self._stream is not None and self._stream.isatty()
        self._drawn = 0.0

    @property
    def is_due(self) -> bool:
        """Whether it is time to draw it again."""
        return self._is_terminal and time.monotonic() - self._drawn >= SECONDS_BETWEEN

    def show(self, text: str) -> None:
        """Draw it, cut to the terminal's width."""
        if self._is_terminal:
            self._drawn = time.monotonic()
            self._write(f"\r\x1b[K{text[: self._width() - 1]}")

    def clear(self) -> None:
        """Leave nothing of it on the terminal."""
        if self._is_terminal and self._drawn:
            self._write("\r\x1b[K")

    def end(self, text: str) -> None:
        """Write what stays."""
        if self._stream is not None:
            self._write(f"\r\x1b[K{text}\n" if self._is_terminal else f"{text}\n")

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            # Whoever would read it has gone; the work goes on.
            self._is_terminal = False

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        except (OSError, ValueError):
            return 80


def span(seconds: float) -> str:
    """Write a time as people do: 4.2 s, 3:07, 1:00:00."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
