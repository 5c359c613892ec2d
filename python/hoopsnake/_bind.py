"""One place to listen on, as text: `HOST:PORT`, `[::1]:8000`, `unix:/path`, `fd:3`."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Bind", "parse_bind"]

_NAME_AND_PORT = re.compile(r"(?:\[([^\[\]]+)\]|([^:\[\]]+)):([0-9]{1,5})")


class Bind(NamedTuple):
    """A place to listen on: a host and a port, or a path, or a descriptor; the engine reads it."""

    host: str | None = None
    """A name or an address."""
    port: int = 0
    """Its TCP port; 0 lets the system choose."""
    path: str | None = None
    """The path of a Unix socket."""
    descriptor: int | None = None
    """The number of a socket that listens already."""


def parse_bind(text: str) -> Bind:
    """Read a place to listen on; raises ValueError that says what is wrong with it."""
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path:
            raise ValueError(f"{text!r} names no path: write unix:/run/app.sock")
        return Bind(path=path)
    if text.startswith("fd:"):
        number = text.removeprefix("fd:")
        if not re.fullmatch("[0-9]{1,9}", number):
            raise ValueError(f"{text!r} names no descriptor: write its number, such as fd:3")
        return Bind(descriptor=int(number))
    found = _NAME_AND_PORT.fullmatch(text)
    if found is None:
        raise ValueError(
            f"{text!r} is no place to listen on: write HOST:PORT, [::1]:PORT, unix:PATH or "
            "fd:NUMBER; 0.0.0.0 means every interface"
        )
    if int(found[3]) > 65535:
        raise ValueError(f"{text!r} has no port: give a number from 0 to 65535")
    return Bind(host=found[1] or found[2], port=int(found[3]))
