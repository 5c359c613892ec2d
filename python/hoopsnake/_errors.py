"""The exceptions that hoopsnake raises, beside those of asyncio's."""

from __future__ import annotations


class ServerError(Exception):
    """The server cannot do what it was asked to; the message says why and what to do.

    Raised by `serve` and `ServerConfig`; the base of `ListenError` and `LifespanError`.
    """


class ListenError(ServerError):
    """The server cannot listen where it should: the port is taken, the path forbidden."""


class LifespanError(ServerError):
    """The application's lifespan failed, so it must not be served (ASGI lifespan spec)."""


class ClientDisconnected(ConnectionError):
    """`send()` was called for a client that has gone (ASGI HTTP spec 2.4, "Disconnected Client").

    Raised inside applications. One that lets it pass is not reported as a failure.
    """
