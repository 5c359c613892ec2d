"""`App`: routes, middleware and exception handlers put together as an ASGI application."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from hoopsnake.web._compiled import CompiledRoute, CompiledWebSocketRoute
from hoopsnake.web._concurrency import call_either
from hoopsnake.web._errors import HTTPException, RequestValidationError
from hoopsnake.web._forwarded import forwarded
from hoopsnake.web._parameters import Depends
from hoopsnake.web._request import HTTPConnection, Request, State
from hoopsnake.web._responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from hoopsnake.web._routing import Mount, Router
from hoopsnake.web._table import Table
from hoopsnake.web._websocket import WebSocket, WebSocketDisconnect

__all__ = ["App"]

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
ASGIApplication = Callable[[Scope, Receive, Send], Awaitable[None]]
ExceptionHandler = TypeVar("ExceptionHandler", bound=Callable[..., Any])
NextHandler = Callable[[Request], Awaitable[Response]]
Middleware = Callable[[Request, NextHandler], Awaitable[Response]]
MiddlewareFunction = TypeVar("MiddlewareFunction", bound=Middleware)
Lifespan = Callable[["App"], contextlib.AbstractAsyncContextManager[Any]]


class _Overrides(dict[Callable[..., Any], Callable[..., Any]]):
    """Dependencies and what takes their place; counts its changes."""

    changes = 0

    def __setitem__(self, key: Callable[..., Any], value: Callable[..., Any]) -> None:
        super().__setitem__(key, value)
        self.changes += 1

    def __delitem__(self, key: Callable[..., Any]) -> None:
        super().__delitem__(key)
        self.changes += 1

    def clear(self) -> None:
        super().clear()
        self.changes += 1

    def update(self, *args: Any, **kwargs: Any) -> None:
        super().update(*args, **kwargs)
        self.changes += 1

    def pop(self, *args: Any) -> Any:
        self.changes += 1
        return super().pop(*args)


class App(Router):
    """A web application; an ASGI callable, so that any ASGI server can serve it.

    `lifespan` is an async context manager around the application's life: called with the `App`,
    and what it yields, if a dict, is in every request's `state`. `dependencies` are those of all
    routes. With `redirect_slashes` a path that differs from a route's by a slash at its end is
    answered with a redirect to it.
    """

    def __init__(
        self,
        *,
        lifespan: Lifespan | None = None,
        dependencies: Sequence[Depends] = (),
        tags: Iterable[str] = (),
        redirect_slashes: bool = True,
        title: str = "hoopsnake",
        version: str = "0.1.0",
        description: str | None = None,
    ) -> None:
        super().__init__(dependencies=dependencies, tags=tags)
        self.title, self.version, self.description = title, version, description
        self.state = State()
        self.redirect_slashes = redirect_slashes
        self._lifespan = lifespan
        self._overrides = _Overrides()
        self._exception_handlers: dict[type[BaseException] | int, Callable[..., Any]] = {
            HTTPException: _answer_http_exception,
            RequestValidationError: _answer_validation_error,
        }
        self._middleware: list[Middleware] = []
        self._asgi_middleware: list[tuple[Callable[..., ASGIApplication], dict[str, Any]]] = []
        self._outermost: ASGIApplication | None = None
        self._known_table: Table | None = None
        self._table_state = (0, 0)

    # Putting it together.

    @property
    def dependency_overrides(self) -> dict[Callable[..., Any], Callable[..., Any]]:
        """Dependencies and what is called in their place; meant for tests."""
        return self._overrides

    def exception_handler(
        self, of: type[BaseException] | int
    ) -> Callable[[ExceptionHandler], ExceptionHandler]:
        """Declare what answers a class of exceptions, or HTTPExceptions of a status."""

        def declare(handler: ExceptionHandler) -> ExceptionHandler:
            self._exception_handlers[of] = handler
            return handler

        return declare

    def middleware(self, kind: str = "http") -> Callable[[MiddlewareFunction], MiddlewareFunction]:
        """Declare a function around every request: `async def f(request, call_next)`.

        The one that is declared last is the outermost.
        """
        if kind != "http":
            raise ValueError(f"there is middleware for 'http', not for {kind!r}")

        def declare(function: MiddlewareFunction) -> MiddlewareFunction:
            self._middleware.append(function)
            return function

        return declare

    def add_middleware(self, middleware: Callable[..., ASGIApplication], **options: Any) -> None:
        """Put an ASGI middleware around the application; the one added last is the outermost."""
        self._asgi_middleware.append((middleware, options))
        self._outermost = None

    def openapi(self) -> dict[str, Any]:
        """Describe the application (OpenAPI 3.1); needs pydantic, which knows the schemas."""
        from hoopsnake.web._openapi import openapi

        return openapi(
            self._table.compiled,
            title=self.title,
            version=self.version,
            description=self.description,
        )

    # Answering.

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, a WebSocket or the lifespan (ASGI 3.0)."""
        if self._outermost is None:
            outermost: ASGIApplication = self._answer
            for middleware, options in self._asgi_middleware:
                outermost = middleware(outermost, **options)
            self._outermost = outermost
        scope["app"] = self
        await self._outermost(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer_http(scope, receive, send)
        else:
            await self._serve_websocket(scope, receive, send)

    async def _answer_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = _path_of(scope)
        route, captured, methods = self._table.http(scope["method"], path)
        if isinstance(route, Mount) and not self._middleware:
            await route.app(_beneath(route, scope), receive, send)
            return
        request = Request(scope, receive)
        async with contextlib.AsyncExitStack() as exits:

            async def handle(request: Request) -> Response:
                if isinstance(route, CompiledRoute):
                    return await route.respond(request, captured, exits)
                if isinstance(route, Mount):
                    return await forwarded(route.app, _beneath(route, request.scope), receive)
                return self._answer_nothing(request, path, methods)

            chain: NextHandler = self._guarded(handle)
            for middleware in self._middleware:
                chain = _around(middleware, chain)
            try:
                response = await chain(request)
            except Exception as error:
                response = await self._last_resort(request, error)
                await response(send)
                raise
            await response(send)
        if response.background is not None:
            await response.background()

    async def _serve_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        route, captured, _ = self._table.websocket(_path_of(scope))
        if isinstance(route, Mount):
            await route.app(_beneath(route, scope), receive, send)
            return
        websocket = WebSocket(scope, receive, send)
        if not isinstance(route, CompiledWebSocketRoute):
            await websocket.close(1000)
            return
        try:
            async with contextlib.AsyncExitStack() as exits:
                await route.serve(websocket, captured, exits)
        except WebSocketDisconnect:
            # That the client has gone is how most of them end.
            return
        if not websocket.is_closed:
            await websocket.close()

    def _guarded(self, handle: NextHandler) -> NextHandler:
        """Let exception handlers answer for a handler."""

        async def guarded(request: Request) -> Response:
            try:
                return await handle(request)
            except Exception as error:
                handler = self._handler_of(error)
                if handler is None:
                    raise
                return await _called(handler, request, error)

        return guarded

    def _handler_of(self, error: BaseException) -> Callable[..., Any] | None:
        if isinstance(error, HTTPException) and error.status_code in self._exception_handlers:
            return self._exception_handlers[error.status_code]
        for each in type(error).__mro__:
            if each is not Exception and each in self._exception_handlers:
                return self._exception_handlers[each]
        return None

    async def _last_resort(self, request: Request, error: Exception) -> Response:
        handlers = self._exception_handlers
        handler = handlers.get(500) or handlers.get(Exception)
        if handler is not None:
            return await _called(handler, request, error)
        return PlainTextResponse("Internal Server Error", 500)

    def _answer_nothing(self, request: Request, path: str, methods: list[str] | None) -> Response:
        if methods is not None:
            raise HTTPException(405, headers={"allow": ", ".join(methods)})
        other = path[:-1] if path.endswith("/") else f"{path}/"
        if self.redirect_slashes and path != "/" and self._table.knows(other):
            query = request.scope["query_string"].decode("latin-1")
            location = request.scope.get("root_path", "") + other
            return RedirectResponse(location + (f"?{query}" if query else ""))
        raise HTTPException(404)

    @property
    def _table(self) -> Table:
        """What answers the routes; made again where some are new or overrides have changed."""
        state = (len(self.routes), self._overrides.changes)
        if self._known_table is None or self._table_state != state:
            self._known_table = Table(self.routes, self._overrides)
            self._table_state = state
        return self._known_table

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        stage = "startup"
        try:
            # What is wrong with a route is told now, and not to the first client that takes it.
            assert self._table is not None
            async with contextlib.AsyncExitStack() as exits:
                if self._lifespan is not None:
                    state = await exits.enter_async_context(self._lifespan(self))
                    if state is not None:
                        scope["state"].update(state)
                await send({"type": "lifespan.startup.complete"})
                await receive()
                stage = "shutdown"
        except BaseException as error:
            await send({"type": f"lifespan.{stage}.failed", "message": str(error)})
            raise
        await send({"type": "lifespan.shutdown.complete"})


def _beneath(mount: Mount, scope: Scope) -> Scope:
    return {**scope, "root_path": scope.get("root_path", "") + mount.path, "app": mount.app}


def _path_of(scope: Scope) -> str:
    """The path beneath the root path, still percent-encoded where the server tells it so."""
    raw: bytes | None = scope.get("raw_path")
    path = raw.decode("latin-1") if raw is not None else scope["path"]
    root = scope.get("root_path", "")
    return path[len(root) :] or "/" if root and path.startswith(root) else path


def _around(middleware: Middleware, inner: NextHandler) -> NextHandler:
    async def outer(request: Request) -> Response:
        return await middleware(request, inner)

    return outer


async def _called(
    handler: Callable[..., Any], request: HTTPConnection, error: Exception
) -> Response:
    response: Response = await call_either(handler, request, error)
    return response


def _answer_http_exception(request: Request, error: HTTPException) -> Response:
    if error.status_code in (204, 304):
        return Response(status_code=error.status_code, headers=error.headers)
    return JSONResponse({"detail": error.detail}, error.status_code, error.headers)


def _answer_validation_error(request: Request, error: RequestValidationError) -> Response:
    return JSONResponse({"detail": error.errors()}, 422)
