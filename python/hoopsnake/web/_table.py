"""The routes of an application, compiled: which of them a request takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from hoopsnake._native import Routes
from hoopsnake.web._compiled import CompiledRoute, CompiledWebSocketRoute
from hoopsnake.web._routing import Mount, Route, WebSocketRoute
from hoopsnake.web._way import Way

__all__ = ["Found", "Table"]

Overrides = Mapping[Callable[..., Any], Callable[..., Any]]


class Found(NamedTuple):
    """Where a request leads: to a route, or to routes for other methods, or nowhere."""

    route: CompiledRoute | CompiledWebSocketRoute | Mount | None
    captured: list[str]
    other_methods: list[str] | None


class Table:
    """Finds routes by method and path."""

    def __init__(
        self, routes: Sequence[Route | WebSocketRoute | Mount], overrides: Overrides
    ) -> None:
        self._http = Routes()
        self._websockets = Routes()
        self._of_http: list[CompiledRoute | Mount] = []
        self._of_websockets: list[CompiledWebSocketRoute | Mount] = []
        for each in routes:
            if isinstance(each, Mount):
                for native in (self._http, self._websockets):
                    native.add(f"{each.path}/{{path:path}}", None, [])
                self._of_http.append(each)
                self._of_websockets.append(each)
            elif isinstance(each, WebSocketRoute):
                compiled = CompiledWebSocketRoute(each, self._websockets, overrides)
                self._of_websockets.append(compiled)
            else:
                self._of_http.append(CompiledRoute(each, self._http, overrides))

    def http(self, method: str, path: str) -> Found:
        """Find the route of a request; `path` is percent-encoded."""
        number, found = self._http.find(method, path)
        if number is None:
            return Found(None, [], found)
        return Found(self._of_http[number], found or [], None)

    def websocket(self, path: str) -> Found:
        """Find the route of a WebSocket; `path` is percent-encoded."""
        number, found = self._websockets.find("", path)
        if number is None:
            return Found(None, [], None)
        return Found(self._of_websockets[number], found or [], None)

    def at(self, number: int) -> CompiledRoute | Mount:
        """Return the route that the engine knows by a number."""
        return self._of_http[number]

    @property
    def routes(self) -> Routes:
        """The routes as the engine has them."""
        return self._http

    @property
    def ways(self) -> list[Way | None]:
        """How the engine answers the requests of each route; None where it cannot."""
        return [each.way if isinstance(each, CompiledRoute) else None for each in self._of_http]

    @property
    def compiled(self) -> list[CompiledRoute]:
        """The routes that answer requests, in their order."""
        return [each for each in self._of_http if isinstance(each, CompiledRoute)]

    def knows(self, path: str) -> bool:
        """Return whether there is a route for a path, whatever the method."""
        return self._http.knows(path)
