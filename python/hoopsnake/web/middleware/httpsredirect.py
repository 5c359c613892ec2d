"""Requests that came without TLS are sent to where there is."""

from __future__ import annotations

from hoopsnake.web._request import HTTPConnection
from hoopsnake.web._responses import PlainTextResponse, RedirectResponse, Response
from hoopsnake.web.middleware._asgi import Application, Receive, Scope, Send, answer

__all__ = ["HTTPSRedirectMiddleware"]


class HTTPSRedirectMiddleware:
    """Redirects `http` to `https` and `ws` to `wss`, on the same host and path.

    Behind a proxy that does the TLS the server has to be told to trust it, or this never ends.
    """

    def __init__(self, app: Application, status_code: int = 307) -> None:
        self._app = app
        self._status = status_code

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection (ASGI 3.0)."""
        kind = scope["type"]
        scheme = scope.get("scheme", "http" if kind == "http" else "ws")
        if kind not in ("http", "websocket") or scheme not in ("http", "ws"):
            await self._app(scope, receive, send)
            return
        response: Response = PlainTextResponse("Invalid host header", 400)
        connection = HTTPConnection(scope)
        if connection.headers.get("host"):
            _, _, rest = connection.url.partition("://")
            host, slash, path = rest.partition("/")
            # The port of the one is not that of the other.
            host = host.removesuffix(":80").removesuffix(":443")
            secure = {"http": "https", "ws": "wss"}[scheme]
            response = RedirectResponse(f"{secure}://{host}{slash}{path}", self._status)
        await answer(scope, receive, send, response)
