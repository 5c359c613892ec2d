"""The path of a route, made from its name and parameters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from hoopsnake.web._routing import Mount, Route, WebSocketRoute

__all__ = ["NoMatchFound", "path_of"]

_PARAMETER = re.compile(r"{(\w+)(?::(\w+))?}")


class NoMatchFound(Exception):
    """There is no route of such a name with such parameters."""

    def __init__(self, name: str, parameters: dict[str, Any]) -> None:
        known = ", ".join(sorted(parameters)) or "no parameters"
        super().__init__(f"there is no route {name!r} with {known}")


def path_of(
    routes: Sequence[Route | WebSocketRoute | Mount], name: str, parameters: dict[str, Any]
) -> str:
    """Return the path of the first route of that name whose parameters are these.

    What a mount is called stands before a colon: `static:` with `path`, and of an application
    that is mounted `admin:users`. Raises NoMatchFound.
    """
    for each in routes:
        if isinstance(each, Mount):
            path = _path_beneath(each, name, parameters)
            if path is not None:
                return path
        elif each.name == name and _names(each.path) == parameters.keys():
            return _PARAMETER.sub(lambda match: _filled(match, parameters), each.path)
    raise NoMatchFound(name, parameters)


def _path_beneath(mount: Mount, name: str, parameters: dict[str, Any]) -> str | None:
    if not mount.name:
        return None
    if name == mount.name and parameters.keys() == {"path"}:
        return f"{mount.path}/{quote(str(parameters['path']).lstrip('/'), safe='/')}"
    before, colon, rest = name.partition(":")
    inner = getattr(mount.app, "routes", None)
    if before != mount.name or not colon or inner is None:
        return None
    try:
        return mount.path + path_of(inner, rest, parameters)
    except NoMatchFound:
        return None


def _names(path: str) -> set[str]:
    return {match[1] for match in _PARAMETER.finditer(path)}


def _filled(match: re.Match[str], parameters: dict[str, Any]) -> str:
    # A slash stays one only where the parameter takes it.
    return quote(str(parameters[match[1]]), safe="/" if match[2] == "path" else "")
