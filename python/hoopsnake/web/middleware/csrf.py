"""Cross-site request forgery: other sites' pages cannot act in the name of our users.

A browser says by itself whose page a request comes from (Sec-Fetch-Site, Fetch Metadata; Origin,
RFC 6454). Where it does not, a token that only our own pages can read has to come with it.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hoopsnake.web._headers import Headers, MutableHeaders
from hoopsnake.web._request import HTTPConnection
from hoopsnake.web._responses import PlainTextResponse, Response
from hoopsnake.web._signing import Signer
from hoopsnake.web.middleware._asgi import (
    Application,
    Message,
    Receive,
    Scope,
    Send,
    answer,
    with_head,
)

__all__ = ["CSRFMiddleware", "csrf_token"]

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")
# A form that is longer than this brings its token in the header.
_MOST_FORM_BYTES = 65_536


def csrf_token(connection: HTTPConnection) -> str:
    """Return the token that a form (field `csrf_token`) or a script (header) sends back.

    It gives the client its cookie, if it has none. There has to be a CSRFMiddleware.
    """
    tokens: _Token = connection.scope["csrf_token"]
    return tokens.text()


class CSRFMiddleware:
    """Answers 403 to requests that change something and come from another site's page.

    Those of `trusted_origins` (`https://other.example`) pass. A request of which no browser says
    where it comes from needs the token if it has cookies; with `always_token` every one does. The
    token is in the header `header_name` or in the field `csrf_token` of a form, and in the cookie
    `cookie_name`. Paths that begin with one of `exempt` pass, for those with signatures of their
    own. WebSockets of other origins are refused too.
    """

    def __init__(
        self,
        app: Application,
        secret_key: str | Sequence[str],
        *,
        trusted_origins: Sequence[str] = (),
        always_token: bool = False,
        cookie_name: str = "csrf_token",
        header_name: str = "x-csrf-token",
        exempt: Sequence[str] = (),
        https_only: bool = False,
    ) -> None:
        self._app = app
        self._signer = Signer(secret_key, "csrf")
        self._trusted = {each.lower().rstrip("/") for each in trusted_origins}
        self._always_token = always_token
        self._cookie_name = cookie_name
        self._header_name = header_name
        self._exempt = tuple(exempt)
        self._https_only = https_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection (ASGI 3.0)."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        token = _Token(self._signer, connection.cookies.get(self._cookie_name))
        scope["csrf_token"] = token
        is_safe = scope["type"] == "http" and scope["method"] in _SAFE_METHODS
        if not is_safe and not (self._exempt and scope["path"].startswith(self._exempt)):
            receive, problem = await self._problem(connection, token, receive)
            if problem is not None:
                await answer(scope, receive, send, PlainTextResponse(f"Forbidden: {problem}", 403))
                return

        def give(message: Message) -> None:
            if token.is_asked_for:
                headers = MutableHeaders.over(message["headers"])
                headers.add_vary("Cookie")
                if token.is_new:
                    headers.append("set-cookie", self._cookie(scope, token))

        await self._app(scope, receive, with_head(send, give))

    async def _problem(
        self, connection: HTTPConnection, token: _Token, receive: Receive
    ) -> tuple[Receive, str | None]:
        """Say what is against a request; and where its body comes from, if it was looked at."""
        headers = connection.headers
        says_ours = self._comes_from_us(connection.scope, headers)
        if says_ours is False:
            return receive, "the request comes from another site"
        is_websocket = connection.scope["type"] == "websocket"
        if is_websocket or (says_ours and not self._always_token):
            return receive, None
        if not self._always_token and "cookie" not in headers:
            # Whom nobody knows, nobody can act in the name of.
            return receive, None
        given = headers.get(self._header_name)
        if given is None:
            receive, given = await _token_of_form(headers, receive)
        if given is not None and token.fits(given):
            return receive, None
        return receive, "the request has no valid CSRF token"

    def _comes_from_us(self, scope: Scope, headers: Headers) -> bool | None:
        """Tell whether the page is ours, as far as the browser says."""
        origin = headers.get("origin", "").lower()
        if origin and origin in self._trusted:
            return True
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site in ("same-origin", "none")
        if not origin:
            return None
        # Without its scheme: behind a proxy the server does not always know it.
        try:
            return origin != "null" and urlsplit(origin).netloc == headers.get("host", "").lower()
        except ValueError:
            # It is no origin, so it is not ours.
            return False

    def _cookie(self, scope: Scope, token: _Token) -> str:
        response = Response()
        response.set_cookie(
            self._cookie_name,
            token.text(),
            secure=self._https_only or scope.get("scheme") == "https",
            # Scripts of ours read it, to send it in the header.
            httponly=False,
            samesite="lax",
        )
        return response.headers["set-cookie"]


class _Token:
    """The token of one client: the one of its cookie if we have signed that, or a new one."""

    def __init__(self, signer: Signer, cookie: str | None) -> None:
        self._signer = signer
        self._text = cookie if cookie and signer.read(cookie) is not None else None
        self.is_new = self._text is None
        self.is_asked_for = False

    def text(self) -> str:
        self.is_asked_for = True
        if self._text is None:
            self._text = self._signer.sign(secrets.token_bytes(16), time.time())
        return self._text

    def fits(self, given: str) -> bool:
        known = self._text
        return known is not None and hmac.compare_digest(known.encode(), given.encode())


async def _token_of_form(headers: Headers, receive: Receive) -> tuple[Receive, str | None]:
    """Find the token in a form, and have its body be received once more."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return receive, None
    events: list[dict[str, Any]] = []
    body = b""
    more = True
    while more and len(body) <= _MOST_FORM_BYTES:
        event = await receive()
        events.append(event)
        body += event.get("body") or b""
        more = event["type"] == "http.request" and event.get("more_body", False)

    async def again() -> dict[str, Any]:
        return events.pop(0) if events else await receive()

    if more or len(body) > _MOST_FORM_BYTES:
        return again, None
    try:
        fields = parse_qs(body.decode("latin-1"), max_num_fields=1000, errors="replace")
    except ValueError:
        return again, None
    return again, next(iter(fields.get("csrf_token", [])), None)
