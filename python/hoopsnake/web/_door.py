"""What the engine is told of an application, and what it calls, where there is no ASGI between."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hoopsnake._errors import ClientDisconnected
from hoopsnake.web._compiled import CompiledRoute, sent_while_the_client_is_there
from hoopsnake.web._exits import unwound
from hoopsnake.web._json import without_json
from hoopsnake.web._request import Request
from hoopsnake.web._responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from hoopsnake.web._steps import Injected

if TYPE_CHECKING:
    from hoopsnake._native import Arrival, Routes
    from hoopsnake.web._table import Table
    from hoopsnake.web._way import Way

__all__ = ["DirectAnswers", "Opening"]

# What the engine cancels a handler with whose client has gone (`exchange/routed.rs`).
_LEFT = ("the client has left",)

# Those that are nothing but status, headers and body; the first is the base of all responses.
WHOLE: list[type[Response]] = [
    Response,
    JSONResponse,
    PlainTextResponse,
    HTMLResponse,
    RedirectResponse,
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What the engine has to know of an application (`web/door.rs`)."""

    routes: Routes
    declared: Sequence[Any]
    ways: list[Way | None]
    refuses_plainly: bool
    redirects: bool
    answer: Callable[[int, Arrival], Awaitable[Response | None]]
    recover: Callable[[int, Arrival, Exception], Awaitable[Response | None]]
    finish: Callable[[Arrival, Response], Awaitable[None]]
    response_to: Callable[[Exception], Response | None]
    whole: Sequence[type[Response]] = tuple(WHOLE)
    other: Callable[[Any], Any] = without_json


class DirectAnswers:
    """Answers requests whose routes and parameters the engine has found.

    `handle` answers for an exception by way of the application's handlers, and returns None where
    there is none; `last_resort` answers for what is left.
    """

    def __init__(
        self,
        app: Any,
        table: Table,
        handle: Callable[[Request, Exception], Awaitable[Response | None]],
        last_resort: Callable[[Request, Exception], Awaitable[Response]],
    ) -> None:
        self._app = app
        self._table = table
        self._handle = handle
        self._last_resort = last_resort

    async def answer(self, number: int, arrival: Arrival) -> Response | None:
        """Answer a request; returns a response that is whole, and sends any other."""
        route = self._table.at(number)
        assert isinstance(route, CompiledRoute)
        request = self._request(arrival, route) if route.plan.needs_request else None
        try:
            return await self._answered(route, arrival, request)
        finally:
            if request is not None:
                await request.close()

    async def _answered(
        self, route: CompiledRoute, arrival: Arrival, request: Request | None
    ) -> Response | None:
        if not route.plan.has_exits:
            return await self._answer(route, arrival, request, None)
        response = None
        async with contextlib.AsyncExitStack() as exits:
            response = await self._answer(route, arrival, request, exits)
            if response is not None:
                # What follows the dependencies' `yield` comes after the response, and before the
                # background tasks.
                await self._send(arrival, response, request)
        if response is not None and response.background is not None:
            await response.background()
        return None

    async def _answer(
        self,
        route: CompiledRoute,
        arrival: Arrival,
        request: Request | None,
        exits: contextlib.AsyncExitStack | None,
    ) -> Response | None:
        injected = Injected(request, exits=exits)
        try:
            response = await route.respond_to(
                arrival.arguments, arrival.errors, arrival.body, injected
            )
        except asyncio.CancelledError as cancelled:
            if exits is not None and cancelled.args == _LEFT:
                # Dependencies see what they see by ASGI.
                gone = ClientDisconnected("the client left before it was answered")
                await unwound(exits, gone)
            raise
        except Exception as failure:
            error = failure if exits is None else await unwound(exits, failure)
            response = await self._recovered(arrival, error, request)
        # Where there are exits they have their place between the response and what follows it.
        return response if exits is not None else await self._sent(arrival, response, request)

    async def recover(self, number: int, arrival: Arrival, error: Exception) -> Response | None:
        """Answer for a handler that has raised; raises what nobody answers."""
        request = self._request(arrival)
        return await self._sent(arrival, await self._recovered(arrival, error, request), request)

    async def _recovered(
        self, arrival: Arrival, error: Exception, request: Request | None
    ) -> Response:
        request = request or self._request(arrival)
        try:
            response = await self._handle(request, error)
        except Exception as another:
            error, response = another, None
        if response is None:
            await (await self._last_resort(request, error))(arrival.send)
            raise error
        return response

    async def finish(self, arrival: Arrival, response: Response) -> None:
        """Send a response of any kind, and do what follows it."""
        await self._finish(arrival, response, None)

    async def _finish(self, arrival: Arrival, response: Response, request: Request | None) -> None:
        await self._send(arrival, response, request)
        if response.background is not None:
            await response.background()

    async def _send(self, arrival: Arrival, response: Response, request: Request | None) -> None:
        if response.needs_scope:
            response.for_scope(arrival.scope())
        if not response.is_watched:
            await response(arrival.send)
            return
        request = request or self._request(arrival)
        route = self._route_of(request.scope)
        await sent_while_the_client_is_there(response, arrival.send, request, route)

    async def _sent(
        self, arrival: Arrival, response: Response, request: Request | None
    ) -> Response | None:
        if response.background is None and type(response) in WHOLE:
            return response
        await self._finish(arrival, response, request)
        return None

    def _route_of(self, scope: dict[str, Any]) -> CompiledRoute | None:
        raw_path = scope["raw_path"].decode("latin-1")
        found = self._table.http(scope["method"], raw_path).route
        return found if isinstance(found, CompiledRoute) else None

    def _request(self, arrival: Arrival, known: CompiledRoute | None = None) -> Request:
        scope = arrival.scope()
        scope["app"] = self._app
        request = Request(scope, arrival.receive, body=arrival.body)
        request._arrival = arrival
        if known is not None and not known.has_path_params:
            scope["path_params"] = {}
            return request
        route, captured, _ = self._table.http(scope["method"], scope["raw_path"].decode("latin-1"))
        if isinstance(route, CompiledRoute):
            scope["path_params"] = route.path_params(captured)
        return request
