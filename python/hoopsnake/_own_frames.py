"""Which frames of a traceback are the user's own."""

from __future__ import annotations

from types import TracebackType

__all__ = ["without_leading_machinery"]


def without_leading_machinery(traceback: TracebackType | None) -> TracebackType | None:
    """Drop the outermost frames that belong to us or to Python's import machinery."""
    while traceback is not None and _is_machinery(traceback):
        traceback = traceback.tb_next
    return traceback


def _is_machinery(traceback: TracebackType) -> bool:
    module = str(traceback.tb_frame.f_globals.get("__name__", ""))
    return module.partition(".")[0] in ("hoopsnake", "importlib", "zipimport")
