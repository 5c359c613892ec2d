"""Lets the exceptions of the user's code leave the process with the user's frames alone."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import NoReturn

from hoopsnake._own_frames import without_leading_machinery

__all__ = ["leave_with_own_frames"]


def leave_with_own_frames(error: BaseException) -> NoReturn:
    """Raise `error` on, and have it reported without the frames that led to the user's code.

    The interpreter goes on to do what it does at the end of any program: it calls
    `sys.excepthook`, knows the status of a `SystemExit`, and dies of SIGINT after a
    `KeyboardInterrupt`. Unwinding through us would add our frames to the traceback again, so the
    hook that the user's code left behind is called through one that puts the short one back.
    """
    if isinstance(error, SystemExit):
        raise error

    own_frames = without_leading_machinery(error.__traceback__)
    hook = sys.excepthook

    def report(
        kind: type[BaseException], value: BaseException, traceback: TracebackType | None
    ) -> None:
        sys.excepthook = hook
        if value is error:
            traceback = value.__traceback__ = sys.last_traceback = own_frames
        hook(kind, value, traceback)

    sys.excepthook = report
    raise error
