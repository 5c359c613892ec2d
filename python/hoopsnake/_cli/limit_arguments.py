"""The options of `hoop serve` that limit its clients."""

from __future__ import annotations

import argparse
import math
from typing import Any

from hoopsnake._server_limits import ServerLimits

__all__ = ["add_limit_arguments", "chosen_limits", "seconds"]

_TITLE = "what clients may have"

_DESCRIPTION = "0 takes a limit away."


def seconds(text: str) -> float:
    """Read a time in seconds."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds, 0 or more")
    return value


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise argparse.ArgumentTypeError(f"{text!r} is no count, 0 or more")
    return int(text)


def _size(text: str) -> int:
    """Read a size in bytes; K, M and G mean powers of 1024."""
    factor = {"K": 1024, "M": 1024**2, "G": 1024**3}.get(text[-1:].upper())
    return _count(text) if factor is None else _count(text[:-1]) * factor


# Each with the name of its value, how it is read, and what it says in the help.
_OPTIONS: dict[str, tuple[str, Any, str]] = {
    "header_timeout": ("SECONDS", seconds, "time for a request's head to arrive, else 408"),
    "keep_alive_timeout": ("SECONDS", seconds, "time from a response to the next request"),
    "body_rate": ("BYTES", _size, "bytes a second at which a body has to arrive, else 408"),
    "body_grace": ("SECONDS", seconds, "time before --body-rate is asked for"),
    "send_timeout": ("SECONDS", seconds, "time for which a client may take nothing of a response"),
    "response_timeout": (
        "SECONDS",
        seconds,
        "time for the application to begin a response, else 504 and its task is cancelled",
    ),
    "body_size": ("BYTES", _size, "largest body of a request, else 413"),
    "head_size": ("BYTES", _size, "largest head of a request, else 431"),
    "header_count": ("COUNT", _count, "most headers of a request, else 431"),
    "target_size": ("BYTES", _size, "longest path and query, else 414"),
    "pipelined_requests": (
        "COUNT",
        _count,
        "requests of one connection that are taken in before the first is answered",
    ),
    "connections": ("COUNT", _count, "open connections; idle ones make room for new ones"),
    "concurrency": ("COUNT", _count, "requests at work in the application, else they wait"),
    "queue": ("COUNT", _count, "requests that wait for --concurrency, else 503; 0: none waits"),
}


def add_limit_arguments(parser: argparse.ArgumentParser) -> None:
    """Add an option for each field of `ServerLimits`."""
    group = parser.add_argument_group(_TITLE, _DESCRIPTION)
    defaults = ServerLimits()
    for name, (metavar, read, explanation) in _OPTIONS.items():
        default = getattr(defaults, name)
        group.add_argument(
            f"--{name.replace('_', '-')}",
            metavar=metavar,
            type=read,
            default=default,
            help=f"{explanation} (default: {_written(default, metavar)})",
        )


def chosen_limits(chosen: argparse.Namespace) -> ServerLimits:
    """Make of the options what the server takes."""
    return ServerLimits(**{name: getattr(chosen, name) for name in _OPTIONS})


def _written(value: float, metavar: str) -> str:
    if metavar == "BYTES":
        for unit, size in (("G", 1024**3), ("M", 1024**2), ("K", 1024)):
            if value >= size and value % size == 0:
                return f"{value // size:g}{unit}"
    return f"{value:g}"
