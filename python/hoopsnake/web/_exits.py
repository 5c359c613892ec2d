"""What follows the `yield` of dependencies, where a handler has failed."""

from __future__ import annotations

import contextlib

__all__ = ["unwound"]


async def unwound(exits: contextlib.AsyncExitStack, error: Exception) -> Exception:
    """Show an exception to the dependencies, the last first; return what is to be answered then.

    That is the exception, also where a dependency has kept it to itself: the handler has not
    answered. It is another one where a dependency raises that instead.
    """
    try:
        await exits.__aexit__(type(error), error, error.__traceback__)
    except Exception as another:
        return another
    return error
