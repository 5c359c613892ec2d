"""The end: in order, at once, of those that do not listen, and of those whose parent has gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

import pytest
from supervised import Supervised, gone, serving


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_requests_under_way_are_answered_before_the_end(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with serving(tmp_path, "--workers", "2") as server:
        worker = await server.worker()
        answer = asyncio.create_task(server.get("/sleep/0.7"))
        await under_way(server)
        # As a terminal does it: to every process of the group.
        os.killpg(server.process.pid, number)
        assert int(await answer) > 0
        assert await server.ended() == 0
        await gone(worker)
    assert "Cancelling" not in server.log
    assert "Traceback" not in server.log


async def under_way(server: Supervised) -> None:
    """Wait until a request that was sent before is at work: one that is sent later was answered."""
    for _ in range(8):
        await server.get()


async def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    async with serving(tmp_path, "--workers", "2", "--graceful-timeout", "100") as server:
        answer = asyncio.create_task(server.get("/sleep/100"))
        await under_way(server)
        server.signal(signal.SIGTERM)
        # Connections that have only looked may still be on their way out.
        await server.wait_for(r"Stopping: \d+ open connections, 1 requests at work")
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        assert await server.ended() == 0
        assert time.monotonic() - began < 20
        await asyncio.wait([answer])
        assert "503" in str(answer.exception())


async def test_a_worker_that_does_not_listen_is_killed_and_named(tmp_path: Path) -> None:
    async with serving(tmp_path, "--workers", "1", "--graceful-timeout", "0") as server:
        deaf = await server.worker()
        answer = asyncio.create_task(server.get("/block/100"))
        # It is busy once nobody else is answered; the request above was the first to arrive.
        later = asyncio.create_task(server.get("/never"))
        await asyncio.wait([later], timeout=0.5)
        assert not later.done()
        server.signal(signal.SIGTERM)
        await server.wait_for("Stopping 1 worker")
        assert await server.ended() == 0
        await asyncio.gather(answer, later, return_exceptions=True)
    assert f"Killed Worker 1 (process {deaf}): it did not stop within 5 s" in server.log


async def test_workers_end_in_order_when_their_supervisor_is_gone(tmp_path: Path) -> None:
    async with serving(tmp_path, "--workers", "2") as server:
        workers: set[int] = set()
        while len(workers) < 2:
            workers.add(await server.worker())
        answer = asyncio.create_task(server.get("/sleep/0.5"))
        await under_way(server)
        server.signal(signal.SIGKILL)
        assert int(await answer) in workers
        for worker in workers:
            await gone(worker)
        with pytest.raises(ConnectionRefusedError):
            await server.get()


async def test_connections_are_refused_while_the_last_requests_are_answered(tmp_path: Path) -> None:
    async with serving(tmp_path, "--workers", "1") as server:
        await server.worker()
        answer = asyncio.create_task(server.get("/sleep/6"))
        await under_way(server)
        server.signal(signal.SIGTERM)
        await server.wait_for("1 requests at work")
        with pytest.raises(ConnectionRefusedError):
            while not answer.done():
                # One that comes in the very moment may be reset.
                with contextlib.suppress(ConnectionResetError):
                    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
                    writer.close()
        assert not answer.done()
        assert int(await answer) > 0
        assert await server.ended() == 0
