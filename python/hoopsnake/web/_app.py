"""`App`: routes, middleware and exception handlers put together as an ASGI application."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from hoopsnake._errors import ClientDisconnected
from hoopsnake._native import Door
from hoopsnake.web import _problems
from hoopsnake.web._about import About
from hoopsnake.web._compiled import (
    CompiledRoute,
    CompiledWebSocketRoute,
    sent_while_the_client_is_there,
)
from hoopsnake.web._concurrency import call_either, inline
from hoopsnake.web._door import DirectAnswers, Opening
from hoopsnake.web._errors import HTTPException, RequestValidationError
from hoopsnake.web._exits import unwound
from hoopsnake.web._forms import FormLimits, checked_limits
from hoopsnake.web._forwarded import forwarded
from hoopsnake.web._handler_threads import handler_threads
from hoopsnake.web._pages import Pages
from hoopsnake.web._parameters import Depends
from hoopsnake.web._request import HTTPConnection, Request, State
from hoopsnake.web._responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from hoopsnake.web._root_path import below_root
from hoopsnake.web._routing import Mount, Router
from hoopsnake.web._table import Table
from hoopsnake.web._websocket import WebSocket, WebSocketDisconnect, WebSocketException

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
    """Dependencies and what takes their place; tells of its changes."""

    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__()
        self._changed = changed

    def __setitem__(self, key: Callable[..., Any], value: Callable[..., Any]) -> None:
        super().__setitem__(key, value)
        self._changed()

    def __delitem__(self, key: Callable[..., Any]) -> None:
        super().__delitem__(key)
        self._changed()

    def clear(self) -> None:
        super().clear()
        self._changed()

    def update(self, *args: Any, **kwargs: Any) -> None:
        super().update(*args, **kwargs)
        self._changed()

    def pop(self, *args: Any) -> Any:
        self._changed()
        return super().pop(*args)


class App(Router):
    """A web application; an ASGI callable, so that any ASGI server can serve it.

    `lifespan` is an async context manager around the application's life: called with the `App`,
    and what it yields, if a dict, is in every request's `state`. `dependencies` are those of all
    routes. With `redirect_slashes` a path that differs from a route's by a slash at its end is
    answered with a redirect to it. `threads` is how many threads handlers that are not `async`
    have, in this process, and `thread_queue` how many calls may wait for one before requests are
    answered with 503 (None: any number). From `title` to `servers` it is what the OpenAPI document
    says of the application. `responses` and `default_response_class` hold for all routes, and
    `exception_handlers` are what `exception_handler` declares.

    The OpenAPI document is at `openapi_url`, and pages that show it are at `docs_url` (Swagger UI)
    and `redoc_url` (Redoc); None leaves one out. `swagger_ui_parameters` and
    `swagger_ui_init_oauth` are what Swagger UI is started with.

    What is wrong is answered with FastAPI's `{"detail": ...}`, or with `errors="problem"` as
    problem details (RFC 9457). `form_limits` are those of all forms: a route's own, and what
    `request.form()` is called with, come before them.
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
        threads: int | None = None,
        thread_queue: int | None = None,
        openapi_url: str | None = "/openapi.json",
        docs_url: str | None = "/docs",
        redoc_url: str | None = "/redoc",
        swagger_ui_oauth2_redirect_url: str | None = "/docs/oauth2-redirect",
        swagger_ui_parameters: Mapping[str, Any] | None = None,
        swagger_ui_init_oauth: Mapping[str, Any] | None = None,
        errors: Literal["detail", "problem"] = "detail",
        form_limits: FormLimits | None = None,
        summary: str | None = None,
        terms_of_service: str | None = None,
        contact: Mapping[str, Any] | None = None,
        license_info: Mapping[str, Any] | None = None,
        openapi_tags: Sequence[Mapping[str, Any]] | None = None,
        servers: Sequence[Mapping[str, Any]] | None = None,
        responses: Mapping[int | str, Mapping[str, Any]] | None = None,
        default_response_class: type[Response] | None = None,
        exception_handlers: Mapping[type[BaseException] | int, Callable[..., Any]] | None = None,
    ) -> None:
        super().__init__(dependencies=dependencies, tags=tags, responses=responses)
        self.default_response_class = default_response_class
        self._about = About(summary, terms_of_service, contact, license_info, openapi_tags, servers)
        if threads is not None:
            handler_threads.configure(threads, thread_queue)
        self.title, self.version, self.description = title, version, description
        self.state = State()
        self.redirect_slashes = redirect_slashes
        self._pages = Pages(
            openapi_url,
            docs_url,
            redoc_url,
            swagger_ui_oauth2_redirect_url,
            swagger_ui_parameters or {},
            swagger_ui_init_oauth,
        )
        self.form_limits = checked_limits(form_limits)
        self._lifespan = lifespan
        self._overrides = _Overrides(self._changed)
        self._exception_handlers: dict[type[BaseException] | int, Callable[..., Any]] = {
            HTTPException: _answer_http_exception,
            RequestValidationError: _answer_validation_error,
            **(exception_handlers or {}),
        }
        self._errors = errors
        if errors == "problem":
            self._exception_handlers[HTTPException] = _problems.answer_http_exception
            self._exception_handlers[RequestValidationError] = _problems.answer_validation_error
        self._middleware: list[Middleware] = []
        self._asgi_middleware: list[tuple[Callable[..., ASGIApplication], dict[str, Any]]] = []
        self._outermost: ASGIApplication | None = None
        self._known_table: Table | None = None
        self._routes_then = 0
        # By it our own server comes to the routes without ASGI, where nothing is around them.
        self._door = Door()

    # Putting it together.

    @property
    def dependency_overrides(self) -> dict[Callable[..., Any], Callable[..., Any]]:
        """Dependencies and what is called in their place; meant for tests."""
        return self._overrides

    @dependency_overrides.setter
    def dependency_overrides(
        self, overrides: Mapping[Callable[..., Any], Callable[..., Any]]
    ) -> None:
        given = dict(overrides)
        self._overrides.clear()
        self._overrides.update(given)

    def exception_handler(
        self, of: type[BaseException] | int
    ) -> Callable[[ExceptionHandler], ExceptionHandler]:
        """Declare what answers a class of exceptions, or HTTPExceptions of a status."""

        def declare(handler: ExceptionHandler) -> ExceptionHandler:
            self._exception_handlers[of] = handler
            self._changed()
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
            self._changed()
            return function

        return declare

    def add_middleware(self, middleware: Callable[..., ASGIApplication], **options: Any) -> None:
        """Put an ASGI middleware around the application; the one added last is the outermost."""
        self._asgi_middleware.append((middleware, options))
        self._outermost = None
        self._changed()

    def openapi(self) -> dict[str, Any]:
        """Describe the application (OpenAPI 3.1); needs pydantic, which knows the schemas."""
        from hoopsnake.web._openapi import openapi

        document = openapi(
            self._table.compiled,
            title=self.title,
            version=self.version,
            description=self.description,
            errors=self._errors,
        )
        return self._about.added_to(document)

    # Answering.

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, a WebSocket or the lifespan (ASGI 3.0)."""
        if self._outermost is None:
            outermost: ASGIApplication = self._answer
            for middleware, options in self._asgi_middleware:
                outermost = middleware(outermost, **options)
            self._outermost = outermost
        scope["app"] = self
        if self._asgi_middleware and "extensions" in scope:
            # Middleware knows 'pathsend' or lets it alone; it would lose parts of files.
            extensions = {**(scope["extensions"] or {})}
            extensions.pop("http.response.zerocopysend", None)
            scope = {**scope, "extensions": extensions}
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
            exits.push_async_exit(request)

            async def handle(request: Request) -> Response:
                if isinstance(route, CompiledRoute):
                    return await route.respond(request, captured, exits)
                if isinstance(route, Mount):
                    return await forwarded(route.app, _beneath(route, request.scope), receive)
                return self._answer_nothing(request, path, methods)

            chain: NextHandler = self._guarded(handle, exits)
            for middleware in self._middleware:
                chain = _around(middleware, chain)
            try:
                response = await chain(request)
            except ClientDisconnected:
                # There is nobody to answer, and nothing to tell anybody.
                return
            except Exception as error:
                response = await self._last_resort(request, error)
                await response(send)
                raise
            response.for_scope(request.scope)
            try:
                await sent_while_the_client_is_there(response, send, request, route)
            except ClientDisconnected as gone:
                await unwound(exits, gone)
                return
        try:
            if response.background is not None:
                await response.background()
        finally:
            await request.close()

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
        except WebSocketException as refusal:
            await websocket.close(refusal.code, refusal.reason)
            return
        except HTTPException as error:
            if websocket.is_accepted:
                raise
            handler = self._handler_of(error) or _answer_http_exception
            await websocket.deny(await _called(handler, websocket, error))
            return
        finally:
            websocket.leave_rooms()
        if not websocket.is_closed:
            await websocket.close()

    def _guarded(self, handle: NextHandler, exits: contextlib.AsyncExitStack) -> NextHandler:
        """Let exception handlers answer for a handler."""

        async def guarded(request: Request) -> Response:
            try:
                return await handle(request)
            except Exception as raised:
                failure = raised
            error = await unwound(exits, failure)
            handler = self._handler_of(error)
            if handler is None:
                raise error
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
        if self._errors == "problem":
            return _problems.ProblemResponse(500)
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
        """What answers the routes; made again where some are new or something else has changed."""
        if self._known_table is None or self._routes_then != len(self.routes):
            # Last, so that a page is where the application has nothing of its own.
            pages = self._pages.routes(self, (each.path for each in self.routes))
            self._known_table = Table([*self.routes, *pages], self._overrides)
            self._routes_then = len(self.routes)
            self._open_door(self._known_table)
        return self._known_table

    def _changed(self) -> None:
        self._known_table = None
        self._door.close()

    def _open_door(self, table: Table) -> None:
        """Let our server find routes and read parameters, if nothing of ours comes before them."""
        if self._middleware or self._asgi_middleware or type(self).__call__ is not App.__call__:
            return
        answers = DirectAnswers(self, table, self._handled, self._last_resort)
        self._door.open(
            Opening(
                routes=table.routes,
                declared=self.routes,
                ways=table.ways,
                refuses_plainly=self._refuses_plainly,
                redirects=self.redirect_slashes,
                answer=answers.answer,
                recover=answers.recover,
                finish=answers.finish,
                response_to=self._simple_response_to,
            )
        )

    @property
    def _refuses_plainly(self) -> bool:
        """Whether requests are refused as the framework does it by itself."""
        handlers = self._exception_handlers
        statuses = {404, 405, 422} & handlers.keys()
        return not statuses and (
            handlers[HTTPException] is _answer_http_exception
            and handlers[RequestValidationError] is _answer_validation_error
        )

    async def _handled(self, request: Request, error: Exception) -> Response | None:
        handler = self._handler_of(error)
        return None if handler is None else await _called(handler, request, error)

    def _simple_response_to(self, error: Exception) -> Response | None:
        """Return what answers an exception, if that asks for neither request nor thread."""
        handler: Any = self._handler_of(error)
        if handler not in (_answer_http_exception, _answer_validation_error):
            return None
        response: Response = handler(None, error)
        return response

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
    below = below_root(path, scope.get("root_path", ""))
    return path if below is None else below or "/"


def _around(middleware: Middleware, inner: NextHandler) -> NextHandler:
    async def outer(request: Request) -> Response:
        return await middleware(request, inner)

    return outer


async def _called(
    handler: Callable[..., Any], request: HTTPConnection, error: Exception
) -> Response:
    response: Response = await call_either(handler, request, error)
    return response


@inline
def _answer_http_exception(_request: Request | None, error: HTTPException) -> Response:
    if error.status_code in (204, 304):
        return Response(status_code=error.status_code, headers=error.headers)
    return JSONResponse({"detail": error.detail}, error.status_code, error.headers)


@inline
def _answer_validation_error(_request: Request | None, error: RequestValidationError) -> Response:
    return JSONResponse({"detail": error.errors()}, 422)
