"""What is raised where one of the client's own limits sends a request away."""

from __future__ import annotations

from hoopsnake._client._errors import RequestError, shown
from hoopsnake._client._request import Request
from hoopsnake.limits import CircuitOpen as _CircuitOpen
from hoopsnake.limits import QueueFull as _QueueFull
from hoopsnake.limits import RateLimited as _RateLimited


class CircuitOpen(_CircuitOpen, RequestError):
    """A host failed too often, and is left alone for a while: nothing was sent.

    Attributes: `host`; `retry_after`, the seconds after which it is asked again, None while it is
    being probed; and those of `RequestError`.
    """

    host: str = ""


class QueueFull(_QueueFull, RequestError):
    """All places of a host are taken, and as many requests wait for one as may wait."""

    host: str = ""


class RateLimited(_RateLimited, RequestError):
    """It would be more often than the client's rate for a host allows."""

    host: str = ""


for _class in (CircuitOpen, QueueFull, RateLimited):
    _class.__module__ = "hoopsnake"


REFUSALS = (_CircuitOpen, _QueueFull, _RateLimited)


def limit_error(
    refused: _CircuitOpen | _QueueFull | _RateLimited, request: Request, host: str, elapsed: float
) -> RequestError:
    """Say of which request and host a limit has said no."""
    doing = f"limit phase, after {elapsed:.3f} s"
    words = f"{request.method} {shown(request)}: {host}: {refused} ({doing})"
    error: CircuitOpen | QueueFull | RateLimited
    if isinstance(refused, _CircuitOpen):
        error = CircuitOpen(words)
    else:
        error = QueueFull(words) if isinstance(refused, _QueueFull) else RateLimited(words)
    error.retry_after = refused.retry_after
    error.request, error.phase, error.elapsed = request, "limit", elapsed
    error.host, error.was_left_alone = host, True
    return error
