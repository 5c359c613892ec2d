"""What one route allows: how often, how large, how many at once, how long."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from hoopsnake.web._body_limit import BodyTooLarge, declares_more
from hoopsnake.web._errors import HTTPException
from hoopsnake.web._rate_limit import Decision
from hoopsnake.web._request import Request
from hoopsnake.web._responses import Response
from hoopsnake.web._routing import Route
from hoopsnake.web._turnstile import Full, Turnstile

__all__ = ["RouteLimits"]


class RouteLimits:
    """The limits of a route, in the order in which they are looked at: the cheapest first."""

    def __init__(self, route: Route) -> None:
        self._rate = route.limit
        self._max_body = route.max_body
        self._timeout = route.timeout
        self._turnstile = route.concurrency if isinstance(route.concurrency, Turnstile) else None

    @classmethod
    def of(cls, route: Route) -> RouteLimits | None:
        """Return the limits of a route that has any."""
        given = (route.limit, route.max_body, route.timeout, route.concurrency)
        return None if all(each is None for each in given) else cls(route)

    async def around(
        self, request: Request, respond: Callable[[], Awaitable[Response]]
    ) -> Response:
        """Answer within the limits; raises HTTPException with 413, 429, 503 or 504."""
        decision = self._rate.check(request) if self._rate is not None else None
        if decision is not None and not decision.is_allowed:
            raise HTTPException(429, headers=decision.headers())
        if self._max_body is not None:
            if declares_more(request.scope, self._max_body):
                raise BodyTooLarge(self._max_body)
            request.limit_body(self._max_body)
        if self._turnstile is None:
            return _telling(await self._in_time(respond), decision)
        try:
            await self._turnstile.enter()
        except Full:
            raise HTTPException(503, headers={"retry-after": "1"}) from None
        try:
            return _telling(await self._in_time(respond), decision)
        finally:
            self._turnstile.leave()

    async def _in_time(self, respond: Callable[[], Awaitable[Response]]) -> Response:
        if self._timeout is None:
            return await respond()
        # Outgoing requests heed it: they take no longer than what is left.
        from hoopsnake.limits import Deadline

        deadline = Deadline(self._timeout)
        try:
            async with deadline:
                return await respond()
        except TimeoutError:
            if not deadline.is_over:
                raise
        raise HTTPException(504, "The answer took too long")


def _telling(response: Response, decision: Decision | None) -> Response:
    if decision is not None:
        for name, value in decision.headers().items():
            response.headers.setdefault(name, value)
    return response
