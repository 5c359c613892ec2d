"""How a limit is put around an async function: the decorator that several of them are."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, ParamSpec, TypeVar

__all__ = ["around", "async_function"]

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def async_function(
    function: Callable[_Arguments, Awaitable[_Result]], limit: object
) -> Callable[_Arguments, Awaitable[_Result]]:
    """Return the function; raises TypeError for what a limit cannot be put around."""
    name = type(limit).__name__
    if not callable(function):
        raise TypeError(f"{name} decorates async functions, not {function!r}")
    plain = inspect.isfunction(function) and not inspect.iscoroutinefunction(function)
    if plain and not hasattr(function, "__wrapped__"):
        kind = "an async generator" if inspect.isasyncgenfunction(function) else "a plain function"
        raise TypeError(f"{name} decorates async functions; {function.__qualname__} is {kind}")
    return function


def around(
    enter: Callable[[], AbstractAsyncContextManager[Any]],
    function: Callable[_Arguments, Awaitable[_Result]],
    limit: object,
) -> Callable[_Arguments, Coroutine[object, None, _Result]]:
    """Return `function` such that each of its calls is inside of what `enter` returns."""
    inner = async_function(function, limit)

    @functools.wraps(function)
    async def bounded(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        async with enter():
            return await inner(*args, **kwargs)

    return bounded
