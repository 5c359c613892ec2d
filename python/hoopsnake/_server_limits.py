"""What a server lets its clients have: one object, checked where it is made."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from hoopsnake._errors import ServerError

__all__ = ["ServerLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """How much time, size and work clients may ask for; `ServerConfig.limits`.

    Given by keyword, and unchangeable. None and 0 mean that there is no such limit. Times are in
    seconds and sizes in bytes; a time that runs out is noticed up to a fifth later. The names are
    those of `hoop serve`, with dashes there. Raises ServerError for a value that cannot be meant.
    """

    header_timeout: float | None = 10.0
    """From the first byte of a request to the end of its head, then 408; and from connecting to
    that first byte, then the connection is closed."""
    keep_alive_timeout: float | None = 75.0
    """From a response to the next request; then the connection is closed."""
    body_rate: int | None = 240
    """Bytes a second that a request's body has to come at while the application waits for it, on
    average; slower is answered with 408."""
    body_grace: float = 10.0
    """For how long an application waits for a body before `body_rate` is asked for."""
    send_timeout: float | None = 60.0
    """For how long a client may take nothing of a response; then the connection is dropped."""
    response_timeout: float | None = 300.0
    """How long the application may take to begin a response, not counting the time in which it
    waits for the request's body; then the client gets a 504 and the task is cancelled."""
    body_size: int | None = 1024**3
    """The largest body of a request, by its Content-Length or chunk by chunk; then 413."""
    head_size: int | None = 64 * 1024
    """The largest head of a request, and the largest trailers; then 431. Without this limit it is
    16 MiB."""
    header_count: int | None = 100
    """The most headers of a request; then 431. Without this limit it is 32,000."""
    target_size: int | None = 16 * 1024
    """The longest request target, that is path and query; then 414. Without this limit, and at
    most, it is 65,000."""
    pipelined_requests: int | None = 32
    """How many requests of a connection may be there before the first of them is answered; then no
    more is read. Each is begun in its turn."""
    connections: int | None = 20_000
    """How many connections may be open, WebSockets among them. One more takes the place of an idle
    one, or waits until there is one."""
    concurrency: int | None = 1000
    """How many requests the application may be at work on whose responses have not begun. Streams
    that have begun and WebSockets do not count."""
    queue: int = 1000
    """How many requests wait when `concurrency` is reached; what is more gets a 503 with
    Retry-After. With 0 none waits."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value is None and each.name in ("body_grace", "queue"):
                raise ServerError(f"{each.name} is a number; 0 means none")
            if value is not None and not (value >= 0 and math.isfinite(value)):
                raise ServerError(f"{each.name} {value} is not 0 or more")
