"""Routes as they are declared, and routers that gather them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from hoopsnake.web._errors import WebError
from hoopsnake.web._forms import FormLimits
from hoopsnake.web._parameters import Depends
from hoopsnake.web._rate_limit import RateLimit
from hoopsnake.web._turnstile import Turnstile

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
    timeout: float | None = None
    """Seconds until the handler is cancelled and 504 is answered."""
    max_body: int | None = None
    """Bytes that a body may have; more is answered with 413."""
    limit: RateLimit | None = None
    """How often it may be asked; more is answered with 429."""
    concurrency: int | Turnstile | None = None
    """How many may be at work at once; as many wait, more are answered with 503."""
    cancel_on_disconnect: bool = True
    """Whether the handler is cancelled when its client has gone."""
    form_limits: FormLimits | None = None
    response_description: str = "Successful Response"
    responses: Mapping[int | str, Mapping[str, Any]] = field(default_factory=dict)
    """Other responses, for the document: by status, each with `model`, `description` and more."""
    openapi_extra: Mapping[str, Any] | None = None
    """What the document says of the operation beside, or instead."""
    response_model_include: Any = None
    response_model_exclude: Any = None
    response_model_by_alias: bool = True
    response_model_exclude_unset: bool = False
    response_model_exclude_defaults: bool = False
    response_model_exclude_none: bool = False

    def __post_init__(self) -> None:
        if self.status_code is not None and not 200 <= self.status_code <= 999:
            raise WebError(
                f"{self.path}: a response has a status from 200 to 999, not {self.status_code}"
            )

    @property
    def serialization(self) -> dict[str, Any]:
        """What pydantic is told about writing results; empty where it is as always."""
        options = {
            "include": self.response_model_include,
            "exclude": self.response_model_exclude,
            "exclude_unset": self.response_model_exclude_unset,
            "exclude_defaults": self.response_model_exclude_defaults,
            "exclude_none": self.response_model_exclude_none,
        }
        given = {name: value for name, value in options.items() if value not in (None, False)}
        return given if self.response_model_by_alias else {**given, "by_alias": False}


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
        responses: Mapping[int | str, Mapping[str, Any]] | None = None,
        deprecated: bool = False,
        include_in_schema: bool = True,
        default_response_class: type[Any] | None = None,
    ) -> None:
        if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
            raise WebError(f"the prefix {prefix!r} has to begin with '/', and not to end with it")
        self.prefix = prefix
        self.tags = tuple(tags)
        self.dependencies = tuple(dependencies)
        self.responses = dict(responses or {})
        self.deprecated = deprecated
        self.include_in_schema = include_in_schema
        self.default_response_class = default_response_class
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
            options[name] = (*getattr(self, name), *(options.get(name) or ()))
        options["responses"] = {**self.responses, **(options.get("responses") or {})}
        options["deprecated"] = self.deprecated or bool(options.get("deprecated"))
        options["include_in_schema"] = self.include_in_schema and options.get(
            "include_in_schema", True
        )
        options.setdefault("response_class", self.default_response_class)
        name = options.pop("name", None) or getattr(handler, "__name__", type(handler).__name__)
        if isinstance(options.get("concurrency"), int):
            # Made here, once: those who are inside stay counted when routes are compiled again.
            number: int = options["concurrency"]
            options["concurrency"] = Turnstile(number, queue=number)
        given = dict.fromkeys(each.upper() for each in methods)
        self.routes.append(
            Route(
                path=self.prefix + path, methods=tuple(given), handler=handler, name=name, **options
            )
        )

    def websocket(
        self, path: str, name: str | None = None, *, dependencies: Sequence[Depends] = ()
    ) -> Callable[[Handler], Handler]:
        """Declare the handler of WebSockets on a path."""

        def declare(handler: Handler) -> Handler:
            own_name: str = getattr(handler, "__name__", type(handler).__name__)
            self.routes.append(
                WebSocketRoute(
                    path=self.prefix + path,
                    handler=handler,
                    name=name or own_name,
                    dependencies=(*self.dependencies, *dependencies),
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
        responses: Mapping[int | str, Mapping[str, Any]] | None = None,
        deprecated: bool = False,
        include_in_schema: bool = True,
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
                moved = replace(
                    moved,
                    tags=(*self.tags, *tags, *moved.tags),
                    responses={**self.responses, **(responses or {}), **moved.responses},
                    deprecated=self.deprecated or deprecated or moved.deprecated,
                    include_in_schema=self.include_in_schema
                    and include_in_schema
                    and moved.include_in_schema,
                )
            self.routes.append(moved)

    def url_path_for(self, name: str, /, **parameters: Any) -> str:
        """Return the path of a route; raises NoMatchFound."""
        from hoopsnake.web._urls import path_of

        return path_of(self.routes, name, parameters)

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
