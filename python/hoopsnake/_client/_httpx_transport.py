"""hoopsnake's connections under a client of httpx2 or httpx, neither of which is needed for it."""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import AsyncIterator
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from hoopsnake._client._client import Client, PoolStats
from hoopsnake._client._errors import (
    ConnectError,
    ConnectTimeout,
    HTTPError,
    InvalidURL,
    TotalTimeout,
)
from hoopsnake._client._proxy import Proxy
from hoopsnake._client._request import sni_hostname
from hoopsnake._client._settings import Limits

if TYPE_CHECKING:
    from hoopsnake._native import Response

    # A type checker takes it for the transport of whichever package asks for one.
    Base: Any = object
else:
    Base = object

# Both are spoken: what they ask of a transport is the same.
MODULES = ("httpx2", "httpx")
# httpx tells a limit for all of a request apart by what it was doing, which our errors know.
BY_PHASE = {
    "pool": "PoolTimeout",
    "connect": "ConnectTimeout",
    "tls": "ConnectTimeout",
    "write": "WriteTimeout",
}
# Seconds before the second attempt to connect; each further one waits twice as long.
FIRST_PAUSE = 0.5
NO_LIMIT = 2**31


class HTTPTransport(Base):  # type: ignore[misc]
    """Carries the requests of `httpx2.AsyncClient` and `httpx.AsyncClient`.

    `httpx2.AsyncClient(transport=hoopsnake.HTTPTransport())` keeps all that httpx does with
    requests and responses (cookies, redirects, authentication, decoding), and its exceptions.
    Connections, pool and protocols are hoopsnake's, on hoopsnake's event loop.
    """

    def __init__(
        self,
        *,
        verify: Any = True,
        cert: str | tuple[str, str] | None = None,
        http1: bool = True,
        http2: bool = False,
        limits: Any = None,
        uds: str | os.PathLike[str] | None = None,
        proxy: Any = None,
        retries: int = 0,
        total_timeout: float | None = None,
    ) -> None:
        """Take what httpx's own transport takes.

        Parameters: `verify`, `cert`, `http1`, `uds` as for `Client`; `http2`, off as in httpx;
        `limits`, a `Limits` of ours or of httpx's; `proxy`, a URL or a `Proxy` of ours or of
        httpx's; `retries`, how often a connection that could
        not be made is tried again; `total_timeout`, the seconds that a request may take from its
        beginning to its response's end, which httpx has no limit for. Raises ValueError for
        settings that cannot be meant.
        """
        # httpx reads the environment itself, and only for transports of its own.
        self._client = Client(
            verify=verify,
            cert=cert,
            http1=http1,
            http2=http2,
            limits=as_limits(limits),
            uds=uds,
            proxy=as_proxy(proxy),
            trust_env=False,
        )
        self._engine = self._client._core
        self._retries = retries
        self._total = total_timeout

    async def handle_async_request(self, request: Any) -> Any:
        """Send a request of httpx's, and return a response of httpx's, its body to be read.

        Raises httpx's own exceptions.
        """
        family = FAMILIES.get(type(request)) or family_of(request)
        try:
            response = await self._send(request, family)
        except (HTTPError, InvalidURL) as error:
            raise family.translated(error, request) from error
        stream = family.stream(response, request)
        answer = family.response(
            response.status_code,
            headers=response.headers.raw,
            stream=stream,
            extensions=response.extensions,
        )
        stream.extensions = answer.extensions
        return answer

    async def _send(self, request: Any, family: Family) -> Response:
        content, length = body_of(request, family)
        given = request.extensions.get("timeout") or {}
        connect = given.get("connect")
        limits = (
            connect,
            connect,
            given.get("pool"),
            given.get("read"),
            given.get("write"),
            self._total,
        )
        pause, left = 0.0, self._retries
        while True:
            try:
                response: Response = await self._engine.send(
                    request,
                    request.method,
                    str(request.url),
                    request.headers.raw,
                    content,
                    length,
                    limits,
                    False,
                    sni_hostname(request.extensions),
                )
                return response
            except (ConnectError, ConnectTimeout):
                if left <= 0:
                    raise
            left -= 1
            await asyncio.sleep(pause)
            pause = pause * 2 or FIRST_PAUSE

    def stats(self) -> PoolStats:
        """Tell how the transport's pool is doing, as `Client.stats()` does."""
        return self._client.stats()

    async def aclose(self) -> None:
        """Close all connections that nobody uses; those at work close as they end."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self._client.aclose()


class Family:
    """One of the packages, and what a transport has to know of it."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.response = module.Response
        self.stream: Any = stream_class(self)

    def translated(self, error: Exception, request: Any) -> Exception:
        """Make the package's own exception of ours."""
        name = type(error).__name__
        if isinstance(error, TotalTimeout):
            name = BY_PHASE.get(error.phase or "", "ReadTimeout")
        if isinstance(error, InvalidURL):
            # httpx has read the URL; what is left to be wrong is that it names no server.
            name = "UnsupportedProtocol"
        for each in (name, *(kind.__name__ for kind in type(error).__mro__[1:])):
            kind = getattr(self.module, each, None)
            if kind is not None and issubclass(kind, self.module.RequestError):
                translated: Exception = kind(str(error), request=request)
                return translated
        return error


