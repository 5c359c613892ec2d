"""hoopsnake: async Python for the web, on a Rust engine."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hoopsnake._client._asgi_transport import ASGITransport
    from hoopsnake._client._attempts import Attempt
    from hoopsnake._client._auth import Auth, BasicAuth, BearerAuth, DigestAuth, NetRCAuth
    from hoopsnake._client._client import Client, PoolStats
    from hoopsnake._client._cookies import Cookies
    from hoopsnake._client._errors import (
        ClientClosed,
        ConnectError,
        ConnectTimeout,
        CookieConflict,
        DecodingError,
        HTTPError,
        HTTPStatusError,
        InvalidURL,
        LocalProtocolError,
        NetworkError,
        PoolTimeout,
        ProtocolError,
        ProxyError,
        ReadError,
        ReadTimeout,
        RemoteProtocolError,
        RequestError,
        ResponseNotRead,
        ResponseTooLarge,
        StreamClosed,
        StreamConsumed,
        StreamError,
        TimeoutException,
        TooManyRedirects,
        TotalTimeout,
        TransportError,
        UnsupportedProtocol,
        WriteError,
        WriteTimeout,
    )
    from hoopsnake._client._events import EventSource, EventStreamError, ServerSentEvent
    from hoopsnake._client._httpx_transport import HTTPTransport
    from hoopsnake._client._limit_errors import CircuitOpen, QueueFull, RateLimited
    from hoopsnake._client._policy_options import PolicyOptions
    from hoopsnake._client._proxy import Proxy
    from hoopsnake._client._request import Request
    from hoopsnake._client._retries import Retries
    from hoopsnake._client._settings import Limits, Timeout
    from hoopsnake._client._transports import MockTransport, Transport
    from hoopsnake._client._websocket import Deflate, connect_websocket
    from hoopsnake._client._websocket_errors import (
        ConnectionClosed,
        ConnectionClosedError,
        ConnectionClosedOK,
        HandshakeRefused,
        WebSocketError,
    )
    from hoopsnake._errors import ClientDisconnected, LifespanError, ListenError, ServerError
    from hoopsnake._event_loop import EventLoop, new_event_loop, run
    from hoopsnake._gather import Outcome, Results, as_completed, gather, map_concurrent
    from hoopsnake._loop_stats import DelayHistogram, LoopStats
    from hoopsnake._native import URL, ClientWebSocket, Headers, Response, __version__
    from hoopsnake._policy import install
    from hoopsnake._request_id import request_id
    from hoopsnake._server import serve
    from hoopsnake._server_config import ServerConfig
    from hoopsnake._server_limits import ServerLimits
else:
    # A name is loaded with its module when it is first asked for (PEP 562): who wants the loop
    # alone waits for no server, and the command has its say before asyncio is there (ADR 0034).
    _HOMES = {
        "Attempt": "_client._attempts",
        "CircuitOpen": "_client._limit_errors",
        "ASGITransport": "_client._asgi_transport",
        "Auth": "_client._auth",
        "BasicAuth": "_client._auth",
        "BearerAuth": "_client._auth",
        "Client": "_client._client",
        "ClientClosed": "_client._errors",
        "ClientDisconnected": "_errors",
        "ClientWebSocket": "_native",
        "ConnectError": "_client._errors",
        "ConnectTimeout": "_client._errors",
        "ConnectionClosed": "_client._websocket_errors",
        "ConnectionClosedError": "_client._websocket_errors",
        "ConnectionClosedOK": "_client._websocket_errors",
        "CookieConflict": "_client._errors",
        "Cookies": "_client._cookies",
        "DecodingError": "_client._errors",
        "Deflate": "_client._websocket",
        "DelayHistogram": "_loop_stats",
        "DigestAuth": "_client._auth",
        "EventLoop": "_event_loop",
        "EventSource": "_client._events",
        "EventStreamError": "_client._events",
        "HTTPError": "_client._errors",
        "HTTPStatusError": "_client._errors",
        "HTTPTransport": "_client._httpx_transport",
        "HandshakeRefused": "_client._websocket_errors",
        "Headers": "_native",
        "InvalidURL": "_client._errors",
        "LifespanError": "_errors",
        "Limits": "_client._settings",
        "ListenError": "_errors",
        "LocalProtocolError": "_client._errors",
        "LoopStats": "_loop_stats",
        "MockTransport": "_client._transports",
        "NetRCAuth": "_client._auth",
        "NetworkError": "_client._errors",
        "Outcome": "_gather",
        "PolicyOptions": "_client._policy_options",
        "PoolStats": "_client._client",
        "PoolTimeout": "_client._errors",
        "ProtocolError": "_client._errors",
        "Proxy": "_client._proxy",
        "ProxyError": "_client._errors",
        "QueueFull": "_client._limit_errors",
        "RateLimited": "_client._limit_errors",
        "ReadError": "_client._errors",
        "ReadTimeout": "_client._errors",
        "RemoteProtocolError": "_client._errors",
        "Request": "_client._request",
        "RequestError": "_client._errors",
        "Response": "_native",
        "ResponseNotRead": "_client._errors",
        "ResponseTooLarge": "_client._errors",
        "Results": "_gather",
        "Retries": "_client._retries",
        "ServerConfig": "_server_config",
        "ServerError": "_errors",
        "ServerLimits": "_server_limits",
        "ServerSentEvent": "_client._events",
        "StreamClosed": "_client._errors",
        "StreamConsumed": "_client._errors",
        "StreamError": "_client._errors",
        "Timeout": "_client._settings",
        "TimeoutException": "_client._errors",
        "TooManyRedirects": "_client._errors",
        "TotalTimeout": "_client._errors",
        "Transport": "_client._transports",
        "TransportError": "_client._errors",
        "URL": "_native",
        "UnsupportedProtocol": "_client._errors",
        "WebSocketError": "_client._websocket_errors",
        "WriteError": "_client._errors",
        "WriteTimeout": "_client._errors",
        "__version__": "_native",
        "as_completed": "_gather",
        "connect_websocket": "_client._websocket",
        "gather": "_gather",
        "install": "_policy",
        "map_concurrent": "_gather",
        "new_event_loop": "_event_loop",
        "request_id": "_request_id",
        "run": "_event_loop",
        "serve": "_server",
    }

    def __getattr__(name):
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
        return value

    def __dir__():
        return sorted({*globals(), *__all__})


__all__ = [
    "URL",
    "ASGITransport",
    "Attempt",
    "Auth",
    "BasicAuth",
    "BearerAuth",
    "CircuitOpen",
    "Client",
    "ClientClosed",
    "ClientDisconnected",
    "ClientWebSocket",
    "ConnectError",
    "ConnectTimeout",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
    "CookieConflict",
    "Cookies",
    "DecodingError",
    "Deflate",
    "DelayHistogram",
    "DigestAuth",
    "EventLoop",
    "EventSource",
    "EventStreamError",
    "HTTPError",
    "HTTPStatusError",
    "HTTPTransport",
    "HandshakeRefused",
    "Headers",
    "InvalidURL",
    "LifespanError",
    "Limits",
    "ListenError",
    "LocalProtocolError",
    "LoopStats",
    "MockTransport",
    "NetRCAuth",
    "NetworkError",
    "Outcome",
    "PolicyOptions",
    "PoolStats",
    "PoolTimeout",
    "ProtocolError",
    "Proxy",
    "ProxyError",
    "QueueFull",
    "RateLimited",
    "ReadError",
    "ReadTimeout",
    "RemoteProtocolError",
    "Request",
    "RequestError",
    "Response",
    "ResponseNotRead",
    "ResponseTooLarge",
    "Results",
    "Retries",
    "ServerConfig",
    "ServerError",
    "ServerLimits",
    "ServerSentEvent",
    "StreamClosed",
    "StreamConsumed",
    "StreamError",
    "Timeout",
    "TimeoutException",
    "TooManyRedirects",
    "TotalTimeout",
    "Transport",
    "TransportError",
    "UnsupportedProtocol",
    "WebSocketError",
    "WriteError",
    "WriteTimeout",
    "__version__",
    "as_completed",
    "connect_websocket",
    "gather",
    "install",
    "map_concurrent",
    "new_event_loop",
    "request_id",
    "run",
    "serve",
]
