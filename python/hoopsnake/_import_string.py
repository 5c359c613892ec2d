"""Turns `module:attribute` into an application, and says what is wrong when it cannot."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from types import ModuleType
from typing import Any, NamedTuple

from hoopsnake._callables import accepts

__all__ = ["ImportStringError", "load_app"]

DEFAULT_ATTRIBUTE = "app"


class ImportStringError(Exception):
    """The import string names no application; the text says why, for the user."""


class _Place(NamedTuple):
    """Where an application is said to be."""

    module: str
    attribute: str

    def __str__(self) -> str:
        return f"{self.module}:{self.attribute}"


def load_app(import_string: str, *, factory: bool) -> Any:
    """Import and return the application, ASGI or WSGI, that `import_string` names.

    The string is `module:attribute`, where the attribute may be dotted; without one it is `app`.
    With `factory`, the attribute is called without arguments and returns the application.

    Raises `ImportStringError` if the string names no application. An exception that the module or
    the factory itself raises goes through as it is.
    """
    place = _parse(import_string)
    found = _find_attribute(_import_module(place.module), place)
    if not callable(found):
        raise ImportStringError(
            f"'{place}' is {_kind(found)}, which cannot be called: an application can"
        )
    if factory:
        return _made_by_factory(found, place)
    _check_parameters(found, place)
    return found


def _parse(import_string: str) -> _Place:
    module, colon, attribute = import_string.strip().partition(":")
    if "/" in module or os.sep in module or module.endswith(".py"):
        dotted = module.removesuffix(".py").replace(os.sep, "/").strip("./").replace("/", ".")
        meant = f"{dotted}{colon}{attribute}"
        raise ImportStringError(
            f"{import_string!r} looks like a path: give the module's name, as in an import, "
            f"such as {meant!r}"
        )
    if not colon:
        attribute = DEFAULT_ATTRIBUTE
    if not module or not all(module.split(".")):
        raise ImportStringError(
            f"{import_string!r} names no module: write 'module:attribute', such as 'shop.web:app'"
        )
    if not all(part.isidentifier() for part in attribute.split(".")):
        raise ImportStringError(
            f"{import_string!r} has {attribute!r} after the colon, where the name of an attribute "
            "belongs: write 'module:attribute', such as 'shop.web:app'"
        )
    return _Place(module, attribute)


def _import_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # Only if this very module, or a package around it, is what is missing. A module that is
        # there and fails to import another one has its own traceback to show.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise ImportStringError(_no_module(name, error.name)) from None


def _no_module(name: str, missing: str) -> str:
    if missing == name:
        text = f"there is no module {name!r}"
    else:
        text = f"there is no module {name!r}, for there is no package {missing!r}"
    first = os.path.abspath(sys.path[0]) if sys.path else os.getcwd()
    return f"{text}: looked in {first!r} first, then in the rest of Python's path"


def _find_attribute(module: ModuleType, place: _Place) -> Any:
    found: Any = module
    path = place.module
    for part in place.attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise ImportStringError(
                f"{path!r} ({_kind(found)}) has no attribute {part!r}{_suggestion(part, found)}"
            ) from None
        path = f"{path}:{part}" if path == place.module else f"{path}.{part}"
    return found


def _suggestion(part: str, owner: Any) -> str:
    from difflib import get_close_matches

    public = [name for name in dir(owner) if not name.startswith("_")]
    close = get_close_matches(part, public, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _made_by_factory(factory: Any, place: _Place) -> Any:
    if accepts(factory, 0) is False:
        raise ImportStringError(
            f"'{place}' wants arguments, and a factory is called without: is it the application "
            "itself? Then leave --factory out"
        )
    if inspect.iscoroutinefunction(factory):
        raise ImportStringError(
            f"the factory '{place}' is an `async def`: a factory is called before the loop runs, "
            "so make it a plain function, and wait for things in the application's lifespan"
        )
    application = factory()
    if not callable(application):
        raise ImportStringError(
            f"the factory '{place}' returned {_kind(application)}, which cannot be called: an "
            "application can"
        )
    return application


def _check_parameters(application: Any, place: _Place) -> None:
    """Refuse what can be called neither as ASGI nor as WSGI."""
    if accepts(application, 3) is not False or accepts(application, 2) is not False:
        return
    if accepts(application, 0):
        remark = "is it a factory? Then add --factory"
    else:
        remark = "an ASGI application is called with scope, receive and send"
    raise ImportStringError(
        f"'{place}' cannot be called with three arguments, as ASGI, nor with two, as WSGI: {remark}"
    )


def _kind(thing: Any) -> str:
    """Name the type of a thing for a message: `None`, `a dict`, `a shop.web.Config`."""
    if thing is None:
        return "None"
    if isinstance(thing, ModuleType):
        return "a module"
    kind = type(thing)
    where = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    name = f"{where}{kind.__qualname__}"
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
