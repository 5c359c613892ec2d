"""Servers for the length of a `with` block, on this machine alone."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import hoopsnake
from scripts.rehearsal.certificate import Certificate

Application = Callable[..., Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(
    application: Application, certificate: Certificate | None = None, **settings: Any
) -> AsyncIterator[str]:
    """Serve an application and give its URL, without a slash at the end."""
    # It listens before there is a server: whoever connects early waits.
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    if certificate is not None:
        settings |= {"ssl_certfile": certificate.chain, "ssl_keyfile": certificate.key}
    config = hoopsnake.ServerConfig(
        bind=(f"fd:{listening.detach()}",), log_level="warning", **settings
    )
    server = asyncio.create_task(hoopsnake.serve(application, config))
    try:
        yield f"https://localhost:{port}" if certificate else f"http://127.0.0.1:{port}"
    finally:
        server.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await server
