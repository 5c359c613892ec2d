"""A client's settings: limits of time, limits of the pool, and what the engine reads of both."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hoopsnake._client._proxy import ProxySettings
    from hoopsnake._client._tls import Trust

TimeoutTuple = tuple[
    float | None, float | None, float | None, float | None, float | None, float | None
]


@dataclasses.dataclass(frozen=True, slots=True)
class Timeout:
    """How long each phase of a request may take, in seconds; None is for ever.

    `Timeout(5)` is five seconds for each phase. `total` is for all of a request, from its beginning
    to the end of the response's body, and has no default.
    """

    default: dataclasses.InitVar[float | None] = 5.0
    connect: float | None = -1.0
    tls: float | None = -1.0
    pool: float | None = -1.0
    read: float | None = -1.0
    write: float | None = -1.0
    total: float | None = None

    def __post_init__(self, default: float | None) -> None:
        for phase in ("connect", "tls", "pool", "read", "write"):
            if getattr(self, phase) == -1.0:
                object.__setattr__(self, phase, default)
        for phase in ("connect", "tls", "pool", "read", "write", "total"):
            seconds = getattr(self, phase)
            if seconds is not None and not seconds >= 0:
                raise ValueError(f"a timeout is a number of seconds, not {seconds!r} ({phase})")

    def _for_engine(self) -> TimeoutTuple:
        return (self.connect, self.tls, self.pool, self.read, self.write, self.total)


@dataclasses.dataclass(frozen=True, slots=True)
class Limits:
    """What a client's pool may hold.

    Parameters: `max_connections` of all hosts, and `max_connections_per_host` of one (the same, if
    None); `max_keepalive_connections`, kept while nobody uses them, for `keepalive_expiry` seconds;
    `max_streams`, the requests that share one HTTP/2 connection; `dns_cache`, the seconds for which
    the addresses of a name are believed.
    """

    max_connections: int = 100
    max_connections_per_host: int | None = None
    max_keepalive_connections: int | None = None
    keepalive_expiry: float = 30.0
    max_streams: int = 100
    dns_cache: float = 30.0

    def __post_init__(self) -> None:
        for name in ("max_connections", "max_connections_per_host", "max_streams"):
            number = getattr(self, name)
            if number is not None and number < 1:
                raise ValueError(f"{name} is at least 1, not {number!r}")


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """What the engine reads of a client's settings."""

    base_url: str | None
    timeouts: TimeoutTuple
    max_content: int
    http1: bool
    http2: bool
    trust: Trust
    cert: tuple[str, str] | None
    unix_socket: str | None
    proxies: ProxySettings
    dns_cache: float
    max_connections: int
    max_connections_per_host: int
    max_idle_connections: int
    idle_timeout: float
    max_streams: int
    heeds_deadlines: bool


def as_timeout(given: Timeout | float | None) -> Timeout:
    """Read what may be given for limits of time."""
    return given if isinstance(given, Timeout) else Timeout(given)


def for_engine(
    *,
    base_url: str,
    timeout: Timeout,
    limits: Limits,
    max_content: int,
    http1: bool,
    http2: bool,
    trust: Trust,
    cert: str | tuple[str, str] | None,
    unix_socket: str | os.PathLike[str] | None,
    heeds_deadlines: bool,
    proxies: ProxySettings,
) -> Settings:
    """Put a client's settings into the form that the engine reads."""
    if not (http1 or http2):
        raise ValueError("a client speaks http1, http2 or both")
    total = limits.max_connections
    idle = limits.max_keepalive_connections
    return Settings(
        base_url=base_url or None,
        timeouts=timeout._for_engine(),
        max_content=max_content,
        http1=http1,
        http2=http2,
        trust=trust,
        cert=(cert, cert) if isinstance(cert, str) else cert,
        unix_socket=None if unix_socket is None else os.fspath(unix_socket),
        proxies=proxies,
        dns_cache=limits.dns_cache,
        max_connections=total,
        max_connections_per_host=limits.max_connections_per_host or total,
        max_idle_connections=total if idle is None else idle,
        idle_timeout=limits.keepalive_expiry,
        max_streams=limits.max_streams,
        heeds_deadlines=heeds_deadlines,
    )
