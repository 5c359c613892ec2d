"""How the engine answers the requests of a route: what it calls, and with what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Plain", "Way"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """A handler that needs nothing but what the engine reads (`web/way.rs`)."""

    handler: Callable[..., Awaitable[Any]]
    names: tuple[str, ...]
    """Its parameters."""
    positions: list[int]
    """Which of the arguments each of them gets."""
    validate: Callable[[bytes], Any] | None
    """Makes the last argument of the request's body."""
    encode: Callable[[Any], bytes] | None
    """Writes what the handler returns; None where that is the engine's."""
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How the requests of one route are answered (`web/way.rs`)."""

    needs_body: bool
    refuses_alone: bool
    """Whether the engine finds all that can be wrong with a request."""
    cancels: bool
    """Whether the handler is cancelled when its client leaves."""
    plain: Plain | None
