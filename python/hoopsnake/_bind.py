"""Where to listen, in one word: HOST:PORT or unix:PATH."""

from __future__ import annotations

import re
from typing import NamedTuple

from hoopsnake._errors import ServerError

__all__ = ["Bind", "parse_bind"]


class Bind(NamedTuple):
    """A TCP port, or the path of a Unix socket."""

    host: str = ""
    port: int = 0
    path: str | None = None


def parse_bind(text: str) -> Bind:
    """Read `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`; raise ServerError for anything else."""
    if text.startswith("unix:") and len(text) > len("unix:"):
        return Bind(path=text.removeprefix("unix:"))
    found = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([^\s:/\[\]]+)):([0-9]{1,5})", text)
    if found is None or int(found[3]) > 65535:
        raise ServerError(f"{text!r} is no place to listen: give HOST:PORT or unix:PATH")
    return Bind(host=found[1] or found[2], port=int(found[3]))
