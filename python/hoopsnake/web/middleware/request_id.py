"""A name for each request, in its answer and in the application's logs."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

from hoopsnake._request_id import request_id_variable
from hoopsnake.web._headers import Headers, MutableHeaders
from hoopsnake.web.middleware._asgi import Application, Message, Receive, Scope, Send, with_head

__all__ = ["RequestIdMiddleware"]

# What can stand in a log line and a header without being taken for anything else.
_SOUND = re.compile(r"[\w.:/+=@-]{1,128}", re.ASCII)


class RequestIdMiddleware:
    """Names requests: in `request.state.request_id`, `hoopsnake.request_id()` and the answer.

    With `trust` the client's name for it, in the same header, is kept if it is sound. Our server
    does the same by itself, for its own logs too (`--request-id-header`); this is for other ones.
    """

    def __init__(
        self,
        app: Application,
        header_name: str = "x-request-id",
        *,
        trust: bool = False,
        generator: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        self._app = app
        self._name = header_name
        self._trusts = trust
        self._generate = generator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection (ASGI 3.0)."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = Headers(scope["headers"]).get(self._name, "") if self._trusts else ""
        name = given if _SOUND.fullmatch(given) else self._generate()
        scope.setdefault("state", {})["request_id"] = name

        def tell(message: Message) -> None:
            MutableHeaders.over(message["headers"])[self._name] = name

        token = request_id_variable.set(name)
        try:
            await self._app(scope, receive, with_head(send, tell))
        finally:
            request_id_variable.reset(token)
