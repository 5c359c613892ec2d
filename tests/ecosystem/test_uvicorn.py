"""uvicorn on the loop under test: beside other tasks of a program, and by its own command."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from asgi_exchanges import (
    exchange_over_http,
    exchange_over_websockets,
    running,
    stop_amid_a_request,
)
from loop_under_test import ON_REFERENCE

pytest.importorskip("uvicorn")
import uvicorn

LOOP = "asyncio" if ON_REFERENCE else "hoopsnake:new_event_loop"
COMMAND = ("-m", "uvicorn", "asgi_application:app", "--loop", LOOP)


@asynccontextmanager
async def serving(**settings: str) -> AsyncIterator[tuple[uvicorn.Server, int]]:
    """Serve in this process; the server and its port."""
    config = uvicorn.Config(
        "asgi_application:app", port=0, lifespan="on", log_level="critical", **settings
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        assert not task.done()
        await asyncio.sleep(0.001)
    try:
        yield server, server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


@pytest.mark.parametrize("implementation", ["h11", "httptools"])
async def test_http(implementation: str) -> None:
    async with serving(http=implementation) as (_, port):
        await exchange_over_http(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("implementation", ["websockets-sansio", "wsproto"])
async def test_websockets(implementation: str) -> None:
    async with serving(ws=implementation) as (_, port):
        await exchange_over_websockets(f"http://127.0.0.1:{port}")


async def test_a_request_under_way_is_finished_when_the_server_stops(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with serving() as (server, port):
        await stop_amid_a_request("127.0.0.1", port, partial(setattr, server, "should_exit", True))
    assert capsys.readouterr().out.split() == ["lifespan.startup", "lifespan.shutdown"]


async def test_the_command_takes_our_loop_and_stops_cleanly() -> None:
    async with running(*COMMAND, "--port", "0") as server:
        url = await server.url()
        await exchange_over_http(url)
        host, _, port = url.removeprefix("http://").partition(":")
        await stop_amid_a_request(host, int(port), server.terminate)
        # It ends by the signal that it was sent.
        assert await server.ended() == -signal.SIGTERM
    assert "Application shutdown complete" in server.output
    assert server.output.count("Traceback") == 1  # that of /fail


async def test_several_workers_take_our_loop_and_stop_cleanly(socket_path: str) -> None:
    async with running(*COMMAND, "--uds", socket_path, "--workers", "2") as server:
        await server.says(r"(?s)startup complete.*startup complete")
        await exchange_over_http("http://here", uds=socket_path)
        server.terminate()
        assert await server.ended() == 0
    assert server.output.count("Application shutdown complete") == 2
    assert server.output.count("Traceback") == 1  # that of /fail
