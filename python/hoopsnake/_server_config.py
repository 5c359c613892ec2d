"""How a server is set up: one object, checked where it is made."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass, field
from typing import Literal

from hoopsnake._bind import Bind, parse_bind
from hoopsnake._errors import ServerError
from hoopsnake._lifespan import LifespanMode
from hoopsnake._native import _network_problem
from hoopsnake._server_limits import ServerLimits
from hoopsnake._wsgi.interface import Interface

__all__ = [
    "ContentCoding",
    "ForwardedHeader",
    "ForwardedPart",
    "LogFormat",
    "LogLevel",
    "ServerConfig",
]

ContentCoding = Literal["zstd", "br", "gzip"]
LogLevel = Literal["critical", "error", "warning", "info", "debug"]
LogFormat = Literal["text", "json"]
ForwardedHeader = Literal["x-forwarded-for", "forwarded"]
ForwardedPart = Literal["for", "proto", "host", "port", "prefix"]


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
    bind: tuple[str, ...] = ()
    """Where to listen, several places at once, instead of `host`, `port` and `uds`: "HOST:PORT",
    "[::1]:8000", "unix:/path", or "fd:3" for a socket that the process has inherited.

    A name is listened on at all its addresses. Where nothing is said, here or in `host`, `port`
    and `uds`, sockets that systemd passes (LISTEN_FDS) are used.
    """
    uds_permissions: int | None = None
    """The access mode of the files of Unix sockets, such as 0o660; None leaves it to the umask."""
    reuse_port: bool = False
    """Whether other processes may listen on the same TCP ports (SO_REUSEPORT)."""
    backlog: int = 2048
    """How many connections the system may keep waiting to be accepted."""
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
    log_format: LogFormat = "text"
    """Lines for people ("text"), or one JSON object a line ("json").

    It is for what the server prints itself: a set-up of logging of your own is left alone.
    """
    access_log: bool = False
    """Whether each request is logged, to the logger `hoopsnake.access`."""
    request_id_header: str | None = None
    """The header that has the id of a request, such as "X-Request-ID"; None gives them none.

    A trusted proxy's id is taken over, any other request gets a random one. The response has it,
    the logs, `scope["extensions"]["hoopsnake.request_id"]["id"]`, and `hoopsnake.request_id()`.
    """
    forwarded_allow_ips: tuple[str, ...] = ()
    """The proxies whose word about their clients counts: addresses, networks such as "10.0.0.0/8",
    "unix" for whoever comes over a Unix socket, "*" for everybody."""
    forwarded_header: ForwardedHeader = "x-forwarded-for"
    """Which headers they write: X-Forwarded-For and its like, or Forwarded (RFC 7239). The others
    are not read at all: they would be the client's own."""
    forwarded_parts: tuple[ForwardedPart, ...] = ("for", "proto")
    """What is believed of them: the client ("for"), its scheme ("proto"), its Host ("host"), the
    port of that ("port") and the path under which they mount the application ("prefix").

    Only what the proxies themselves write may be in it: what they pass on is the client's word.
    """
    admin: str | None = None
    """Where operators find metrics and health: HOST:PORT or unix:PATH; None opens no such port.

    Nobody is asked who they are there: it is for the loopback or a network of its own.
    """
    shutdown_delay: float = 0.0
    """Seconds from a stop's request, from which on `/health/ready` says no, to its beginning: for
    load balancers that have to notice before connections are refused."""
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

    static: tuple[tuple[str, str | os.PathLike[str]], ...] = ()
    """Path prefixes and the folders whose files answer below them, before the application is asked.

    Of several prefixes that fit, the longest counts.
    """
    static_cache_control: str | None = None
    """The Cache-Control of every file; None sends none."""
    static_index: str = "index.html"
    """The name of the file that answers for its folder; "" for none."""
    static_hidden: bool = False
    """Whether files and folders whose names begin with a dot are served."""
    static_precompressed: bool = True
    """Whether `app.js.br`, `.zst` and `.gz` answer for `app.js` where the client takes them."""
    static_memory: int = 32 * 1024 * 1024
    """Bytes of small files that are kept in memory; 0 keeps none."""
    compress: tuple[ContentCoding, ...] = ()
    """Codings for what the application sends, the best first: "zstd", "br", "gzip"."""
    compress_min_size: int = 1000
    """Bytes that a body has at least to be compressed; one of unknown size is."""
    compress_zstd_level: int = 3
    """How much work zstd makes of it: 1 to 19."""
    compress_br_level: int = 4
    """How much work brotli makes of it: 0 to 11."""
    compress_gzip_level: int = 4
    """How much work gzip makes of it: 1 to 9."""

    limits: ServerLimits = field(default_factory=ServerLimits)
    """How much time, size and work clients may ask for."""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ServerError(f"port {self.port} is not between 0 and 65535")
        self._check_binds()
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
        if self.root_path.endswith("/"):
            raise ServerError(f"root_path {self.root_path!r} ends with '/': leave that out")
        self._check_tls()
        self._check_proxies()
        name = self.request_id_header
        if name is not None and not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
            raise ServerError(f"request_id_header {name!r} is no name of a header")
        if self.log_format not in ("text", "json"):
            raise ServerError(f"log_format {self.log_format!r} is not 'text' or 'json'")
        if not 0 <= self.shutdown_delay < math.inf:
            raise ServerError(f"shutdown_delay {self.shutdown_delay} is not 0 or more seconds")
        if self.admin is not None:
            _check_place("admin", self.admin)
        self._check_static()
        self._check_compress()
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

    def _check_binds(self) -> None:
        short_form = (self.host, self.port, self.uds)
        if self.bind and short_form != ("127.0.0.1", 8000, None):
            raise ServerError("bind says where to listen: leave out host, port and uds")
        places = [_check_place("bind", each) for each in self.bind]
        # Port 0 is another one each time.
        fixed = [each for each in places if each.host is None or each.port != 0]
        if len(set(fixed)) < len(fixed):
            raise ServerError(f"bind names a place twice: {', '.join(self.bind)}")
        if self.uds_permissions is not None and not 0 <= self.uds_permissions <= 0o777:
            raise ServerError(f"uds_permissions {self.uds_permissions:#o} is not 0 to 0o777")

    def _check_proxies(self) -> None:
        if isinstance(self.forwarded_allow_ips, str) or isinstance(self.forwarded_parts, str):
            raise ServerError("forwarded_allow_ips and forwarded_parts are tuples of str, not one")
        for entry in self.forwarded_allow_ips:
            problem = _network_problem(entry)
            if problem is not None:
                raise ServerError(f"forwarded_allow_ips: {problem}")
        if self.forwarded_header not in ("x-forwarded-for", "forwarded"):
            raise ServerError(
                f"forwarded_header {self.forwarded_header!r} is not 'x-forwarded-for' or "
                "'forwarded'"
            )
        for part in self.forwarded_parts:
            if part not in ("for", "proto", "host", "port", "prefix"):
                raise ServerError(
                    f"forwarded_parts: {part!r} is not 'for', 'proto', 'host', 'port' or 'prefix'"
                )
            if part in ("port", "prefix") and self.forwarded_header == "forwarded":
                raise ServerError(f"forwarded_parts: the header Forwarded has no {part!r}")

    def _check_static(self) -> None:
        for prefix, folder in self.static:
            names = prefix.removesuffix("/").split("/")[1:] if prefix != "/" else []
            plain = all(name not in ("", ".", "..") and "\\" not in name for name in names)
            if not prefix.startswith("/") or not plain or not prefix.isprintable():
                raise ServerError(f"static: {prefix!r} is no prefix like /assets, of plain names")
            if not os.fspath(folder):
                raise ServerError(f"static: {prefix!r} has no folder")
        if "/" in self.static_index or self.static_index in (".", ".."):
            raise ServerError(f"static_index {self.static_index!r} is not the name of a file")
        if self.static_cache_control is not None and not (
            self.static_cache_control.isascii() and self.static_cache_control.isprintable()
        ):
            raise ServerError(
                f"static_cache_control {self.static_cache_control!r} cannot be a header's value"
            )
        if self.static_memory < 0:
            raise ServerError(f"static_memory {self.static_memory} is not 0 or more bytes")

    def _check_compress(self) -> None:
        for coding in self.compress:
            if coding not in ("zstd", "br", "gzip"):
                raise ServerError(f"compress: {coding!r} is not 'zstd', 'br' or 'gzip'")
        if self.compress_min_size < 0:
            raise ServerError(f"compress_min_size {self.compress_min_size} is not 0 or more bytes")
        for name, lowest, highest in (
            ("compress_zstd_level", 1, 19),
            ("compress_br_level", 0, 11),
            ("compress_gzip_level", 1, 9),
        ):
            if not lowest <= getattr(self, name) <= highest:
                raise ServerError(f"{name} {getattr(self, name)} is not {lowest} to {highest}")

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


def _check_place(name: str, text: str) -> Bind:
    try:
        return parse_bind(text)
    except ValueError as error:
        raise ServerError(f"{name}: {error}") from None
