"""At most so many requests in a time, of each client."""

from __future__ import annotations

from collections.abc import Sequence

from hoopsnake.web._headers import MutableHeaders
from hoopsnake.web._rate_limit import Decision, RateLimit
from hoopsnake.web._request import HTTPConnection
from hoopsnake.web._responses import PlainTextResponse
from hoopsnake.web.middleware._asgi import (
    Application,
    Message,
    Receive,
    Scope,
    Send,
    answer,
    with_head,
)

__all__ = ["RateLimit", "RateLimitMiddleware"]


class RateLimitMiddleware:
    """Answers 429 to clients that exceed a `RateLimit`; paths that begin with `exempt` pass.

    Answers tell what is left (`RateLimit`, draft-ietf-httpapi-ratelimit-headers). It counts in one
    process.
    """

    def __init__(self, app: Application, limit: RateLimit, *, exempt: Sequence[str] = ()) -> None:
        self._app = app
        self._limit = limit
        self._exempt = tuple(exempt)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection (ASGI 3.0)."""
        if scope["type"] not in ("http", "websocket") or (
            self._exempt and scope["path"].startswith(self._exempt)
        ):
            await self._app(scope, receive, send)
            return
        decision = self._limit.check(HTTPConnection(scope))
        if decision is None:
            await self._app(scope, receive, send)
            return
        found: Decision = decision
        if not found.is_allowed:
            response = PlainTextResponse("Too Many Requests", 429)
            response.headers.update(found.headers())
            await answer(scope, receive, send, response)
            return

        def tell(message: Message) -> None:
            headers = MutableHeaders.over(message["headers"])
            for name, value in found.headers().items():
                headers.setdefault(name, value)

        await self._app(scope, receive, with_head(send, tell))
