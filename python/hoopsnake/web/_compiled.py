"""A route that is ready to answer: its plan, and how what its handler returns becomes a response."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from hoopsnake._native import Routes
from hoopsnake.web._errors import WebError
from hoopsnake.web._json import to_json
from hoopsnake.web._parameters import ABSENT
from hoopsnake.web._plan import Injected, Plan
from hoopsnake.web._request import Request
from hoopsnake.web._responses import JSONResponse, Response
from hoopsnake.web._routing import Route
from hoopsnake.web._signature import named
from hoopsnake.web._validation import response_encoder

__all__ = ["CompiledRoute"]


class CompiledRoute:
    """Answers the requests of one route."""

    def __init__(
        self,
        route: Route,
        native: Routes,
        overrides: Mapping[Callable[..., Any], Callable[..., Any]],
    ) -> None:
        self.route = route
        self._native = native
        try:
            names = Routes.path_names(route.path)
        except ValueError as error:
            raise WebError(f"{named(route.handler)}: {error}") from None
        self.plan = Plan(route.handler, names, overrides, route.dependencies)
        self._number = native.add(route.path, list(route.methods), self.plan.declared)
        self._encode = _encoder(route, self.plan)
        self._status = route.status_code or 200

    async def respond(
        self, request: Request, captured: list[str], exits: contextlib.AsyncExitStack
    ) -> Response:
        """Run the handler; raises RequestValidationError, and what the handler raises."""
        scope = request.scope
        scope["path_params"] = dict(zip(Routes.path_names(self.route.path), captured, strict=True))
        body = await request.body() if self.plan.needs_body else None
        arguments, errors = self._native.read(
            self._number, captured, scope["query_string"], scope["headers"]
        )
        arguments = self.plan.check(arguments, errors, body)
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


def _encoder(route: Route, plan: Plan) -> Callable[[Any], bytes]:
    """Choose what writes the handler's results: what its return type or `response_model` declares."""
    model = plan.returns if route.response_model is ... else route.response_model
    if model in (ABSENT, None, Any, type(None)):
        return to_json
    if inspect.isclass(model) and (issubclass(model, Response) or model in (dict, list)):
        return to_json
    return response_encoder(model).encode
