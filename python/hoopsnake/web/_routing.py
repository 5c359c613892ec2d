"""Routes as they are declared, and routers that gather them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from hoopsnake.web._errors import WebError
from hoopsnake.web._parameters import Depends

__all__ = ["Mount", "Route", "Router", "WebSocketRoute"]

Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A handler and the requests that it is for."""

    path: str
    methods: tuple[str, ...]
    handler: Callable[..., Any]
    name: str
    status_code: int | None = None
    response_model: Any = ...
    response_class: type[Any] | None = None
    tags: tuple[str, ...] = ()
    dependencies: tuple[Depends, ...] = ()
    summary: str | None = None
    description: str | None = None
    deprecated: bool = False
    include_in_schema: bool = True
    operation_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketRoute:
    """A handler and the WebSockets that it is for."""

    path: str
    handler: Callable[..., Any]
    name: str
    dependencies: tuple[Depends, ...] = ()


@dataclass(frozen=True, slots=True)
class Mount:
    """An ASGI application beneath a path."""

    path: str
    app: Callable[..., Any]
    name: str


class Router:
    """Gathers routes under a prefix, for an application or another router to include."""

    def __init__(
        self,
        *,
        prefix: str = "",
        tags: Iterable[str] = (),
        dependencies: Sequence[Depends] = (),
    ) -> None:
        if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
            raise WebError(f"the prefix {prefix!r} has to begin with '/', and not to end with it")
        self.prefix = prefix
        self.tags = tuple(tags)
        self.dependencies = tuple(dependencies)
        self.routes: list[Route | WebSocketRoute | Mount] = []

    def route(
        self, path: str, *, methods: Iterable[str], **options: Any
    ) -> Callable[[Handler], Handler]:
        """Declare the handler of a path and of methods; options are the fields of a `Route`."""

        def declare(handler: Handler) -> Handler:
            self.add_route(path, handler, methods=methods, **options)
            return handler

        return declare

    def add_route(
        self, path: str, handler: Callable[..., Any], *, methods: Iterable[str], **options: Any
    ) -> None:
        """Declare a handler without a decorator."""
        for name in ("tags", "dependencies"):
            options[name] = (*getattr(self, name), *options.get(name, ()))
        name = options.pop("name", None) or getattr(handler, "__name__", type(handler).__name__)
        given = dict.fromkeys(each.upper() for each in methods)
        self.routes.append(
            Route(
                path=self.prefix + path, methods=tuple(given), handler=handler, name=name, **options
            )
        )

    def websocket(self, path: str, name: str | None = None) -> Callable[[Handler], Handler]:
        """Declare the handler of WebSockets on a path."""

        def declare(handler: Handler) -> Handler:
            own_name: str = getattr(handler, "__name__", type(handler).__name__)
            self.routes.append(
                WebSocketRoute(
                    path=self.prefix + path,
                    handler=handler,
                    name=name or own_name,
                    dependencies=self.dependencies,
                )
            )
            return handler

        return declare

    def mount(self, path: str, app: Callable[..., Any], name: str = "") -> None:
        """Let an ASGI application answer everything beneath a path."""
        self.routes.append(Mount(self.prefix + path.rstrip("/"), app, name))

    def include_router(
        self,
        router: Router,
        *,
        prefix: str = "",
        tags: Iterable[str] = (),
        dependencies: Sequence[Depends] = (),
    ) -> None:
        """Take over the routes that a router has by now."""
        before = self.prefix + prefix
        for each in router.routes:
            if isinstance(each, Mount):
                self.routes.append(replace(each, path=before + each.path))
                continue
            depends = (*self.dependencies, *dependencies, *each.dependencies)
            moved = replace(each, path=before + each.path, dependencies=depends)
            if isinstance(moved, Route):
                moved = replace(moved, tags=(*self.tags, *tags, *moved.tags))
            self.routes.append(moved)

    def get(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """Declare the handler of GET, which answers HEAD too."""
        return self.route(path, methods=("GET", "HEAD"), **options)

    def post(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """Declare the handler of POST."""
        return self.route(path, methods=("POST",), **options)

    def put(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """Declare the handler of PUT."""
        return self.route(path, methods=("PUT",), **options)

    def patch(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """Declare the handler of PATCH."""
        return self.route(path, methods=("PATCH",), **options)

    def delete(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """Declare the handler of DELETE."""
        return self.route(path, methods=("DELETE",), **options)

    def options(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """Declare the handler of OPTIONS."""
        return self.route(path, methods=("OPTIONS",), **options)
