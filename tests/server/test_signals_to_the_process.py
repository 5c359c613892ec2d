"""`hoop serve` as a process: how signals and `sys.exit()` end it, and with which status."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest
from program import program, serving, starting

APP = """
import asyncio, sys

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("cleaned up", file=sys.stderr, flush=True)
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"].endswith("-later"):
        await asyncio.sleep(0)
    if scope["path"].startswith("/exit"):
        sys.exit(3)
    if scope["path"].startswith("/interrupt"):
        raise KeyboardInterrupt
    if scope["path"] == "/slow":
        print("slow begun", file=sys.stderr, flush=True)
        await asyncio.Event().wait()
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"hello"})
"""

STOPS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


@STOPS
async def test_a_signal_ends_an_idle_server_quietly_at_once(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with serving(tmp_path, APP, "--graceful-timeout", "60") as server:
        async with await server.connect() as wire:
            await wire.get()
            assert (await wire.answer()).body == b"hello"
            server.signal(number)
            # Not when the minute has passed that requests would have.
            async with asyncio.timeout(15):
                assert await server.ended() == 0
            assert await wire.rest() == b""
    assert "cleaned up" in server.errors
    assert "Stopped" in server.errors
    assert "Traceback" not in server.errors


@STOPS
async def test_a_second_signal_cuts_the_waiting_short(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with serving(tmp_path, APP, "--graceful-timeout", "1000") as server:
        async with await server.connect() as wire:
            await wire.get("/slow")
            await server.wait_for("slow begun")
            server.signal(number)
            await server.wait_for("Stopping: 1 open connections, 1 requests at work")
            server.signal(number)
            assert (await wire.answer()).status == 503
            assert await server.ended() == 0
    assert "Cancelling 1 requests: told to stop at once" in server.errors
    assert "Traceback" not in server.errors


async def test_the_deadline_ends_a_request_and_the_process(tmp_path: Path) -> None:
    async with serving(tmp_path, APP, "--graceful-timeout", "0.2") as server:
        async with await server.connect() as wire:
            await wire.get("/slow")
            await server.wait_for("slow begun")
            server.signal(signal.SIGTERM)
            assert (await wire.answer()).status == 503
            assert await server.ended() == 0
    assert "Cancelling 1 requests: out of time" in server.errors


async def test_a_signal_during_startup_ends_it(tmp_path: Path) -> None:
    source = """
import asyncio, sys

async def app(scope, receive, send):
    await receive()
    print("starting", file=sys.stderr, flush=True)
    await asyncio.Event().wait()
"""
    async with starting(tmp_path, source) as server:
        await server.wait_for("starting")
        server.signal(signal.SIGINT)
        assert await server.ended() == 0
    assert "Traceback" not in server.errors


@pytest.mark.parametrize(
    ("path", "status"),
    [("/exit", 3), ("/exit-later", 3), ("/interrupt", 130), ("/interrupt-later", 130)],
)
async def test_an_application_that_exits_ends_the_process_in_order(
    tmp_path: Path, path: str, status: int
) -> None:
    async with serving(tmp_path, APP) as server:
        async with await server.connect() as wire:
            await wire.get(path)
            assert await server.ended() == status
    assert server.errors.endswith("Stopped\n")
    for complaint in ("Traceback", "never retrieved", "destroyed", "never awaited"):
        assert complaint not in server.errors


async def test_a_failed_startup_ends_the_process_with_its_message(tmp_path: Path) -> None:
    source = """
async def app(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})
"""
    async with starting(tmp_path, source) as server:
        assert await server.ended() == 1
    assert "the application's startup failed:\nno database" in server.errors
    assert "Traceback" not in server.errors


async def test_a_program_goes_on_after_its_server(tmp_path: Path) -> None:
    source = """
import asyncio, os, signal, hoopsnake

async def app(scope, receive, send):
    pass

async def main():
    loop = asyncio.get_running_loop()
    loop.call_later(0.05, os.kill, os.getpid(), signal.SIGINT)
    await hoopsnake.serve(app, hoopsnake.ServerConfig(port=0))
    print("went on")
    # From here on Ctrl-C is the program's own again.
    loop.call_soon(os.kill, os.getpid(), signal.SIGINT)
    try:
        await asyncio.sleep(20)
    except asyncio.CancelledError:
        print("interrupted", flush=True)
        raise

try:
    hoopsnake.run(main())
except KeyboardInterrupt:
    raise SystemExit(7)
"""
    async with program(tmp_path, source, "program.py") as script:
        assert await script.ended() == 7
