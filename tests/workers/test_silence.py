"""A worker whose loop stands still: reported with its stack, killed only where that is asked."""

from __future__ import annotations

import asyncio
from pathlib import Path

from supervised import serving

SILENCE = ("--workers", "1", "--worker-silence", "2")


async def test_a_busy_worker_is_reported_with_its_stack_and_goes_on(tmp_path: Path) -> None:
    async with serving(tmp_path, *SILENCE) as server:
        busy = await server.worker()
        answer = asyncio.create_task(server.get("/block/4"))
        await server.wait_for(rf"\(process {busy}\) has been busy for \d+ s without a turn")
        await server.wait_for(r'web.py", line \d+ in app')
        assert int(await answer) == busy
        await server.wait_for(rf"The loop of Worker 1 \(process {busy}\) turns again, after \d+ s")
        assert await server.worker() == busy
    assert server.log.count("has been busy") == 1


async def test_a_worker_that_waits_is_not_silent(tmp_path: Path) -> None:
    async with serving(tmp_path, *SILENCE) as server:
        await server.get("/sleep/3")
    assert "busy" not in server.log


async def test_a_worker_that_is_stuck_is_killed_where_that_is_asked(tmp_path: Path) -> None:
    async with serving(tmp_path, *SILENCE, "--worker-stuck-timeout", "3") as server:
        stuck = await server.worker()
        answer = asyncio.create_task(server.get("/block/100"))
        await server.wait_for(r"has been busy for \d+ s")
        killed = rf"Killed Worker 1 \(process {stuck}\): no turn of its loop for \d+ s"
        await server.wait_for(killed)
        await asyncio.wait([answer])
        assert answer.exception() is not None
        assert await server.worker() != stuck
