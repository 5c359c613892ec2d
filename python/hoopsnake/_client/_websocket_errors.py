"""What goes wrong with the client's WebSockets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from hoopsnake._client._errors import TransportError, shown

if TYPE_CHECKING:
    from hoopsnake._native import Response


class WebSocketError(TransportError):
    """A WebSocket could not be opened, or has ended."""


class HandshakeRefused(WebSocketError):
    """The server's answer to the handshake opens no WebSocket.

    It refuses, redirects, or does not keep to the rules; `response` is that answer, with up to 64
    KiB of its body.
    """

    response: Response


class ConnectionClosed(WebSocketError):
    """The WebSocket has ended.

    Attributes: `code` and `reason`, as RFC 6455 has them (1006 is an end without a close frame);
    `closed_by`, "server" if its close frame came first, "client" if `close()` was called or if the
    server broke the rules, "network" if the connection ended without a close frame.
    """

    code: int
    reason: str
    closed_by: Literal["server", "client", "network"]


class ConnectionClosedOK(ConnectionClosed):
    """It has ended in order: with code 1000 or 1001, or with none."""


class ConnectionClosedError(ConnectionClosed):
    """It has ended with an error: any other code, or without a close frame."""


def refused(reason: str, response: Response, elapsed: float) -> HandshakeRefused:
    """Make what is raised of a handshake that came to nothing."""
    request = response.request
    error = HandshakeRefused(f"WebSocket {shown(request)}: {reason} (after {elapsed:.3f} s)")
    error.request, error.response = request, response
    error.phase, error.elapsed = "read", elapsed
    return error


def closed(
    code: int,
    reason: str,
    closed_by: Literal["server", "client", "network"],
    is_in_order: bool,
    response: Response,
) -> ConnectionClosed:
    """Make what is raised of a WebSocket that has ended."""
    kind = ConnectionClosedOK if is_in_order else ConnectionClosedError
    said = f": {reason}" if reason else ""
    request = response.request
    error = kind(f"WebSocket {shown(request)}: closed by the {closed_by}, code {code}{said}")
    error.request, error.code, error.reason = request, code, reason
    error.closed_by = closed_by
    return error


# They are known, and shown in tracebacks, by where people find them.
for _class in (
    WebSocketError,
    HandshakeRefused,
    ConnectionClosed,
    ConnectionClosedOK,
    ConnectionClosedError,
):
    _class.__module__ = "hoopsnake"
