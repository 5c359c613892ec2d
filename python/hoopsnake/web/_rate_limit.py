"""A rate limit as it is declared, and who it counts."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from hoopsnake.web._gcra import Gcra, Verdict
from hoopsnake.web._request import HTTPConnection

__all__ = ["Decision", "Limiter", "RateLimit", "client_address"]

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_RATE = re.compile(r"\s*(\d+)\s*/\s*(\d*)\s*(second|minute|hour|day)s?\s*")


class Limiter(Protocol):
    """What counts: the one of this process, or one that processes share."""

    def check(self, key: str, now: float) -> Verdict:
        """Ask for one request of a key at a time in seconds."""
        ...


class Decision(NamedTuple):
    """Whether a request may come, and what its client is told."""

    is_allowed: bool
    limit: int
    per: float
    verdict: Verdict

    def headers(self) -> dict[str, str]:
        """Make the headers of the answer (draft-ietf-httpapi-ratelimit-headers)."""
        verdict = self.verdict
        headers = {
            "ratelimit-policy": f'"default";q={self.limit};w={math.ceil(self.per)}',
            "ratelimit": f'"default";r={verdict.remaining};t={math.ceil(verdict.reset_after)}',
        }
        if not self.is_allowed:
            headers["retry-after"] = str(max(1, math.ceil(verdict.retry_after)))
        return headers


class RateLimit:
    """So many requests in a time, such as `RateLimit("100/minute")` or `RateLimit("5/10seconds")`.

    They come evenly: after a pause `burst` of them (all, if not said) may come at once. `key` names
    who is counted together: a function of the request, where None is not counted at all; without
    one it is the client's address. Routes that share one object share its count.
    """

    def __init__(
        self,
        rate: str,
        *,
        burst: int | None = None,
        key: Callable[[HTTPConnection], str | None] | None = None,
        most_keys: int = 100_000,
        limiter: Limiter | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        match = _RATE.fullmatch(rate)
        if match is None or not int(match[1]) or match[2] == "0":
            raise ValueError(f"a rate is such as '100/minute' or '5/10seconds', not {rate!r}")
        self.limit = int(match[1])
        self.per = float(int(match[2] or 1) * _SECONDS[match[3]])
        self._key = key or client_address
        self._limiter: Limiter = limiter or Gcra(
            self.per / self.limit, burst or self.limit, most_keys
        )
        self._clock = clock

    def check(self, connection: HTTPConnection) -> Decision | None:
        """Count a request; None for one that is not counted."""
        key = self._key(connection)
        if key is None:
            return None
        verdict = self._limiter.check(key, self._clock())
        return Decision(verdict.is_allowed, self.limit, self.per, verdict)


def client_address(connection: HTTPConnection) -> str | None:
    """Name the client by its address; of IPv6 by the /64 that one subscriber has (RFC 6177)."""
    client = connection.client
    if client is None:
        return None
    host = client[0]
    if ":" not in host:
        return host
    import ipaddress

    try:
        address = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, 64), strict=False))
