"""What the request at work is called: for log lines of the application's own."""

from __future__ import annotations

from contextvars import ContextVar

__all__ = ["request_id", "request_id_variable"]

request_id_variable: ContextVar[str | None] = ContextVar("hoopsnake.request_id", default=None)


def request_id() -> str | None:
    """Return the id of the request that the running task answers, as all logs have it.

    None outside of requests, and where the server gives them none
    (`ServerConfig.request_id_header`). Tasks that a request starts have its id too.
    """
    return request_id_variable.get()
