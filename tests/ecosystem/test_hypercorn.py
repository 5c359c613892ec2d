"""hypercorn on the loop under test: HTTP/1.1, HTTP/2, WebSockets and a clean stop."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from asgi_application import app
from asgi_exchanges import (
    exchange_over_http,
    exchange_over_websockets,
    running,
    stop_amid_a_request,
)
from loop_under_test import ON_REFERENCE

pytest.importorskip("hypercorn")
import hypercorn.asyncio
import hypercorn.config

# hypercorn names its own loops alone; without worker processes it takes the one of `hoop run`.
COMMAND = ("-m", "hypercorn") if ON_REFERENCE else ("-m", "hoopsnake", "run", "-m", "hypercorn")


@asynccontextmanager
async def serving(
    certificate: tuple[str, str] | None = None,
) -> AsyncIterator[tuple[int, asyncio.Event]]:
    """Serve in this process; the port, and the event that stops the server."""
    config = hypercorn.config.Config()
    config.errorlog = None
    if certificate is not None:
        config.certfile, config.keyfile = certificate
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    config.bind = [f"fd://{listener.detach()}"]
    stop = asyncio.Event()
    serving = asyncio.create_task(hypercorn.asyncio.serve(app, config, shutdown_trigger=stop.wait))
    try:
        yield port, stop
    finally:
        stop.set()
        await serving


async def test_http_1() -> None:
    async with serving() as (port, _):
        await exchange_over_http(f"http://127.0.0.1:{port}")


async def test_http_2_over_tls(certificate: tuple[str, str], client_tls: ssl.SSLContext) -> None:
    async with serving(certificate) as (port, _):
        await exchange_over_http(
            f"https://localhost:{port}", http1=False, http2=True, verify=client_tls
        )


async def test_websockets() -> None:
    async with serving() as (port, _):
        await exchange_over_websockets(f"http://127.0.0.1:{port}")


async def test_a_request_under_way_is_finished_when_the_server_stops(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with serving() as (port, stop):
        await stop_amid_a_request("127.0.0.1", port, stop.set)
    assert capsys.readouterr().out.split() == ["lifespan.startup", "lifespan.shutdown"]


async def test_the_command_runs_on_our_loop_and_stops_cleanly() -> None:
    command = (*COMMAND, "asgi_application:app", "--workers", "0", "--bind", "127.0.0.1:0")
    async with running(*command) as server:
        await exchange_over_http(await server.url())
        server.terminate()
        assert await server.ended() == 0
    assert "lifespan.shutdown" in server.output
    assert server.output.count("Traceback") == 1  # that of /fail
