"""At most so many requests are with an application at once; others wait, or are sent away."""

from __future__ import annotations

from hoopsnake.web._responses import PlainTextResponse
from hoopsnake.web._turnstile import Full, Turnstile
from hoopsnake.web.middleware._asgi import Application, Receive, Scope, Send

__all__ = ["ConcurrencyLimitMiddleware"]


class ConcurrencyLimitMiddleware:
    """Lets `limit` requests in at once; `queue` (without it: as many) may wait, for `wait` seconds.

    All others are answered with 503, and are asked to come again after `retry_after` seconds. It
    counts those of one process. WebSockets pass.
    """

    def __init__(
        self,
        app: Application,
        limit: int,
        *,
        queue: int | None = None,
        wait: float | None = None,
        retry_after: int = 1,
    ) -> None:
        self._app = app
        self._turnstile = Turnstile(limit, queue=limit if queue is None else queue, wait=wait)
        self._retry_after = str(retry_after)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection (ASGI 3.0)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            await self._turnstile.enter()
        except Full:
            headers = {"retry-after": self._retry_after}
            await PlainTextResponse("Service Unavailable", 503, headers)(send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            self._turnstile.leave()
