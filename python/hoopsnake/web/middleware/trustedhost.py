"""Requests for hosts that are not ours are refused: links that are made of Host stay true."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hoopsnake.web._headers import Headers
from hoopsnake.web._request import HTTPConnection
from hoopsnake.web._responses import PlainTextResponse, RedirectResponse, Response
from hoopsnake.web.middleware._asgi import Application, Receive, Scope, Send, answer

__all__ = ["TrustedHostMiddleware", "host_of"]

# What a host can be (RFC 3986 section 3.2.2), small letters: anything else ends or begins something
# else in a URL that is made of it, and `evil.example/.ours.example` is not below ours.
_NAME = re.compile(r"\[[0-9a-f:.]+\]|[a-z0-9._-]+")


class TrustedHostMiddleware:
    """Answers 400 to what is not for one of `allowed_hosts`.

    Those are names without a port: `example.com`, `*.example.com` for all below it, or `*`. With
    `www_redirect` a request for `example.com` is sent to `www.example.com` where only that is ours.
    """

    def __init__(
        self, app: Application, allowed_hosts: Sequence[str] = ("*",), www_redirect: bool = True
    ) -> None:
        for each in allowed_hosts:
            if "*" in each[1:] or (each.startswith("*") and each != "*" and each[1:2] != "."):
                raise ValueError(f"a star stands for a whole name, as in '*.example.com': {each!r}")
        self._app = app
        self._allows_all = "*" in allowed_hosts
        self._exact = {each.lower() for each in allowed_hosts if not each.startswith("*")}
        self._endings = tuple(each[1:].lower() for each in allowed_hosts if each.startswith("*."))
        self._redirects = www_redirect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection (ASGI 3.0)."""
        if self._allows_all or scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        host = host_of(Headers(scope["headers"]).getlist("host"))
        if host is not None and (host in self._exact or host.endswith(self._endings)):
            await self._app(scope, receive, send)
            return
        response: Response = PlainTextResponse("Invalid host header", 400)
        if self._redirects and scope["type"] == "http" and f"www.{host}" in self._exact:
            scheme, _, rest = HTTPConnection(scope).url.partition("://")
            response = RedirectResponse(f"{scheme}://www.{rest}")
        await answer(scope, receive, send, response)


def host_of(values: Sequence[str]) -> str | None:
    """Return the name in Host, in small letters and without its port; None if there is not one."""
    if len(values) != 1:
        return None
    host = values[0].strip().lower()
    if host.startswith("["):
        name, bracket, rest = host.partition("]")
        host, port = name + bracket, rest.removeprefix(":")
        if rest and not rest.startswith(":"):
            return None
    else:
        host, _, port = host.partition(":")
    # A dot at the end is the same name (RFC 1034 section 3.1).
    host = host.removesuffix(".")
    is_name = _NAME.fullmatch(host) is not None and not host.startswith(".")
    return host if is_name and (not port or port.isdecimal()) else None
