"""An answer has to begin in time."""

from __future__ import annotations

from hoopsnake.web._responses import PlainTextResponse
from hoopsnake.web.middleware._asgi import Application, Message, Receive, Scope, Send

__all__ = ["TimeoutMiddleware"]


class TimeoutMiddleware:
    """Cancels an application whose answer has not begun after `seconds`, and answers 504.

    What runs on a thread by then goes on there. An answer that has begun takes its time.
    """

    def __init__(self, app: Application, seconds: float, *, status_code: int = 504) -> None:
        self._app = app
        self._seconds = seconds
        self._status = status_code

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection (ASGI 3.0)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        has_begun = False
        # Outgoing requests heed it: they take no longer than what is left.
        from hoopsnake.limits import Deadline

        deadline = Deadline(self._seconds)

        async def watched(message: Message) -> None:
            nonlocal has_begun
            if not has_begun:
                if deadline.is_over:
                    # What is said on the way out comes too late.
                    return
                has_begun = True
                deadline.withdraw()
            await send(message)

        try:
            async with deadline:
                await self._app(scope, receive, watched)
        except TimeoutError:
            if has_begun or not deadline.is_over:
                raise
        if deadline.is_over:
            await PlainTextResponse("The answer took too long", self._status)(send)
