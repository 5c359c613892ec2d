"""How far many calls have come: told to a function, or drawn, by rich where that is installed."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import Any

from hoopsnake._progress_line import ProgressLine, span

__all__ = ["ProgressOption", "progress_of"]

ProgressOption = bool | str | Callable[[int, int | None], object] | None
"""True or a title for a bar, or a function of how many are done and how many there are."""

# The bar is drawn by whoever gets on with the work, so not each time: rich takes a millisecond.
SECONDS_BETWEEN = 0.1


class _Bar:
    """A bar on the terminal, by rich, without the thread that rich would start."""

    def __init__(self, title: str, total: int | None) -> None:
        rich = importlib.import_module("rich.progress")
        console = importlib.import_module("rich.console").Console(stderr=True)
        self._progress: Any = rich.Progress(
            rich.TextColumn("{task.description}"),
            rich.BarColumn(),
            rich.MofNCompleteColumn(),
            rich.TimeRemainingColumn(),
            console=console,
            auto_refresh=False,
        )
        self._task = self._progress.add_task(title, total=total)
        self._progress.start()
        self._drawn = 0.0

    def advance(self, done: int, total: int | None) -> None:
        self._progress.update(self._task, completed=done)
        now = time.monotonic()
        if now - self._drawn >= SECONDS_BETWEEN:
            self._drawn = now
            self._progress.refresh()

    def close(self) -> None:
        self._progress.refresh()
        self._progress.stop()


class _Line:
    """The same in a plain line, where there is no rich."""

    def __init__(self, title: str, total: int | None) -> None:
        self._title = title
        self._began = time.monotonic()
        self._done, self._total = 0, total
        self._line = ProgressLine()

    def advance(self, done: int, total: int | None) -> None:
        self._done, self._total = done, total
        if self._line.is_due:
            self._line.show(self._text())

    def close(self) -> None:
        self._line.end(self._text())

    def _text(self) -> str:
        done, total = self._done, self._total
        took = time.monotonic() - self._began
        of = "" if total is None else f"/{total}"
        left = ""
        if total is not None and 0 < done < total:
            left = f", {span(took / done * (total - done))} left"
        return f"{self._title} {done}{of} in {span(took)}{left}"


class _Told:
    """A function of the program's."""

    def __init__(self, tell: Callable[[int, int | None], object]) -> None:
        self._tell = tell

    def advance(self, done: int, total: int | None) -> None:
        self._tell(done, total)

    def close(self) -> None:
        pass


def progress_of(
    option: ProgressOption, title: str, total: int | None
) -> _Bar | _Line | _Told | None:
    """Return what is to be told of progress."""
    if option is None or option is False:
        return None
    if option is True or isinstance(option, str):
        title = title if option is True else option
        try:
            return _Bar(title, total)
        except ImportError:
            return _Line(title, total)
    return _Told(option)
