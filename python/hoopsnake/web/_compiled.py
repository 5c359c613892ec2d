"""A route that is ready to answer: its plan, and how its results become responses."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from hoopsnake._native import Routes
from hoopsnake.web._departure import while_the_client_is_there
from hoopsnake.web._errors import RequestValidationError, WebError
from hoopsnake.web._forms import FormData, checked_limits
from hoopsnake.web._json import to_json
from hoopsnake.web._parameters import ABSENT
from hoopsnake.web._plan import Plan
from hoopsnake.web._request import HTTPConnection, Request, Send
from hoopsnake.web._responses import JSONResponse, Response
from hoopsnake.web._route_limits import RouteLimits
from hoopsnake.web._routing import Route, WebSocketRoute
from hoopsnake.web._signature import named
from hoopsnake.web._steps import Injected
from hoopsnake.web._validation import response_encoder
from hoopsnake.web._way import Plain, Way
from hoopsnake.web._websocket import WebSocket, in_a_close_frame

__all__ = ["CompiledRoute", "CompiledWebSocketRoute", "sent_while_the_client_is_there"]

Overrides = Mapping[Callable[..., Any], Callable[..., Any]]


class _Compiled:
    """What routes for requests and for WebSockets have in common."""

    def __init__(self, route: Route | WebSocketRoute, native: Routes, overrides: Overrides) -> None:
        try:
            self._names = Routes.path_names(route.path)
            self.plan = Plan(route.handler, self._names, overrides, route.dependencies)
            if isinstance(route, WebSocketRoute) and self.plan.form.fields:
                raise WebError(f"{named(route.handler)}: a WebSocket has no form")
            methods = list(route.methods) if isinstance(route, Route) else None
            self._number = native.add(route.path, methods, self.plan.declared)
        except ValueError as error:
            raise WebError(f"{named(route.handler)}: {error}") from None
        self._native = native

    @property
    def has_path_params(self) -> bool:
        """Whether its path has parameters."""
        return bool(self._names)

    def path_params(self, captured: list[str]) -> dict[str, str]:
        """Return what the parameters of the path take, by their names."""
        return dict(zip(self._names, captured, strict=True))

    def _arguments(
        self, connection: HTTPConnection, captured: list[str], body: bytes | FormData | None
    ) -> list[Any]:
        scope = connection.scope
        scope["path_params"] = self.path_params(captured)
        arguments, errors = self._native.read(
            self._number, captured, scope["query_string"], scope["headers"]
        )
        return self.plan.check(arguments, errors, body)


class CompiledWebSocketRoute(_Compiled):
    """Serves the WebSockets of one route."""

    async def serve(
        self, websocket: WebSocket, captured: list[str], exits: contextlib.AsyncExitStack
    ) -> None:
        """Run the handler; what it is to be given and cannot be closes with 1008."""
        try:
            arguments = self._arguments(websocket, captured, None)
        except RequestValidationError as error:
            await websocket.close(1008, in_a_close_frame(error.errors()))
            return
        injected = Injected(websocket, exits=exits)
        async with contextlib.AsyncExitStack() as injected.handler_exits:
            await self.plan.run(arguments, injected)


class CompiledRoute(_Compiled):
    """Answers the requests of one route."""

    def __init__(self, route: Route, native: Routes, overrides: Overrides) -> None:
        super().__init__(route, native, overrides)
        self.route = route
        returns = self.plan.returns
        self.model = returns if route.response_model is ... else route.response_model
        """The type of what the handler returns; ABSENT if it does not say."""
        self._encode = _encoder(self.model, route.serialization)
        self._status = route.status_code or 200
        self._limits = RouteLimits.of(route)
        self.cancels = route.cancel_on_disconnect
        self._form_limits = checked_limits(route.form_limits)

    async def respond(
        self, request: Request, captured: list[str], exits: contextlib.AsyncExitStack
    ) -> Response:
        """Run the handler; raises RequestValidationError, and what the handler raises."""
        if self._limits is None:
            return await self._respond(request, captured, exits)
        respond = functools.partial(self._respond, request, captured, exits)
        return await self._limits.around(request, respond)

    async def _respond(
        self, request: Request, captured: list[str], exits: contextlib.AsyncExitStack
    ) -> Response:
        body = await self._body(request)
        arguments = self._arguments(request, captured, body)
        running = self._run(arguments, Injected(request, exits=exits))
        if not self.cancels:
            return await running
        response: Response = await while_the_client_is_there(running, request)
        return response

    async def respond_to(
        self,
        arguments: list[Any],
        errors: list[tuple[int, dict[str, Any]]] | None,
        body: bytes | None,
        injected: Injected,
    ) -> Response:
        """Do the same with arguments, and with JSON, that the engine has read."""
        if self.plan.form.fields:
            assert isinstance(injected.request, Request)
            form = await self._body(injected.request)
            return await self._run(self.plan.check(arguments, errors, form), injected)
        return await self._run(self.plan.check(arguments, errors, body), injected)

    async def _run(self, arguments: list[Any], injected: Injected) -> Response:
        if not self.plan.has_handler_scope:
            return self._response(await self.plan.run(arguments, injected), injected)
        async with contextlib.AsyncExitStack() as injected.handler_exits:
            return self._response(await self.plan.run(arguments, injected), injected)

    @property
    def way(self) -> Way | None:
        """How the engine answers the requests of this route; None where it has limits of its own.

        Those are kept by what stands between ASGI and the handler.
        """
        if self._limits is not None:
            return None
        return Way(
            needs_body=self.plan.needs_body,
            refuses_alone=not (
                self.plan.needs_body or self.plan.has_checks or self.plan.form.fields
            ),
            cancels=self.cancels,
            plain=self._plain(),
        )

    def _plain(self) -> Plain | None:
        plain, kind = self.plan.plain(), self.route.response_class
        is_json = kind is None or kind is JSONResponse
        if plain is None or not is_json or self._status in (204, 304):
            return None
        bodies = self.plan.bodies
        return Plain(
            handler=plain.function,
            names=plain.names,
            positions=plain.positions,
            validate=bodies[0].validator.of_json if bodies else None,
            encode=None if self._encode is to_json else self._encode,
            status=self._status,
        )

    async def _body(self, request: Request) -> bytes | FormData | None:
        if self.plan.form.fields:
            form = await request.form(**self._form_limits)
            await self.plan.form.prepare(form)
            return form
        return await request.body() if self.plan.needs_body else None

    def _response(self, result: Any, injected: Injected) -> Response:
        if isinstance(result, Response):
            response = result
        else:
            response = self._made(result)
            if injected.response is not None:
                given = injected.response
                response.headers.raw += given.headers.raw
                if given.status_code != 200:
                    response.status_code = given.status_code
        if injected.background and response.background is None:
            response.background = injected.background
        return response

    def _made(self, result: Any) -> Response:
        kind = self.route.response_class
        if kind is not None and not issubclass(kind, JSONResponse):
            response: Response = kind(result, self._status)
            return response
        if self._status in (204, 304):
            return Response(status_code=self._status)
        return Response(self._encode(result), self._status, media_type="application/json")


async def sent_while_the_client_is_there(
    response: Response, send: Send, request: Request, route: object
) -> None:
    """Send a response; one that comes piece by piece ends where its client leaves.

    Its source may wait for long, and would hear of it with its next piece only.
    """
    if not response.is_watched or not isinstance(route, CompiledRoute) or not route.cancels:
        await response(send)
        return
    await while_the_client_is_there(_sent(response, send), request)


async def _sent(response: Response, send: Send) -> None:
    await response(send)


def _encoder(model: Any, options: Mapping[str, Any]) -> Callable[[Any], bytes]:
    """Choose what writes results: as the return type or `response_model` declares them."""
    if options and not (inspect.isclass(model) and issubclass(model, Response)):
        return response_encoder(Any if model in (ABSENT, None) else model, options)
    if model in (ABSENT, None, Any, type(None)):
        return to_json
    if inspect.isclass(model) and (issubclass(model, Response) or model in (dict, list)):
        return to_json
    return response_encoder(model)
