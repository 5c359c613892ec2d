"""`client.websocket()`: how a WebSocket is asked for, and closed at the end of its block."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from hoopsnake._client import _auth
from hoopsnake._client._hops import Journey
from hoopsnake._client._request import sni_hostname
from hoopsnake._client._settings import as_timeout
from hoopsnake._client._websocket_errors import HandshakeRefused
from hoopsnake._native import URL, ClientWebSocket, open_websocket

if TYPE_CHECKING:
    from hoopsnake._client._auth import AuthTypes
    from hoopsnake._client._client import Client, TimeoutTypes
    from hoopsnake._client._cookies import CookieTypes
    from hoopsnake._client._request import HeaderTypes, ParamTypes, Request
    from hoopsnake._client._settings import TimeoutTuple
    from hoopsnake._native import Response

# What a scheme of WebSockets is to the handshake, which is a request of HTTP.
SCHEMES = {"ws": "http", "wss": "https"}


@dataclasses.dataclass(frozen=True, slots=True)
class Deflate:
    """On what terms permessage-deflate (RFC 7692) is offered to a server.

    Parameters: `server_no_context_takeover` and `client_no_context_takeover`, whether each message
    is compressed for itself; `server_max_window_bits` and `client_max_window_bits`, from 8 to 15,
    the largest windows. Smaller ones compress less and take less memory.
    """

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int = 15
    client_max_window_bits: int = 15

    def __post_init__(self) -> None:
        for name in ("server_max_window_bits", "client_max_window_bits"):
            if not 8 <= getattr(self, name) <= 15:
                raise ValueError(f"{name} is from 8 to 15, not {getattr(self, name)!r}")


@dataclasses.dataclass(frozen=True, slots=True)
class Terms:
    """What the engine reads of how a WebSocket is to be."""

    subprotocols: list[str]
    compression: tuple[bool, bool, int, int] | None
    max_message: int
    ping_interval: float | None
    ping_timeout: float | None
    close_timeout: float


def terms_of(
    subprotocols: Sequence[str],
    compression: bool | Deflate,
    max_message: int,
    ping_interval: float | None,
    ping_timeout: float | None,
    close_timeout: float,
) -> Terms:
    """Check how a WebSocket is to be. Raises ValueError for what cannot be meant."""
    for protocol in subprotocols:
        # RFC 6455 section 4.1, 10: printable ASCII without separators.
        if not protocol.isascii() or not protocol.isprintable() or set(protocol) & set(' ",;()<>@'):
            raise ValueError(f"{protocol!r} is no name of a subprotocol")
    if isinstance(subprotocols, str) or len(set(subprotocols)) < len(subprotocols):
        raise ValueError("subprotocols are a list of different names")
    if max_message < 1:
        raise ValueError(f"max_message is at least 1, not {max_message!r}")
    for name, seconds in (("ping_interval", ping_interval), ("ping_timeout", ping_timeout)):
        if seconds is not None and not seconds > 0:
            raise ValueError(f"{name} is a number of seconds or None, not {seconds!r}")
    if not close_timeout >= 0:
        raise ValueError(f"close_timeout is a number of seconds, not {close_timeout!r}")
    offer = Deflate() if compression is True else compression or None
    return Terms(
        subprotocols=list(subprotocols),
        compression=None if offer is None else dataclasses.astuple(offer),
        max_message=max_message,
        ping_interval=ping_interval,
        ping_timeout=ping_timeout,
        close_timeout=close_timeout,
    )


def handshake_url(url: URL | str) -> str:
    """Write a ws:// or wss:// URL as that of the handshake, http:// or https://."""
    text = str(url)
    scheme, separator, rest = text.partition("://")
    known = SCHEMES.get(scheme.lower())
    return f"{known}{separator}{rest}" if known else text


