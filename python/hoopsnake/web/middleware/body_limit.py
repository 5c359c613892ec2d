"""Bodies of requests that are too large are refused before they are read."""

from __future__ import annotations

from hoopsnake.web._body_limit import BodyTooLarge, declares_more, limited
from hoopsnake.web._responses import PlainTextResponse
from hoopsnake.web.middleware._asgi import Application, Message, Receive, Scope, Send

__all__ = ["BodyLimitMiddleware"]


class BodyLimitMiddleware:
    """Answers 413 to bodies of more than `max_body` bytes.

    One that says its length is refused at once, any other when it has become too long: what the
    application answers from then on is replaced, unless it has begun before.
    """

    def __init__(self, app: Application, max_body: int) -> None:
        self._app = app
        self._most = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection (ASGI 3.0)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if declares_more(scope, self._most):
            await _refusal()(send)
            return
        has_begun = is_over = False

        def exceed() -> None:
            nonlocal is_over
            is_over = True

        async def watched(message: Message) -> None:
            nonlocal has_begun
            if is_over and not has_begun:
                return
            has_begun = True
            await send(message)

        try:
            await self._app(scope, limited(receive, self._most, exceed), watched)
        except BodyTooLarge:
            if has_begun:
                raise
        except Exception:
            if has_begun or not is_over:
                raise
        if is_over and not has_begun:
            await _refusal()(send)


def _refusal() -> PlainTextResponse:
    return PlainTextResponse("Content Too Large", 413)
