"""A request as a handler may look at it: nothing is read of it before it is asked for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from hoopsnake._errors import ClientDisconnected
from hoopsnake._native import cookies
from hoopsnake.web._forms import FormData, FormLimits, FormReading, merged_limits, read_form
from hoopsnake.web._headers import Headers

if TYPE_CHECKING:
    from hoopsnake._native import Arrival, FormReader
    from hoopsnake.web._app import App

__all__ = ["HTTPConnection", "QueryParams", "Request", "State"]

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class State:
    """Attributes of one's own; also by `[]`, as a TypedDict names them."""

    _content: dict[str, Any]

    def __init__(self, content: dict[str, Any] | None = None) -> None:
        # Past our own __setattr__, which would put it into itself.
        object.__setattr__(self, "_content", {} if content is None else content)

    def __getattr__(self, name: str) -> Any:
        try:
            return self._content[name]
        except KeyError:
            raise AttributeError(f"the state has no {name!r}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self._content[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self._content[name]
        except KeyError:
            raise AttributeError(f"the state has no {name!r}") from None

    def __getitem__(self, name: str) -> Any:
        return self._content[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._content[name] = value

    def __contains__(self, name: object) -> bool:
        return name in self._content

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)

    def __repr__(self) -> str:
        return f"State({self._content!r})"


class QueryParams(Mapping[str, str]):
    """The query; of several values of one name a mapping shows the last."""

    __slots__ = ("_last", "_pairs")

    def __init__(self, query: bytes) -> None:
        self._pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        self._last = dict(self._pairs)

    def __getitem__(self, name: str) -> str:
        return self._last[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._last)

    def __len__(self) -> int:
        return len(self._last)

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
        found: dict[str, str] = {}
        for line in self.headers.getlist("cookie"):
            found |= cookies(line)
        return found

    @property
    def client(self) -> tuple[str, int] | None:
        """Address and port of the client, as far as the server knows them."""
        client: tuple[str, int] | None = self.scope.get("client")
        return client

    @property
    def state(self) -> State:
        """What the lifespan and middleware have put here: attributes of this request's own."""
        return State(self.scope.setdefault("state", {}))

    @property
    def session(self) -> dict[str, Any]:
        """The session of the client, which SessionMiddleware keeps; raises KeyError without it."""
        session: dict[str, Any] = self.scope["session"]
        mark = getattr(session, "mark_accessed", None)
        if mark is not None:
            mark()
        return session

    def url_path_for(self, name: str, /, **parameters: Any) -> str:
        """Return the path of a route of this application, below its prefix.

        Raises NoMatchFound.
        """
        root: str = self.scope.get("root_path", "")
        return root + self.app.url_path_for(name, **parameters)

    def url_for(self, name: str, /, **parameters: Any) -> str:
        """Return the URL of a route, with the host that the client has asked for.

        That is what the client says it is, unless TrustedHostMiddleware knows better.
        """
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}{self.url_path_for(name, **parameters)}"

    @property
    def url(self) -> str:
        """The URL that was asked for, as far as the server can tell."""
        scheme = self.scope.get("scheme", "http")
        host = self.headers.get("host") or "%s:%s" % (self.scope.get("server") or ("localhost", 0))
        raw_path: bytes | None = self.scope.get("raw_path")
        path = raw_path.decode("latin-1") if raw_path else self.scope["path"]
        root: str = self.scope.get("root_path", "")
        if root and not (path == root or path.startswith(f"{root}/")):
            # As it was received, from a proxy that has taken the root path off.
            path = root + path
        query = self.scope["query_string"].decode("latin-1")
        return f"{scheme}://{host}{path}" + (f"?{query}" if query else "")


class Request(HTTPConnection):
    """A request over HTTP."""

    def __init__(self, scope: Scope, receive: Receive, body: bytes | None = None) -> None:
        super().__init__(scope)
        self._receive = receive
        self._body = body
        self._form: FormData | None = None
        self._is_read = False
        self._is_disconnected = False
        self._is_receiving = False
        self._arrival: Arrival | None = None
        """What the engine has of it, where nothing stands between: it may read the body itself."""
        self._when_received: Callable[[], None] | None = None

    @property
    def method(self) -> str:
        """The method, in capitals."""
        method: str = self.scope["method"]
        return method

    def limit_body(self, most: int) -> None:
        """Raise HTTPException (413) where more than so many bytes of the body are read."""
        from hoopsnake.web._body_limit import limited

        self._receive = limited(self._receive, most)
        self._arrival = None

    async def _next(self) -> dict[str, Any]:
        self._is_receiving = True
        try:
            return await self._receive()
        finally:
            self._is_receiving = False
            if self._when_received is not None:
                self._when_received()

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Read the body piece by piece; raises ClientDisconnected if the client leaves."""
        if self._body is not None:
            yield self._body
            return
        if self._is_read:
            raise RuntimeError("the body of this request was read before, as a stream")
        self._is_read = True
        more = True
        while more:
            event = await self._next()
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
        try:
            return json.loads(await self.body())
        except RecursionError:
            raise ValueError("the body is JSON that is nested too deeply") from None

    def form(
        self,
        *,
        max_fields: int | None = None,
        max_files: int | None = None,
        max_part_size: int | None = None,
    ) -> FormReading:
        """Read the body as a form: `await` it, or use it with `async with`, which closes its files.

        The next call returns the same form. Its files are closed after the response in any case.
        Limits that are not given are the application's. Raises HTTPException, 400 for a form that
        is broken and 413 for one that has more than it may; a body of another type has no fields.
        """
        given = {"max_fields": max_fields, "max_files": max_files, "max_part_size": max_part_size}
        return FormReading(self._read_form(given))

    async def _read_form(self, given: dict[str, int | None]) -> FormData:
        if self._form is None:
            limits = {name: limit for name, limit in given.items() if limit is not None}
            of_app: FormLimits | None = getattr(self.scope.get("app"), "form_limits", None)
            content_type = self.headers.get("content-type", "")
            merged = merged_limits(of_app, limits)
            is_untouched = self._body is None and not self._is_read
            ahead = self._read_ahead if self._arrival is not None and is_untouched else None
            async with aclosing(self.stream()) as chunks:
                self._form = await read_form(content_type, chunks, merged, ahead)
        return self._form

    def _read_ahead(self, reader: FormReader) -> bool:
        """Have the engine read into a form what has come of the body; whether that was all."""
        assert self._arrival is not None
        self._is_read = True
        is_whole = self._arrival.read_form(reader)
        self._is_read = is_whole
        return is_whole

    async def close(self) -> None:
        """Close the files of its form, if that was read."""
        if self._form is not None:
            await self._form.close()

    async def __aenter__(self) -> Request:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *details: object) -> None:
        """Close its files if there is an error; else background tasks may still want them."""
        if kind is not None:
            await self.close()

    async def is_disconnected(self) -> bool:
        """Say whether the client has gone, without waiting for that.

        Before the body is read, only whether that was seen: what comes next is the body.
        """
        if not self._is_disconnected and (self._is_read or self._body is not None):
            event = await _at_once(self._next())
            self._is_disconnected = event is not None and event["type"] == "http.disconnect"
        return self._is_disconnected


async def _at_once(event: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any] | None:
    """Return an event that is there; None where it would have to be waited for."""
    receiving = asyncio.ensure_future(event)
    await asyncio.sleep(0)
    if not receiving.done():
        receiving.cancel()
        await asyncio.wait([receiving])
    return None if receiving.cancelled() else receiving.result()
