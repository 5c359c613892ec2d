"""Tells whether an application speaks ASGI or WSGI."""

from __future__ import annotations

import inspect
from typing import Any, Literal

from hoopsnake._callables import accepts
from hoopsnake._errors import ServerError

__all__ = ["Interface", "is_wsgi"]

Interface = Literal["auto", "asgi", "wsgi"]


def is_wsgi(application: Any, interface: Interface) -> bool:
    """Tell whether `application` is to be called as WSGI.

    With "auto" an async callable is ASGI; any other is what it can be called with: three arguments
    for ASGI (scope, receive, send), two for WSGI (environ, start_response).

    Raises ServerError if that does not tell.
    """
    if interface != "auto":
        return interface == "wsgi"
    if not callable(application) or _is_async(application):
        return False
    takes = {count for count in (2, 3) if accepts(application, count) is not False}
    if takes == {2}:
        return True
    if takes == {2, 3}:
        raise ServerError(
            f"{application!r} can be called with two arguments and with three, so it does not tell "
            "whether it is WSGI or ASGI: say so with --interface, or ServerConfig(interface=…)"
        )
    return False


def _is_async(application: Any) -> bool:
    """Tell whether a call makes a coroutine, as far as it says so itself."""
    while hasattr(application, "func") and hasattr(application, "keywords"):
        application = application.func  # a functools.partial
    if inspect.isroutine(application):
        call = application
    else:
        call = getattr(type(application), "__call__", application)  # noqa: B004
    return inspect.iscoroutinefunction(call) or inspect.isasyncgenfunction(call)
