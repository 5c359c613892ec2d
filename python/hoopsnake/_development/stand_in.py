"""Puts the page for an exception in the place of the application's own 500."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from hoopsnake._development.error_page import error_page, error_text

__all__ = ["WithErrorPage"]

Message = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]


class WithErrorPage:
    """An ASGI application whose requests that raise are answered with what was raised.

    A framework sends its 500 first and lets the exception pass then. So a 500 is kept back until
    the application has ended, or sends more than one piece.
    """

    def __init__(self, application: Callable[..., Awaitable[None]]) -> None:
        self._application = application

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Send
    ) -> None:
        """Answer."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        answer = _KeptBack(send)
        try:
            await self._application(scope, receive, answer.send)
        except Exception as error:
            # A server's own signals, such as that the client has gone, find no page to be sent.
            if answer.is_kept_back:
                await _send_page(error, scope, send)
            # It belongs into the log as well.
            raise
        await answer.let_go()


class _KeptBack:
    """The messages of one answer; those of a 500 wait for each other."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._kept: list[Message] = []
        self.is_kept_back = True
        """Whether nothing was sent yet."""

    async def send(self, message: Message) -> None:
        if self.is_kept_back and self._may_wait(message):
            self._kept.append(message)
            return
        await self.let_go()
        await self._send(message)

    def _may_wait(self, message: Message) -> bool:
        if message["type"] == "http.response.start":
            return message.get("status") == 500 and not self._kept
        # After a start that was kept, one body that is all of it.
        return len(self._kept) == 1 and not message.get("more_body", False)

    async def let_go(self) -> None:
        self.is_kept_back = False
        kept, self._kept = self._kept, []
        for each in kept:
            await self._send(each)


async def _send_page(error: Exception, scope: Message, send: Send) -> None:
    accepted = b",".join(value for name, value in scope["headers"] if name.lower() == b"accept")
    if b"text/html" in accepted:
        kind, text = b"text/html; charset=utf-8", error_page(error, scope)
    else:
        kind, text = b"text/plain; charset=utf-8", error_text(error)
    body = text.encode("utf-8", "replace")
    headers = [
        (b"content-type", kind),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": body})
