"""`hoopsnake.Client`: requests, from the loop's own thread."""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import Callable, Coroutine, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self, TypedDict, Unpack

from hoopsnake._client import _auth, _proxy, _tls
from hoopsnake._client._auth import AuthTypes
from hoopsnake._client._cookies import Cookies, CookieTypes, attach, checked
from hoopsnake._client._errors import UnsupportedProtocol
from hoopsnake._client._hops import Hook, Journey, hooks_of
from hoopsnake._client._multipart import Files
from hoopsnake._client._policy_options import PolicyOptions, policies_of
from hoopsnake._client._proxy import ProxyTypes
from hoopsnake._client._request import (
    ContentTypes,
    HeaderTypes,
    ParamTypes,
    Request,
    query,
    sni_hostname,
    with_params,
)
from hoopsnake._client._settings import Limits, Timeout, TimeoutTuple, as_timeout, for_engine
from hoopsnake._client._streams import Streaming
from hoopsnake._client._transports import Transport, carry, may_connect
from hoopsnake._native import URL, Call, ClientCore, Headers, Response, __version__

if TYPE_CHECKING:
    from hoopsnake._client._events import EventSource
    from hoopsnake._client._websocket import Deflate
    from hoopsnake._native import ClientWebSocket


class _ClientsOwn:
    """What stands for a client's own setting where a request has none."""

    def __repr__(self) -> str:
        return "the client's own"


CLIENTS_OWN: Final = _ClientsOwn()
EventHooks = Mapping[str, Sequence[Hook]]
TimeoutTypes = Timeout | float | None

DEFAULT_HEADERS = {
    "accept": "*/*",
    "accept-encoding": "gzip, deflate, br, zstd",
    "user-agent": f"hoopsnake/{__version__}",
}


class BodylessOptions(TypedDict, total=False):
    """What a request may have of its own."""

    params: ParamTypes | None
    headers: HeaderTypes | None
    cookies: CookieTypes | None
    auth: AuthTypes | _ClientsOwn | None
    follow_redirects: bool | None
    timeout: TimeoutTypes | _ClientsOwn
    extensions: dict[str, Any] | None


class RequestOptions(BodylessOptions, total=False):
    """The same, and a body."""

    content: ContentTypes | None
    data: Mapping[str, Any] | None
    files: Files | None
    json: Any


class PoolStats(NamedTuple):
    """Counters of a client's connections.

    `opened` were made; `reused` is how often a request got one that had served before; `open` are
    there, `idle` of them unused; `streams` are requests on shared connections; `waiting` are
    requests that wait for one.
    """

    opened: int
    reused: int
    open: int
    idle: int
    streams: int
    waiting: int


