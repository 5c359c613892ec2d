"""A route that is ready to answer: its plan, and how its results become responses."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from hoopsnake._native import Routes
from hoopsnake.web._errors import RequestValidationError, WebError
from hoopsnake.web._json import to_json
from hoopsnake.web._parameters import ABSENT
from hoopsnake.web._plan import Injected, Plan
from hoopsnake.web._request import HTTPConnection, Request
from hoopsnake.web._responses import JSONResponse, Response
from hoopsnake.web._routing import Route, WebSocketRoute
from hoopsnake.web._signature import named
from hoopsnake.web._validation import response_encoder
from hoopsnake.web._websocket import WebSocket

__all__ = ["CompiledRoute", "CompiledWebSocketRoute"]

Overrides = Mapping[Callable[..., Any], Callable[..., Any]]


class _Compiled:
    """What routes for requests and for WebSockets have in common."""

    def __init__(self, route: Route | WebSocketRoute, native: Routes, overrides: Overrides) -> None:
        try:
            self._names = Routes.path_names(route.path)
            self.plan = Plan(route.handler, self._names, overrides, route.dependencies)
            methods = list(route.methods) if isinstance(route, Route) else None
            self._number = native.add(route.path, methods, self.plan.declared)
        except ValueError as error:
            raise WebError(f"{named(route.handler)}: {error}") from None
        self._native = native

    def _arguments(
        self, connection: HTTPConnection, captured: list[str], body: bytes | None
    ) -> list[Any]:
        scope = connection.scope
        scope["path_params"] = dict(zip(self._names, captured, strict=True))
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
            await websocket.close(1008, _in_a_close_frame(error))
            return
        await self.plan.run(arguments, Injected(websocket, exits=exits))


def _in_a_close_frame(error: RequestValidationError) -> str:
    """Say what is wrong in the 123 bytes that a close frame holds (RFC 6455 section 5.5)."""
    told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
    return told.encode()[:123].decode(errors="ignore")


class CompiledRoute(_Compiled):
    """Answers the requests of one route."""

    def __init__(self, route: Route, native: Routes, overrides: Overrides) -> None:
        super().__init__(route, native, overrides)
        self.route = route
        returns = self.plan.returns
        self.model = returns if route.response_model is ... else route.response_model
        """The type of what the handler returns; ABSENT if it does not say."""
        self._encode = _encoder(self.model)
        self._status = route.status_code or 200

    async def respond(
        self, request: Request, captured: list[str], exits: contextlib.AsyncExitStack
    ) -> Response:
        """Run the handler; raises RequestValidationError, and what the handler raises."""
        body = await request.body() if self.plan.needs_body else None
        arguments = self._arguments(request, captured, body)
        injected = Injected(request, exits=exits)
        result = await self.plan.run(arguments, injected)
        return self._response(result, injected)

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


def _encoder(model: Any) -> Callable[[Any], bytes]:
    """Choose what writes results: as the return type or `response_model` declares them."""
    if model in (ABSENT, None, Any, type(None)):
        return to_json
    if inspect.isclass(model) and (issubclass(model, Response) or model in (dict, list)):
        return to_json
    return response_encoder(model)
