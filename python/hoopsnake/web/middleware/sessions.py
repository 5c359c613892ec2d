"""Sessions: a dict of one's own for each client, kept by the client in a signed cookie."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

from hoopsnake.web._errors import WebError
from hoopsnake.web._headers import MutableHeaders
from hoopsnake.web._request import HTTPConnection
from hoopsnake.web._responses import Response
from hoopsnake.web._signing import Signer
from hoopsnake.web.middleware._asgi import Application, Message, Receive, Scope, Send, with_head

__all__ = ["Session", "SessionMiddleware"]

# What browsers keep of a cookie, its name and its attributes included (RFC 6265 section 6.1).
_MOST_BYTES = 4096


class Session(dict[str, Any]):
    """What a client's session holds: JSON."""

    is_accessed = False

    def mark_accessed(self) -> None:
        """Note that the answer depends on it; `request.session` does."""
        self.is_accessed = True


class SessionMiddleware:
    """Reads the session before a request (`request.session`) and has the client keep what changed.

    The client can read it, and can bring back an old one, but cannot write one. `secret_key` may be
    several: the first signs, all are believed. A session lives for `max_age` seconds after its last
    change (None: as long as the browser is open); one that is in use is renewed when half of that
    is over. The cookie is HttpOnly, and Secure where the request came by HTTPS or with
    `https_only`.
    """

    def __init__(
        self,
        app: Application,
        secret_key: str | Sequence[str],
        session_cookie: str = "session",
        max_age: int | None = 14 * 24 * 60 * 60,
        path: str = "/",
        same_site: Literal["lax", "strict", "none"] = "lax",
        https_only: bool | None = None,
        domain: str | None = None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._app = app
        self._signer = Signer(secret_key, f"session.{session_cookie}")
        self._name = session_cookie
        self._max_age = max_age
        self._path = path
        self._same_site: Literal["lax", "strict", "none"] = same_site
        self._https_only = https_only or same_site == "none" or None
        self._domain = domain
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a connection (ASGI 3.0)."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        now = self._clock()
        text, signed_at = self._read(HTTPConnection(scope).cookies.get(self._name), now)
        session = Session(json.loads(text))
        scope["session"] = session

        def keep(message: Message) -> None:
            changed = _as_json(session)
            # Renewed only where it was used: an answer that has no use for it, such as a file, may
            # be for all, and caches would keep the cookie with it.
            is_due = session.is_accessed and session and self._is_old(signed_at, now)
            is_changed = changed != text
            if session.is_accessed or is_changed:
                MutableHeaders.over(message["headers"]).add_vary("Cookie")
            if is_changed or is_due:
                message["headers"].append((b"set-cookie", self._cookie(scope, changed, now)))

        await self._app(scope, receive, with_head(send, keep))

    def _read(self, cookie: str | None, now: float) -> tuple[str, float]:
        signed = self._signer.read(cookie) if cookie else None
        if signed is None:
            return "{}", now
        content, signed_at = signed
        if self._max_age is not None and now - signed_at > self._max_age:
            return "{}", now
        return content.decode(), signed_at

    def _is_old(self, signed_at: float, now: float) -> bool:
        return self._max_age is not None and now - signed_at > self._max_age / 2

    def _cookie(self, scope: Scope, content: str, now: float) -> bytes:
        response = Response()
        value = self._signer.sign(content.encode(), now) if content != "{}" else ""
        response.set_cookie(
            self._name,
            value,
            max_age=self._max_age if value else 0,
            path=self._path,
            domain=self._domain,
            secure=self._https_only or scope.get("scheme") in ("https", "wss"),
            httponly=True,
            samesite=self._same_site,
        )
        cookie = response.headers["set-cookie"].encode("latin-1")
        if len(cookie) > _MOST_BYTES:
            raise WebError(
                f"the session makes a cookie of {len(cookie)} bytes, and browsers drop those of "
                f"more than {_MOST_BYTES}: keep a key in it, and the rest in a database"
            )
        return cookie


def _as_json(session: Session) -> str:
    try:
        return json.dumps(session, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise WebError(f"a session holds JSON: {error}") from None
