"""What a callable tells of how it can be called."""

from __future__ import annotations

import inspect
from typing import Any

__all__ = ["accepts"]


def accepts(function: Any, count: int) -> bool | None:
    """Tell whether `function` can be called with `count` arguments; None if it does not tell."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True
