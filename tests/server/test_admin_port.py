"""The admin port: health through a server's whole life, whatever goes on at the public port."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from applications import HeldStream, body, hello, start
from frames import handshake
from served import Application, Log, Receive, Scope, Send, served
from wire import Answer, Wire, request

import hoopsnake

ADMIN = r"Metrics and health on http://127\.0\.0\.1:(\d+)"
PUBLIC = r"Serving on http://127\.0\.0\.1:(\d+)"


async def ask(address: int | str, path: str = "/health/ready", **options: Any) -> Answer:
    """Ask an admin port, over a connection of its own."""
    async with await Wire.open(
        address if isinstance(address, str) else ("127.0.0.1", address)
    ) as wire:
        await wire.get(path, **options)
        return await wire.answer(options.get("method", "GET"))


async def health(port: int) -> tuple[int, int, str]:
    """Whether it lives, whether it is ready, and why not."""
    ready = await ask(port)
    return (await ask(port, "/health/live")).status, ready.status, ready.body.decode().strip()


@contextlib.asynccontextmanager
async def serving(
    app: Application, **settings: Any
) -> AsyncIterator[tuple[asyncio.Task[None], Log]]:
    """A server that may not have started yet, and what it logs."""
    log = Log()
    logger = logging.getLogger("hoopsnake")
    logger.addHandler(log)
    config = hoopsnake.ServerConfig(port=0, admin="127.0.0.1:0", **settings)
    task = asyncio.create_task(hoopsnake.serve(app, config))
    try:
        yield task, log
    finally:
        task.cancel()
        await asyncio.wait([task])
        logger.removeHandler(log)


async def test_it_lives_before_the_application_and_after_it() -> None:
    started, ended = asyncio.Event(), asyncio.Event()
    stages: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan"
        await receive()
        stages.append("starting")
        await started.wait()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        stages.append("ending")
        await ended.wait()
        await send({"type": "lifespan.shutdown.complete"})

    async with serving(app) as (task, log):
        port = int((await log.wait_for(ADMIN))[1])
        assert await health(port) == (200, 503, "not ready: starting")
        started.set()
        await log.wait_for(PUBLIC)
        assert await health(port) == (200, 200, "ready")
        task.cancel()
        while stages[-1] != "ending":
            await asyncio.sleep(0)
        assert await health(port) == (200, 503, "not ready: stopping")
        ended.set()
        await asyncio.wait([task])
        with pytest.raises(ConnectionRefusedError):
            await ask(port)


async def test_readiness_fails_before_connections_are_refused() -> None:
    async with serving(hello, lifespan="off", shutdown_delay=30.0) as (task, log):
        port = int((await log.wait_for(ADMIN))[1])
        public = int((await log.wait_for(PUBLIC))[1])
        task.cancel()
        while (await health(port))[1] == 200:
            pass
        # New connections are still welcome: the load balancer may not have noticed.
        assert (await ask(public, "/x")).body == b"/x"
        assert not task.done()
        # The delay is cut short by a second cancellation, as by a second signal.
        task.cancel()
        await asyncio.wait([task])
        with pytest.raises(ConnectionRefusedError):
            await ask(public)


async def test_it_says_that_the_server_stops_while_requests_end() -> None:
    app = HeldStream()
    async with serving(app, lifespan="off") as (task, log):
        port = int((await log.wait_for(ADMIN))[1])
        public = int((await log.wait_for(PUBLIC))[1])
        async with await Wire.open(("127.0.0.1", public)) as wire:
            await wire.get("/stream")
            await wire.head()
            task.cancel()
            await log.wait_for("Stopping: 1 open")
            assert await health(port) == (200, 503, "not ready: stopping")
            app.proceed.set()
            assert b"last" in await wire.rest()
        await asyncio.wait([task])


async def test_a_crowd_at_the_public_port_takes_nothing_from_it() -> None:
    release = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/held":
            await release.wait()
        await send(start())
        await send(body())

    limits = hoopsnake.ServerLimits(connections=40, concurrency=4, queue=4)
    async with (
        served(app, lifespan="off", admin="127.0.0.1:0", limits=limits) as server,
        contextlib.AsyncExitStack() as stack,
    ):
        port = int((await server.log.wait_for(ADMIN))[1])
        # Ten times the concurrency, and every connection there is; then more that wait outside.
        crowd = [await stack.enter_async_context(await server.connect()) for _ in range(40)]
        for wire in crowd:
            await wire.get("/held")
        answers = {asyncio.create_task(wire.answer()) for wire in crowd}
        held = set(answers)
        while len(held) > 8:
            done, held = await asyncio.wait(held, return_when=asyncio.FIRST_COMPLETED)
            assert {task.result().status for task in done} == {503}
        outside = [await stack.enter_async_context(await server.connect()) for _ in range(10)]
        for wire in outside:
            await wire.get("/held")
        for _ in range(20):
            assert await health(port) == (200, 200, "ready")
        told = (await ask(port, "/metrics")).body.decode()
        assert "\nhoopsnake_requests_at_work 4\n" in told
        assert "\nhoopsnake_requests_waiting 4\n" in told
        release.set()
        assert [(await task).status for task in held] == [200] * 8


async def test_what_is_asked_there_is_not_counted() -> None:
    async with served(hello, lifespan="off", admin="127.0.0.1:0") as server:
        port = int((await server.log.wait_for(ADMIN))[1])
        for _ in range(3):
            told = (await ask(port, "/metrics")).body.decode()
    assert "hoopsnake_requests_total{" not in told
    assert '\nhoopsnake_connections_open{protocol="http/1"} 0\n' in told
    assert "\nhoopsnake_received_bytes_total 0\n" in told


async def test_it_is_for_looking_alone() -> None:
    async with served(hello, lifespan="off", admin="127.0.0.1:0") as server:
        port = int((await server.log.wait_for(ADMIN))[1])
        assert (await ask(port, "/")).body == b"/metrics\n/health/live\n/health/ready\n"
        assert (await ask(port, "/health")).status == 404
        assert (await ask(port, "/health/live", method="HEAD")).status == 200
        denied = await ask(port, "/metrics", method="DELETE")
        assert (denied.status, denied.one("allow")) == (405, "GET, HEAD")
        assert (await ask(port)).one("cache-control") == "no-store"
        async with await Wire.open(("127.0.0.1", port)) as wire:
            await wire.send(handshake("/metrics"))
            assert (await wire.head()).status == 403
        async with await Wire.open(("127.0.0.1", port)) as wire:
            await wire.send(request("POST /metrics HTTP/1.1", "Content-Length: 2000"))
            assert (await wire.answer()).status == 413


async def test_it_may_be_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "admin"
    async with served(hello, lifespan="off", admin=f"unix:{path}"):
        assert (await ask(str(path))).status == 200
    assert not path.exists()


async def test_a_taken_port_is_told_before_the_application_starts() -> None:
    begun = False

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal begun
        begun = True

    async with served(hello, lifespan="off", admin="127.0.0.1:0") as server:
        port = int((await server.log.wait_for(ADMIN))[1])
        config = hoopsnake.ServerConfig(port=0, admin=f"127.0.0.1:{port}")
        with pytest.raises(hoopsnake.ListenError):
            await hoopsnake.serve(app, config)
    assert not begun


@pytest.mark.parametrize(
    "text",
    ["", "9000", ":9000", "host", "host:", "host:65536", "::1:80", "[::1]", "unix:", "fd:x"],
)
def test_a_bind_that_cannot_be_meant_is_an_error(text: str) -> None:
    with pytest.raises(hoopsnake.ServerError, match="admin: "):
        hoopsnake.ServerConfig(admin=text)


async def test_its_unix_socket_has_the_access_mode_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "admin"
    async with served(hello, admin=f"unix:{path}", uds_permissions=0o600):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
