"""An exception as its developer wants it: which frames, which lines, and what caused it."""

from __future__ import annotations

import linecache
import os
import site
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

from hoopsnake._own_frames import without_leading_machinery

__all__ = ["Failure", "Frame", "Line", "failures"]

# Lines around the one that was at work.
_AROUND = 5
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep

Relation = Literal["", "cause", "context", "member"]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of source."""

    number: int
    text: str
    is_at_work: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """A function that was at work."""

    path: str
    function: str
    number: int
    lines: tuple[Line, ...]
    is_own: bool
    """Whether it is the application's, and not a library's."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One exception of a chain; the last frame is where it was raised."""

    kind: str
    message: str
    notes: tuple[str, ...]
    relation: Relation
    """What it is to the exception that is told before it."""
    frames: tuple[Frame, ...]


def failures(error: BaseException) -> Iterator[Failure]:
    """Tell an exception, then what has led to it, and the members of a group."""
    seen: set[int] = set()
    pending: list[tuple[BaseException, Relation]] = [(error, "")]
    while pending:
        each, relation = pending.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield _failure(each, relation)
        if isinstance(each, BaseExceptionGroup):
            members: tuple[BaseException, ...] = each.exceptions
            pending.extend((member, "member") for member in members)
        if each.__cause__ is not None:
            pending.append((each.__cause__, "cause"))
        elif each.__context__ is not None and not each.__suppress_context__:
            pending.append((each.__context__, "context"))


def _failure(error: BaseException, relation: Relation) -> Failure:
    kind = type(error)
    module = "" if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}."
    try:
        message = str(error)
    except Exception as unsayable:
        message = f"(its text cannot be had: {type(unsayable).__name__})"
    return Failure(
        f"{module}{kind.__qualname__}",
        message,
        tuple(map(str, getattr(error, "__notes__", ()))),
        relation,
        tuple(_frames(without_leading_machinery(error.__traceback__))),
    )


def _frames(traceback: TracebackType | None) -> Iterator[Frame]:
    while traceback is not None:
        code, number = traceback.tb_frame.f_code, traceback.tb_lineno
        linecache.checkcache(code.co_filename)
        lines = tuple(
            Line(each, text.rstrip("\n"), each == number)
            for each in range(max(1, number - _AROUND), number + _AROUND + 1)
            if (text := linecache.getline(code.co_filename, each, traceback.tb_frame.f_globals))
        )
        path, is_own = _short(code.co_filename), _is_own(code.co_filename)
        yield Frame(path, code.co_qualname, number, lines, is_own)
        traceback = traceback.tb_next


def _short(path: str) -> str:
    """Tell a path from where the developer is, or from where libraries lie."""
    here = os.getcwd() + os.sep
    if path.startswith(here):
        return path[len(here) :]
    for folder in _libraries():
        if path.startswith(folder):
            return path[len(folder) :]
    return path


def _is_own(path: str) -> bool:
    return not path.startswith(("<", _PACKAGE, *_libraries()))


def _libraries() -> list[str]:
    folders = [*site.getsitepackages(), site.getusersitepackages(), sysconfig.get_path("stdlib")]
    folders += [each for each in sys.path if each.endswith(("site-packages", "dist-packages"))]
    # The longest first: site-packages lies within the standard library's folder.
    return sorted({f"{each.rstrip(os.sep)}{os.sep}" for each in folders}, key=len, reverse=True)
