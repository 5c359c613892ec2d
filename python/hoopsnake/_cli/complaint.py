"""How the command says in one line what is wrong, when no traceback would help."""

from __future__ import annotations

import sys

__all__ = ["complain"]


def complain(message: str, *, exit_status: int) -> int:
    """Print the message on standard error, and return the status to exit with."""
    print(f"hoop: error: {message}", file=sys.stderr)
    return exit_status