class Client:
    """An HTTP client for coroutines on hoopsnake's event loop: HTTP/1.1 and HTTP/2, pooled.

    A client serves any number of tasks at once. Make one for a program, not one for a request, and
    close it at the end: `async with hoopsnake.Client() as client`. A task that is cancelled gives
    its connection back at once.
    """

    def __init__(
        self,
        *,
        base_url: URL | str = "",
        headers: HeaderTypes | None = None,
        params: ParamTypes | None = None,
        cookies: CookieTypes | None = None,
        auth: AuthTypes | None = None,
        timeout: TimeoutTypes = 5.0,
        follow_redirects: bool = False,
        max_redirects: int = 20,
        event_hooks: EventHooks | None = None,
        http1: bool = True,
        http2: bool = True,
        verify: bool | str | os.PathLike[str] | ssl.SSLContext = True,
        cert: str | tuple[str, str] | None = None,
        uds: str | os.PathLike[str] | None = None,
        proxy: ProxyTypes | None = None,
        proxies: Mapping[str, ProxyTypes | None] | None = None,
        trust_env: bool = True,
        limits: Limits | None = None,
        max_content: int = 1024 * 1024 * 1024,
        transport: Transport | None = None,
        **policies: Unpack[PolicyOptions],
    ) -> None:
        """Make a client; connections are made as they are needed.

        Parameters: `base_url` is put in front of URLs without a scheme; `headers`, `params` and
        `auth` go with every request (`auth` is a pair of user and password, a bearer token, an
        `Auth`, or a function that changes the request); `cookies` is what the jar begins with;
        `timeout` in seconds, or a `Timeout`; `event_hooks` has lists of functions under "request"
        and "response"; `verify` is False to trust anybody, a file of certificates to trust, or an
        `ssl.SSLContext`; `cert` is the client's own certificate, with its key in the same file or
        as a pair of files; `uds` is a Unix socket for all connections; `proxy` is what all requests
        go through, and `proxies` has others, or None, by patterns like "https://*.example.com";
        with `trust_env` the environment's proxies and NETRC count where nothing else is said;
        `max_content` bytes are the most that is read into memory of one response; `transport`
        answers requests instead of connections (`MockTransport`, `ASGITransport`); `retries` and
        more are `PolicyOptions`. Raises ValueError for what cannot be meant, and InvalidURL.
        """
        self._timeout = as_timeout(timeout)
        self._headers = Headers(DEFAULT_HEADERS)
        self._headers.update(headers or {})
        self._params, self._cookies = params, Cookies(cookies)
        self._auth = _auth.as_auth(auth)
        self._logins = _auth.of_environment() if trust_env and may_connect(transport) else None
        self._follow, self._max_redirects = follow_redirects, max_redirects
        self._on_request, self._on_response = hooks_of(event_hooks or {})
        settings = for_engine(
            base_url=str(base_url),
            timeout=self._timeout,
            limits=limits or Limits(),
            max_content=max_content,
            http1=http1,
            http2=http2,
            trust=_tls.as_trust(verify),
            cert=cert,
            unix_socket=uds,
            heeds_deadlines=policies.get("heed_deadline", True),
            proxies=_proxy.for_engine(proxy, proxies, uds, trust_env),
        )
        self._core = ClientCore(settings, self._headers, self._cookies._jar)
        self._policies = policies_of(policies, self._timeout._for_engine())
        self._transport = transport
        hooked = self._on_request or self._on_response or self._policies or transport is not None
        hooked = hooked or self._has_own_ways()
        self._is_plain = not (params or auth or self._logins or follow_redirects or hooked)
        self._plain = self._core.plain

    def _has_own_ways(self) -> bool:
        """Tell whether this is of a class that makes or sends requests in another way."""
        ways = ("build_request", "send", "request")
        return any(getattr(type(self), way) is not getattr(Client, way) for way in ways)

    @property
    def headers(self) -> Headers:
        """What goes with every request. A change is for those that are sent from then on."""
        return self._headers

    @headers.setter
    def headers(self, headers: HeaderTypes) -> None:
        given = Headers(DEFAULT_HEADERS)
        given.update(headers)
        for name in list(self._headers):
            del self._headers[name]
        self._headers.update(given)

    @property
    def cookies(self) -> Cookies:
        """The client's cookies: those it was given, and those that servers have set."""
        return self._cookies

    @cookies.setter
    def cookies(self, cookies: CookieTypes) -> None:
        given = Cookies(cookies)
        self._cookies.clear()
        self._cookies.update(given)

    @property
    def is_closed(self) -> bool:
        """Whether `aclose()` was called."""
        return self._core.is_closed

    def stats(self) -> PoolStats:
        """Tell how the client's pool is doing."""
        return PoolStats(*self._core.counters())

    def build_request(
        self,
        method: str,
        url: URL | str,
        *,
        content: ContentTypes | None = None,
        data: Mapping[str, Any] | None = None,
        files: Files | None = None,
        json: Any = None,
        params: ParamTypes | None = None,
        headers: HeaderTypes | None = None,
        cookies: CookieTypes | None = None,
        extensions: dict[str, Any] | None = None,
    ) -> Request:
        """Make a request with all that the client adds to it, to be sent by `send()`."""
        address = str(url)
        for more in (self._params, params):
            address = with_params(address, more if isinstance(more, str) else query(more or ()))
        merged = self._headers.copy()
        if headers is not None:
            merged.update(headers)
        request = Request(
            method,
            self._core.url(address),
            merged,
            content=content,
            data=data,
            files=files,
            json=json,
            extensions=extensions,
        )
        request._cookies = checked(cookies, request.url)
        attach(self._cookies, request)
        return request

    async def send(
        self,
        request: Request,
        *,
        stream: bool = False,
        auth: AuthTypes | _ClientsOwn | None = CLIENTS_OWN,
        follow_redirects: bool | None = None,
        timeout: TimeoutTypes | _ClientsOwn = CLIENTS_OWN,
    ) -> Response:
        """Send a request. With `stream`, the response's body is still to be read or closed.

        Raises a subclass of RequestError if no response comes.
        """
        given = self._auth if isinstance(auth, _ClientsOwn) else _auth.as_auth(auth)
        chosen = _auth.for_request(given, request, self._logins)
        follow = self._follow if follow_redirects is None else follow_redirects
        limits = None if isinstance(timeout, _ClientsOwn) else as_timeout(timeout)._for_engine()
        journey = Journey(self, limits, stream=stream)
        return await journey.follow(request, chosen, self._max_redirects if follow else None)

    async def _exchange_by_policy(
        self,
        request: Request,
        limits: TimeoutTuple | None,
        *,
        stream: bool,
        waited: Callable[[float], None],
    ) -> Response:
        """Send a request as often and as late as the client's policies have it.

        `waited` is told of a wait that is no part of the time that the request may take.
        """
        if self._policies is None:
            return await self._exchange(request, limits, stream=stream)
        return await self._policies.exchange(
            request,
            limits,
            stream=stream,
            carrier=self._exchange,
            cookies=self._cookies,
            waited=waited,
        )

    async def _exchange(
        self, request: Request, limits: TimeoutTuple | None, *, stream: bool
    ) -> Response:
        """Send one request and get its response, whatever that says.

        Hooks, cookies, authentication, redirects and policies go around this; what carries a
        request is within.
        """
        if self._transport is None:
            return await self._by_connection(request, limits, stream=stream)

        def engine(request: Request) -> Coroutine[Any, Any, Response]:
            return self._by_connection(request, limits, stream=True)

        own = self._timeout._for_engine() if limits is None else limits
        return await carry(self._transport, request, engine, own, stream=stream)

    async def _by_connection(
        self, request: Request, limits: TimeoutTuple | None, *, stream: bool
    ) -> Response:
        """Send one request over the client's own connections."""
        response: Response = await self._core.send(
            request,
            request.method,
            request.url,
            request.headers,
            request.content,
            request.content_length,
            limits,
            not stream,
            sni_hostname(request.extensions),
        )
        return response

    async def request(
        self,
        method: str,
        url: URL | str,
        *,
        content: ContentTypes | None = None,
        data: Mapping[str, Any] | None = None,
        files: Files | None = None,
        json: Any = None,
        params: ParamTypes | None = None,
        headers: HeaderTypes | None = None,
        cookies: CookieTypes | None = None,
        auth: AuthTypes | _ClientsOwn | None = CLIENTS_OWN,
        follow_redirects: bool | None = None,
        timeout: TimeoutTypes | _ClientsOwn = CLIENTS_OWN,
        extensions: dict[str, Any] | None = None,
    ) -> Response:
        """Send a request and read its response.

        Parameters: see `Request` for `content`, `data`, `files` and `json`, and `Client` for the
        rest, which is for this request alone. Raises a subclass of RequestError if no response
        comes.
        """
        request = self.build_request(
            method,
            url,
            content=content,
            data=data,
            files=files,
            json=json,
            params=params,
            headers=headers,
            cookies=cookies,
            extensions=extensions,
        )
        return await self.send(
            request, auth=auth, follow_redirects=follow_redirects, timeout=timeout
        )

    def stream(
        self,
        method: str,
        url: URL | str,
        **options: Unpack[RequestOptions],
    ) -> contextlib.AbstractAsyncContextManager[Response]:
        """Send a request whose response is read as it comes: `async with client.stream(…) as got`.

        Parameters are those of `request()`. The response is closed at the end of the block.
        """
        return Streaming(self._opened, method, url, options)

    def _opened(
        self, method: str, url: URL | str, options: RequestOptions
    ) -> Coroutine[Any, Any, Response]:
        """Send a request, and leave the response's body to be read."""
        if (
            not options
            and self._is_plain
            and method in ("GET", "HEAD")
            and (call := self._plain(method, url, None, False)) is not None
        ):
            return call
        auth = options.pop("auth", CLIENTS_OWN)
        follow = options.pop("follow_redirects", None)
        timeout = options.pop("timeout", CLIENTS_OWN)
        request = self.build_request(method, url, **options)  # type: ignore[misc]
        return self.send(request, stream=True, auth=auth, follow_redirects=follow, timeout=timeout)

    def websocket(
        self,
        url: URL | str,
        *,
        subprotocols: Sequence[str] = (),
        headers: HeaderTypes | None = None,
        params: ParamTypes | None = None,
        cookies: CookieTypes | None = None,
        auth: AuthTypes | None = None,
        timeout: TimeoutTypes | None = None,
        extensions: dict[str, Any] | None = None,
        compression: bool | Deflate = True,
        max_message: int = 16 * 1024 * 1024,
        ping_interval: float | None = 20.0,
        ping_timeout: float | None = 20.0,
        close_timeout: float = 10.0,
    ) -> contextlib.AbstractAsyncContextManager[ClientWebSocket]:
        """Open a WebSocket on a connection of its own, for `async with … as socket`.

        Parameters: `url` is ws:// or wss:// (http:// and https:// mean the same); `subprotocols`
        are offered, the most wanted first; `headers`, `params`, `cookies`, `auth`, `timeout` and
        `extensions` are those of the handshake; `compression` offers permessage-deflate, on the
        terms of a `Deflate` if it is one; `max_message` bytes are the most that a message may
        have, uncompressed; a server that is silent for `ping_interval` seconds is sent a ping, and
        given up after `ping_timeout` more; `close_timeout` seconds are how long it may take to
        close.
        Raises HandshakeRefused, with the response, if the server does not open it, and subclasses
        of RequestError if no response comes; UnsupportedProtocol of a client with a `transport`.
        The end of the block closes it. The client's retries, rates, places and breakers hold for
        the handshake: a WebSocket that is open has no place.
        """
        from hoopsnake._client import _websocket

        if self._transport is not None:
            raise UnsupportedProtocol("a WebSocket needs a connection, which a transport is not")
        terms = _websocket.terms_of(
            subprotocols, compression, max_message, ping_interval, ping_timeout, close_timeout
        )
        address = _websocket.handshake_url(url)
        request = self.build_request(
            "GET",
            address,
            headers=headers,
            params=params,
            cookies=cookies,
            extensions=extensions,
        )
        return _websocket.opened(_websocket.Handshake(self, timeout, terms), request, auth)

    def events(
        self,
        url: URL | str,
        *,
        method: str = "GET",
        last_event_id: str = "",
        reconnect: bool | None = None,
        retry: float = 3.0,
        longest_pause: float = 60.0,
        max_attempts: int | None = 10,
        deadline: float | None = None,
        **options: Unpack[RequestOptions],
    ) -> EventSource:
        """Read server-sent events: `async with client.events(url) as events`, then `async for`.

        A stream that breaks off or ends is connected to again, behind the last event that has come.
        Parameters: `last_event_id` is where to begin; `reconnect` is True for a GET and False for
        other methods, if None; `retry` seconds are between two connections until the server says
        otherwise, twice as many after each failure, and not more than `longest_pause`;
        `max_attempts` connections in a row without an event are the end (None: there is none);
        `deadline` seconds are for all of it; the other options are those of `request()`, but for
        the time to read, which has no limit unless `timeout` is given.
        Raises EventStreamError for an answer of another type, HTTPStatusError for a status but 200
        and 204, which ends the iteration, and TotalTimeout at the deadline.
        """
        from hoopsnake._client._events import EventSource

        return EventSource(
            self,
            method,
            url,
            options,
            last_event_id=last_event_id,
            reconnect=method.upper() == "GET" if reconnect is None else reconnect,
            retry=retry,
            longest_pause=longest_pause,
            max_attempts=max_attempts,
            deadline=deadline,
        )

    def get(
        self, url: URL | str, **options: Unpack[BodylessOptions]
    ) -> Coroutine[Any, Any, Response]:
        """Send a GET request; see `request()` for the options."""
        if not options and self._is_plain and (call := self._plain("GET", url)) is not None:
            return call
        return self.request("GET", url, **options)

    def head(
        self, url: URL | str, **options: Unpack[BodylessOptions]
    ) -> Coroutine[Any, Any, Response]:
        """Send a HEAD request; see `request()` for the options."""
        if not options and self._is_plain and (call := self._plain("HEAD", url)) is not None:
            return call
        return self.request("HEAD", url, **options)

    def options(
        self, url: URL | str, **options: Unpack[BodylessOptions]
    ) -> Coroutine[Any, Any, Response]:
        """Send an OPTIONS request; see `request()` for the options."""
        return self.request("OPTIONS", url, **options)

    def delete(
        self, url: URL | str, **options: Unpack[BodylessOptions]
    ) -> Coroutine[Any, Any, Response]:
        """Send a DELETE request; see `request()` for the options."""
        return self.request("DELETE", url, **options)

    def post(
        self, url: URL | str, **options: Unpack[RequestOptions]
    ) -> Coroutine[Any, Any, Response]:
        """Send a POST request; see `request()` for the options."""
        if (call := self._with_bytes("POST", url, options)) is not None:
            return call
        return self.request("POST", url, **options)

    def put(
        self, url: URL | str, **options: Unpack[RequestOptions]
    ) -> Coroutine[Any, Any, Response]:
        """Send a PUT request; see `request()` for the options."""
        if (call := self._with_bytes("PUT", url, options)) is not None:
            return call
        return self.request("PUT", url, **options)

    def patch(
        self, url: URL | str, **options: Unpack[RequestOptions]
    ) -> Coroutine[Any, Any, Response]:
        """Send a PATCH request; see `request()` for the options."""
        return self.request("PATCH", url, **options)

    def _with_bytes(self, method: str, url: URL | str, options: RequestOptions) -> Call | None:
        """Send a request that has bytes for a body, and nothing else of its own, straight away."""
        content = options.get("content")
        if type(content) is bytes and len(options) == 1 and self._is_plain:
            return self._plain(method, url, content)
        return None

    async def aclose(self) -> None:
        """Close all connections that nobody uses; those at work close as they end."""
        self._core.close()
        if self._transport is not None:
            await self._transport.aclose()

    async def __aenter__(self) -> Self:
        if self._transport is not None:
            await self._transport.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._core.close()
        if self._transport is not None:
            await self._transport.__aexit__(kind, error, traceback)
