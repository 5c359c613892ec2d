"""How the values of options are read, from a command line, a variable or a file, and written."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = [
    "AMOUNT",
    "COUNT",
    "FLAG",
    "PATH",
    "PORT",
    "SECONDS",
    "SIZE",
    "TEXT",
    "Kind",
    "choice",
    "list_of",
    "optional",
    "translated",
]


class Kind(NamedTuple):
    """What the value of an option may be."""

    metavar: str
    """What stands for the value in the help."""
    read: Callable[[str], Any]
    """Makes the value of its text; raises ValueError that says what is wrong."""
    write: Callable[[Any], str] = str
    """Makes the text of a value, such as a person would write it."""
    is_flag: bool = False
    """Whether it is on or off: an option without a value."""
    is_list: bool = False
    """Whether there may be several values: an option that may be repeated, an array in a file."""
    is_path: bool = False
    """Whether it is a path, which in a file is meant to be relative to that file."""
    is_place: bool = False
    """Whether it may be `unix:` and a path, which in a file is meant to be relative to it too."""
    is_number: bool = False
    """Whether it is written as a number in a file."""
    is_octal: bool = False
    """Whether its text looks like a number but is in octal: in a file it stands in quotes."""


def _flag(text: str) -> bool:
    known = {"1": True, "true": True, "yes": True, "on": True}
    known |= {"0": False, "false": False, "no": False, "off": False}
    try:
        return known[text.lower()]
    except KeyError:
        raise ValueError(f"{text!r} is not true or false") from None


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{text!r} is no number of seconds, 0 or more")
    return value


def _written_seconds(value: float) -> str:
    # All digits that there are, and none that say nothing: 10, not 10.0.
    return repr(int(value)) if float(value).is_integer() else repr(value)


def _amount(text: str) -> int:
    if not re.fullmatch("[0-9]{1,15}", text):
        raise ValueError(f"{text!r} is no count, 0 or more")
    return int(text)


def _count(text: str) -> int:
    if not re.fullmatch("[0-9]{1,15}", text) or int(text) == 0:
        raise ValueError(f"{text!r} is no whole number above 0")
    return int(text)


_UNITS = {"K": 1024, "M": 1024**2, "G": 1024**3}


def _size(text: str) -> int:
    found = re.fullmatch("([0-9]{1,15})([KMG]?)", text.upper())
    if found is None:
        raise ValueError(f"{text!r} is no size: give bytes, or a number with K, M or G after it")
    return int(found[1]) * _UNITS.get(found[2], 1)


def _written_size(value: int) -> str:
    for unit, size in reversed(_UNITS.items()):
        if value >= size and value % size == 0:
            return f"{value // size}{unit}"
    return str(value)


def _port(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text) or int(text) > 65535:
        raise ValueError(f"{text!r} is no port: give a number from 0 to 65535")
    return int(text)


TEXT = Kind("TEXT", str)
PATH = Kind("PATH", str, os.fspath, is_path=True)
FLAG = Kind("", _flag, lambda value: "on" if value else "off", is_flag=True)
SECONDS = Kind("SECONDS", _seconds, _written_seconds, is_number=True)
AMOUNT = Kind("COUNT", _amount, is_number=True)
"""A whole number, 0 or more."""
COUNT = Kind("COUNT", _count, is_number=True)
"""A whole number above 0."""
SIZE = Kind("BYTES", _size, _written_size)
PORT = Kind("PORT", _port, is_number=True)


def choice(*names: str) -> Kind:
    """Make a kind whose values are these words."""

    def read(text: str) -> str:
        if text not in names:
            raise ValueError(f"{text!r} is not one of {', '.join(names)}")
        return text

    return Kind("{" + ",".join(names) + "}", read)


def optional(kind: Kind) -> Kind:
    """Make a kind that has a 0, which means None."""
    return Kind(
        kind.metavar,
        lambda text: kind.read(text) or None,
        lambda value: "0" if value is None else kind.write(value),
        is_number=kind.is_number,
    )


def translated(metavar: str, read: Callable[[str], Any]) -> Kind:
    """Make a kind of its own for a text with a meaning."""
    return Kind(metavar, read)


def list_of(kind: Kind) -> Kind:
    """Make a kind for several values; where there is one text for all, commas part them."""

    def read(text: str) -> tuple[Any, ...]:
        return tuple(kind.read(each.strip()) for each in text.split(",") if each.strip())

    return Kind(
        kind.metavar,
        read,
        lambda values: ",".join(kind.write(value) for value in values),
        is_list=True,
        is_path=kind.is_path,
        is_place=kind.is_place,
    )
