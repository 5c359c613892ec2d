"""How a server is set up: one object, checked where it is made."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Literal

from hoopsnake._errors import ServerError
from hoopsnake._lifespan import LifespanMode
from hoopsnake._server_limits import ServerLimits
from hoopsnake._wsgi.interface import Interface

__all__ = ["LogLevel", "ServerConfig"]

LogLevel = Literal["critical", "error", "warning", "info", "debug"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """The settings of `hoopsnake.serve`; each field says what it means and in which unit.

    Given by keyword, and unchangeable. The names are those of `hoop serve`, with dashes there.
    Raises ServerError for a value that cannot be meant.
    """

    host: str = "127.0.0.1"
    """The name or address to listen on; "0.0.0.0" and "::" mean every interface."""
    port: int = 8000
    """The TCP port; 0 lets the system choose one, which the log then tells."""
    uds: str | os.PathLike[str] | None = None
    """The path of a Unix socket to listen on instead of `host` and `port`."""
    backlog: int = 2048
    """How many connections of a TCP port the system may keep waiting to be accepted."""
    interface: Interface = "auto"
    """What the application speaks: "asgi", "wsgi", or "auto" to tell it by how it can be called."""
    wsgi_threads: int | None = None
    """How many requests a WSGI application works on at once, each in a thread of its own.

    None means four more than there are processors for the process, and 32 at most.
    """
    root_path: str = ""
    """The path under which a proxy in front mounts the application (`root_path` of the scope)."""
    lifespan: LifespanMode = "auto"
    """Whether the application is told of start and end: "on", "off", or "auto" if it can be."""
    log_level: LogLevel = "info"
    """The least level that is logged."""
    access_log: bool = False
    """Whether each request is logged, to the logger `hoopsnake.access`."""
    graceful_timeout: float = 10.0
    """Seconds that requests get to finish when the server stops, before they are cancelled."""
    ssl_certfile: str | os.PathLike[str] | None = None
    """A PEM file with the server's certificate and those that vouch for it; it turns TLS on.

    Changed files are read again, for the connections that come after.
    """
    ssl_keyfile: str | os.PathLike[str] | None = None
    """The PEM file of its private key, unencrypted; None if the key is in `ssl_certfile`."""
    ssl_ca_certs: str | os.PathLike[str] | None = None
    """A PEM file with the certificates of those who vouch for clients (mutual TLS)."""
    ssl_cert_reqs: Literal["none", "optional", "required"] | None = None
    """Whether a client has to show a certificate; None means "required" with `ssl_ca_certs`."""
    http2: bool = True
    """Whether HTTP/2 is spoken too: over TLS by ALPN, otherwise to clients that begin with it."""
    h2_max_concurrent_streams: int = 128
    """How many requests one HTTP/2 connection may have under way; more are refused."""
    h2_ping_interval: float | None = 30.0
    """Seconds of an HTTP/2 client's silence before it is sent a ping; None sends none."""
    h2_ping_timeout: float = 20.0
    """Seconds that it has to answer before its connection is closed."""
    handshake_timeout: float = 10.0
    """Seconds that a new connection gets for its TLS handshake, or to send its first bytes."""
    ws_max_size: int = 16 * 1024 * 1024
    """Bytes of the largest WebSocket message that is taken, inflated; more of it closes (1009)."""
    ws_per_message_deflate: bool = True
    """Whether WebSocket messages are compressed for clients that offer it (permessage-deflate)."""
    ws_ping_interval: float | None = 20.0
    """Seconds of a WebSocket client's silence before it is sent a ping; None sends none."""
    ws_ping_timeout: float | None = 20.0
    """Seconds that it may stay silent after that before it is given up; None never gives it up."""

    limits: ServerLimits = field(default_factory=ServerLimits)
    """How much time, size and work clients may ask for."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ServerError(f"port {self.port} is not between 0 and 65535")
        if self.interface not in ("auto", "asgi", "wsgi"):
            raise ServerError(f"interface {self.interface!r} is not 'auto', 'asgi' or 'wsgi'")
        if self.wsgi_threads is not None and self.wsgi_threads < 1:
            raise ServerError(f"wsgi_threads {self.wsgi_threads} leaves no thread for a request")
        if self.backlog < 1:
            raise ServerError(f"backlog {self.backlog} leaves no room for a connection")
        if not self.graceful_timeout >= 0:
            raise ServerError(f"graceful_timeout {self.graceful_timeout} is not 0 or more seconds")
        if self.lifespan not in ("auto", "on", "off"):
            raise ServerError(f"lifespan {self.lifespan!r} is not 'auto', 'on' or 'off'")
        if self.log_level not in ("critical", "error", "warning", "info", "debug"):
            raise ServerError(f"log_level {self.log_level!r} is no level of Python's logging")
        if self.root_path and not self.root_path.startswith("/"):
            raise ServerError(f"root_path {self.root_path!r} does not begin with '/'")
        self._check_tls()
        if self.ws_max_size < 1:
            raise ServerError(f"ws_max_size {self.ws_max_size} leaves no room for a message")
        if not 1 <= self.h2_max_concurrent_streams < 2**31:
            raise ServerError(
                f"h2_max_concurrent_streams {self.h2_max_concurrent_streams} is not 1 or more"
            )
        for name in ("ws_ping_interval", "ws_ping_timeout", "h2_ping_interval", "h2_ping_timeout"):
            seconds = getattr(self, name)
            if seconds is not None and not seconds > 0:
                raise ServerError(f"{name} {seconds} is not above 0 seconds")
        if not self.handshake_timeout > 0:
            raise ServerError(f"handshake_timeout {self.handshake_timeout} is not above 0 seconds")

    def _check_tls(self) -> None:
        if self.ssl_certfile is None:
            for name in ("ssl_keyfile", "ssl_ca_certs", "ssl_cert_reqs"):
                if getattr(self, name) is not None:
                    raise ServerError(f"{name} needs ssl_certfile: without one there is no TLS")
        if self.ssl_cert_reqs not in (None, "none", "optional", "required"):
            raise ServerError(
                f"ssl_cert_reqs {self.ssl_cert_reqs!r} is not 'none', 'optional' or 'required'"
            )
        if self.ssl_cert_reqs in ("optional", "required") and self.ssl_ca_certs is None:
            raise ServerError(
                f"ssl_cert_reqs {self.ssl_cert_reqs!r} needs ssl_ca_certs: who vouches for clients"
            )
