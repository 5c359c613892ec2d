"""Cross-origin resource sharing: which other origins' scripts may read answers (Fetch, 3.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hoopsnake.web._headers import Headers, MutableHeaders
from hoopsnake.web._responses import PlainTextResponse
from hoopsnake.web.middleware._asgi import Application, Message, Receive, Scope, Send, with_head

__all__ = ["CORSMiddleware"]

_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
# What a browser sends without asking (Fetch, "CORS-safelisted request-header").
_SAFE_HEADERS = ("Accept", "Accept-Language", "Content-Language", "Content-Type")


class CORSMiddleware:
    """Answers what browsers ask before a cross-origin request, and says in answers who may read.

    `allow_origins` are origins such as `https://shop.example`, or `*`; `allow_origin_regex` has to
    match a whole one. `allow_methods` and `allow_headers` may be `*` too. With `allow_credentials`
    cookies count, and `*` becomes the origin that asks. `expose_headers` are those that scripts may
    read, `max_age` is for how many seconds a browser need not ask again.
    """

    def __init__(
        self,
        app: Application,
        allow_origins: Iterable[str] = (),
        allow_methods: Iterable[str] = ("GET",),
        allow_headers: Iterable[str] = (),
        allow_credentials: bool = False,
        allow_origin_regex: str | None = None,
        allow_private_network: bool = False,
        expose_headers: Iterable[str] = (),
        max_age: int = 600,
    ) -> None:
        self._app = app
        self._origins = frozenset(allow_origins)
        self._pattern = re.compile(allow_origin_regex) if allow_origin_regex else None
        given = tuple(allow_methods)
        self._methods = _METHODS if "*" in given else given
        names = tuple(allow_headers)
        self._allows_all_headers = "*" in names
        self._headers = sorted({*_SAFE_HEADERS, *names})
        self._known_headers = {name.lower() for name in self._headers}
        self._allows_all = "*" in self._origins
        self._has_credentials = allow_credentials
        self._allows_private_network = allow_private_network
        self._exposed = ", ".join(expose_headers)
        self._max_age = str(max_age)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection (ASGI 3.0)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope["headers"])
        origin = headers.get("origin")
        is_question = scope["method"] == "OPTIONS" and "access-control-request-method" in headers
        if origin is not None and is_question:
            await self._preflight(origin, headers)(send)
            return

        def allow(message: Message) -> None:
            self._allow(MutableHeaders.over(message["headers"]), origin)

        await self._app(scope, receive, with_head(send, allow))

    def _is_allowed(self, origin: str) -> bool:
        if self._allows_all or origin in self._origins:
            return True
        return self._pattern is not None and self._pattern.fullmatch(origin) is not None

    def _allow(self, headers: MutableHeaders, origin: str | None) -> None:
        """Say in an answer who may read it."""
        answers_anyone = self._allows_all and not self._has_credentials
        if not answers_anyone:
            # The answer to another origin is another one.
            headers.add_vary("Origin")
        if origin is None or not self._is_allowed(origin):
            return
        headers["access-control-allow-origin"] = "*" if answers_anyone else origin
        if self._has_credentials:
            headers["access-control-allow-credentials"] = "true"
        if self._exposed:
            headers["access-control-expose-headers"] = self._exposed

    def _preflight(self, origin: str, asked: Headers) -> PlainTextResponse:
        """Answer a question (Fetch, "CORS-preflight request")."""
        refused = []
        response = PlainTextResponse("OK")
        headers = response.headers
        headers["vary"] = (
            "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, "
            "Access-Control-Request-Private-Network"
        )
        headers["access-control-allow-methods"] = ", ".join(self._methods)
        headers["access-control-max-age"] = self._max_age
        if self._has_credentials:
            headers["access-control-allow-credentials"] = "true"
        if self._is_allowed(origin):
            is_anyone = self._allows_all and not self._has_credentials
            headers["access-control-allow-origin"] = "*" if is_anyone else origin
        else:
            refused.append("origin")
        if asked["access-control-request-method"] not in self._methods:
            refused.append("method")
        names = asked.get("access-control-request-headers")
        if not self._allows_all_headers:
            headers["access-control-allow-headers"] = ", ".join(self._headers)
            wanted = {name.strip().lower() for name in (names or "").split(",")} - {""}
            if not wanted <= self._known_headers:
                refused.append("headers")
        elif names is not None:
            headers["access-control-allow-headers"] = names
        if "access-control-request-private-network" in asked:
            if self._allows_private_network:
                headers["access-control-allow-private-network"] = "true"
            else:
                refused.append("private-network")
        if not refused:
            return response
        # A browser goes by the headers; the words are for the person who looks why.
        words = PlainTextResponse("Disallowed CORS " + ", ".join(refused), 400)
        words.headers.update({name: headers[name] for name in headers if "content" not in name})
        return words