FAMILIES: dict[type, Family] = {}
_BY_NAME: dict[str, Family] = {}


def family_of(request: Any) -> Family:
    """Find the package that a request's class comes from, or a base of its class."""
    for kind in type(request).__mro__:
        name = kind.__module__.partition(".")[0]
        if name in MODULES:
            family = _BY_NAME.get(name)
            if family is None:
                family = _BY_NAME[name] = Family(importlib.import_module(name))
            FAMILIES[type(request)] = family
            return family
    raise TypeError(f"HTTPTransport carries requests of httpx2 and httpx, not {type(request)}")


def stream_class(family: Family) -> Any:
    """Make the class of bodies, whose base is the package's own: its client looks at that."""

    class ResponseStream(family.module.AsyncByteStream):  # type: ignore[misc, name-defined]
        """A body as it comes over the wire; the package unpacks it."""

        __slots__ = ("_request", "_response", "extensions")

        def __init__(self, response: Response, request: Any) -> None:
            self._response = response
            self._request = request
            # Of the package's response, which keeps its own.
            self.extensions: dict[str, Any] = {}

        async def __aiter__(self) -> AsyncIterator[bytes]:
            response = self._response
            try:
                while (piece := await response._chunk(True)) is not None:
                    yield piece
            except HTTPError as error:
                raise family.translated(error, self._request) from error
            if trailers := response.trailers.raw:
                self.extensions["trailers"] = trailers

        async def aclose(self) -> None:
            self._response._close()

    return ResponseStream


def body_of(request: Any, family: Family) -> tuple[Any, int | None]:
    """Tell a request's body: its bytes, or what makes them and how many they will be."""
    try:
        return request.content or None, None
    except family.module.RequestNotRead:
        length = request.headers.get("content-length")
        return request.stream, None if length is None else int(length)


def as_proxy(given: Any) -> Proxy | str | None:
    """Read a proxy of ours, or of httpx's."""
    if given is None or isinstance(given, str | Proxy):
        return given
    # A URL of httpx's has no headers, and its own name and password in it.
    auth = getattr(given, "auth", None)
    return Proxy(
        str(getattr(given, "url", given)), auth=auth, headers=getattr(given, "headers", None)
    )


def as_limits(given: Any) -> Limits:
    """Read limits of a pool, ours or httpx's, where None is without limit."""
    if given is None or isinstance(given, Limits):
        return given or Limits()
    kept, expiry = given.max_keepalive_connections, given.keepalive_expiry
    return Limits(
        max_connections=given.max_connections or NO_LIMIT,
        max_keepalive_connections=NO_LIMIT if kept is None else kept,
        keepalive_expiry=NO_LIMIT if expiry is None else expiry,
    )
