"""Small WSGI applications, and a server for them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

from served import Served, served

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], Any]]
WsgiApplication = Callable[[Environ, StartResponse], Iterable[bytes]]

TEXT = [("Content-Type", "text/plain")]


def hello(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer everything with its path."""
    start_response("200 OK", TEXT)
    return [environ["PATH_INFO"].encode("latin-1")]


def served_in_threads(
    application: WsgiApplication, *, faulty: bool = False, **settings: Any
) -> contextlib.AbstractAsyncContextManager[Served]:
    """Serve a WSGI application; unless it is `faulty`, nothing may be logged as an error."""
    return served(application, faulty=faulty, interface="wsgi", **settings)  # type: ignore[arg-type]
