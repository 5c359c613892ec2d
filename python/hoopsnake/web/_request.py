"""A request as a handler may look at it: nothing is read of it before it is asked for."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from http.cookies import _unquote as unquote
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from hoopsnake._errors import ClientDisconnected
from hoopsnake.web._headers import Headers

if TYPE_CHECKING:
    from hoopsnake.web._app import App

__all__ = ["HTTPConnection", "QueryParams", "Request", "State"]

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class State(SimpleNamespace):
    """Attributes of one's own."""


class QueryParams(Mapping[str, str]):
    """The query; of several values of one name a mapping shows the last."""

    __slots__ = ("_pairs",)

    def __init__(self, query: bytes) -> None:
        self._pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)

    def __getitem__(self, name: str) -> str:
        return dict(self._pairs)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._pairs))

    def __len__(self) -> int:
        return len(dict(self._pairs))

    def getlist(self, name: str) -> list[str]:
        """Return all values of a name, in their order."""
        return [value for known, value in self._pairs if known == name]

    def multi_items(self) -> list[tuple[str, str]]:
        """Return all pairs, in their order."""
        return list(self._pairs)


class HTTPConnection:
    """What a request and a WebSocket have in common: their scope (ASGI 3.0)."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    @property
    def app(self) -> App:
        """The application."""
        app: App = self.scope["app"]
        return app

    @property
    def headers(self) -> Headers:
        """The headers."""
        return Headers(self.scope["headers"])

    @property
    def query_params(self) -> QueryParams:
        """The query."""
        return QueryParams(self.scope["query_string"])

    @property
    def path_params(self) -> dict[str, Any]:
        """What the parameters of the path take, as texts."""
        params: dict[str, Any] = self.scope.get("path_params", {})
        return params

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies; of several of one name the last."""
        found = {}
        for line in self.headers.getlist("cookie"):
            for pair in line.split(";"):
                name, is_pair, value = pair.partition("=")
                if not is_pair:
                    name, value = "", name
                if name.strip() or value.strip():
                    found[name.strip()] = unquote(value.strip())
        return found

    @property
    def client(self) -> tuple[str, int] | None:
        """Address and port of the client, as far as the server knows them."""
        client: tuple[str, int] | None = self.scope.get("client")
        return client

    @property
    def state(self) -> State:
        """What the lifespan and middleware have put here: attributes of this request's own."""
        state = self.scope.setdefault("state", {})
        found = State()
        found.__dict__ = state
        return found

    @property
    def url(self) -> str:
        """The URL that was asked for, as far as the server can tell."""
        scheme = self.scope.get("scheme", "http")
        host = self.headers.get("host") or "%s:%s" % (self.scope.get("server") or ("localhost", 0))
        raw_path: bytes | None = self.scope.get("raw_path")
        path = raw_path.decode("latin-1") if raw_path else self.scope["path"]
        query = self.scope["query_string"].decode("latin-1")
        return f"{scheme}://{host}{path}" + (f"?{query}" if query else "")


class Request(HTTPConnection):
    """A request over HTTP."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        super().__init__(scope)
        self._receive = receive
        self._body: bytes | None = None
        self._is_read = False
        self._is_disconnected = False

    @property
    def method(self) -> str:
        """The method, in capitals."""
        method: str = self.scope["method"]
        return method

    async def stream(self) -> AsyncIterator[bytes]:
        """Read the body piece by piece; raises ClientDisconnected if the client leaves."""
        if self._body is not None:
            yield self._body
            return
        if self._is_read:
            raise RuntimeError("the body of this request was read before, as a stream")
        self._is_read = True
        more = True
        while more:
            event = await self._receive()
            if event["type"] == "http.disconnect":
                self._is_disconnected = True
                raise ClientDisconnected("the client left before its request was complete")
            more = event.get("more_body", False)
            if event.get("body"):
                yield event["body"]

    async def body(self) -> bytes:
        """Read the whole body; the next call returns the same."""
        if self._body is None:
            self._body = b"".join([piece async for piece in self.stream()])
        return self._body

    async def json(self) -> Any:
        """Read the body as JSON; raises ValueError if it is none."""
        return json.loads(await self.body())

    async def is_disconnected(self) -> bool:
        """Wait until the client has gone, if the body was read; else say whether that was seen."""
        if not self._is_disconnected and (self._is_read or self._body is not None):
            event = await self._receive()
            self._is_disconnected = event["type"] == "http.disconnect"
        return self._is_disconnected