class Handshake(Journey):
    """The requests of one handshake, which may be several where the server asks who it is."""

    def __init__(self, client: Client, timeout: TimeoutTypes | None, terms: Terms) -> None:
        limits = None if timeout is None else as_timeout(timeout)._for_engine()
        super().__init__(client, limits, stream=False)
        self.terms = terms
        self.socket: ClientWebSocket | None = None
        self.refusal: HandshakeRefused | None = None

    async def carry(self, request: Request) -> Response:
        """Open a WebSocket as the client's policies let it through.

        A second one beside it would be a second conversation, so that there are no hedges.
        """
        limits, policies = self.limits_left(request), self.client._policies
        if policies is None:
            return await self.shake_hands(request, limits)
        response = await policies.exchange(
            request,
            limits,
            stream=False,
            carrier=self.shake_hands,
            cookies=self.client._cookies,
            waited=self.has_waited,
            may_hedge=False,
        )
        if self.refusal is not None:
            self.refusal.attempts = response.extensions["attempts"]
        return response

    async def shake_hands(
        self, request: Request, limits: TimeoutTuple | None, *, stream: bool = False
    ) -> Response:
        """Open a WebSocket, or remember why there is none; either way there is a response."""
        self.refusal = None
        try:
            socket: ClientWebSocket = await open_websocket(
                self.client._core,
                request,
                limits,
                self.terms,
                sni_hostname(request.extensions),
            )
        except HandshakeRefused as refusal:
            self.refusal = refusal
            return refusal.response
        self.socket = socket
        response: Response = socket.response
        return response

    async def done(self, request: Request, auth: AuthTypes | None) -> ClientWebSocket:
        """Shake hands. Raises HandshakeRefused if the last answer opens no WebSocket."""
        given = self.client._auth if auth is None else _auth.as_auth(auth)
        chosen = _auth.for_request(given, request, self.client._logins)
        try:
            await self.follow(request, chosen, None)
        except BaseException:
            # Nobody has it, so it ends here; whoever keeps the exception keeps this handshake.
            self.socket = None
            raise
        if self.socket is None:
            assert self.refusal is not None
            raise self.refusal
        return self.socket


@contextlib.asynccontextmanager
async def opened(
    handshake: Handshake, request: Request, auth: AuthTypes | None
) -> AsyncIterator[ClientWebSocket]:
    """Open a WebSocket, and close it whatever happens in the block."""
    socket = await handshake.done(request, auth)
    try:
        yield socket
    finally:
        # RFC 6455 section 7.4.1: 1011 is for what one did not expect. Who is cancelled has done so.
        await socket.close(1011 if isinstance(sys.exception(), Exception) else 1000)


@contextlib.asynccontextmanager
async def connect_websocket(
    url: URL | str,
    *,
    subprotocols: Sequence[str] = (),
    headers: HeaderTypes | None = None,
    params: ParamTypes | None = None,
    cookies: CookieTypes | None = None,
    auth: AuthTypes | None = None,
    timeout: TimeoutTypes = 5.0,
    extensions: dict[str, Any] | None = None,
    verify: bool | str | os.PathLike[str] = True,
    cert: str | tuple[str, str] | None = None,
    uds: str | os.PathLike[str] | None = None,
    compression: bool | Deflate = True,
    max_message: int = 16 * 1024 * 1024,
    ping_interval: float | None = 20.0,
    ping_timeout: float | None = 20.0,
    close_timeout: float = 10.0,
) -> AsyncIterator[ClientWebSocket]:
    """Open a WebSocket without a client of one's own, for `async with … as socket`.

    Parameters: those of `Client.websocket()`; `timeout`, `verify`, `cert` and `uds` are those of
    `Client`. Raises what `Client.websocket()` does.
    """
    from hoopsnake._client._client import Client

    client = Client(timeout=timeout, verify=verify, cert=cert, uds=uds)
    async with (
        client,
        client.websocket(
            url,
            subprotocols=subprotocols,
            headers=headers,
            params=params,
            cookies=cookies,
            auth=auth,
            extensions=extensions,
            compression=compression,
            max_message=max_message,
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
            close_timeout=close_timeout,
        ) as socket,
    ):
        yield socket
