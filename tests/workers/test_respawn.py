"""A worker that ends is replaced, and what ended it is told."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from supervised import serving

READY = r"Worker \d+ \(process \d+\) is ready"


async def test_a_killed_worker_is_replaced_while_others_serve(tmp_path: Path) -> None:
    async with serving(tmp_path, "--workers", "2") as server:
        killed = await server.worker()
        os.kill(killed, signal.SIGKILL)
        await server.wait_for(rf"\(process {killed}\) was ended by SIGKILL; the next one starts in")
        for _ in range(20):
            assert await server.worker() != killed
        await server.wait_for(READY)
        answered: set[int] = set()
        while len(answered) < 2:
            answered.add(await server.worker())
        assert killed not in answered


async def test_connections_wait_while_the_only_worker_is_replaced(tmp_path: Path) -> None:
    async with serving(tmp_path, "--workers", "1") as server:
        killed = await server.worker()
        os.kill(killed, signal.SIGKILL)
        await server.wait_for("was ended by SIGKILL")
        assert await server.worker() != killed


async def test_a_worker_that_somebody_else_stops_finishes_and_is_replaced(tmp_path: Path) -> None:
    async with serving(tmp_path, "--workers", "1") as server:
        first = await server.worker()
        os.kill(first, signal.SIGTERM)
        await server.wait_for(rf"\(process {first}\) stops; the next one starts")
        assert await server.worker() != first
    assert "ERROR" not in server.log


async def test_an_application_that_exits_ends_its_worker_alone(tmp_path: Path) -> None:
    async with serving(tmp_path, "--workers", "1") as server:
        first = await server.worker()
        with contextlib.suppress(AssertionError, EOFError, OSError):
            await server.get("/exit/3")
        await server.wait_for(rf"\(process {first}\) ended with status 3")
        assert await server.worker() != first


async def test_a_crash_is_told_with_its_stack(tmp_path: Path) -> None:
    async with serving(tmp_path, "--workers", "1") as server:
        first = await server.worker()
        with contextlib.suppress(AssertionError, EOFError, OSError):
            await server.get("/crash")
        await server.wait_for(rf"\(process {first}\) was ended by SIGSEGV")
        await server.wait_for("Fatal Python error: Segmentation fault")
        await server.wait_for(r'web.py", line \d+ in app')
        assert await server.worker() != first


async def test_what_cannot_start_again_is_tried_ever_more_rarely(tmp_path: Path) -> None:
    async with serving(tmp_path, "--workers", "1") as server:
        first = await server.worker()
        (tmp_path / "web.py").write_text("raise RuntimeError('broken by now')")
        os.kill(first, signal.SIGKILL)
        delays = [
            float((await server.wait_for(r"starts in ([\d.]+) s", times=number))[1])
            for number in (1, 2, 3)
        ]
        assert delays[0] < delays[1] < delays[2]
        assert server.log.count("broken by now") >= 2
        server.signal(signal.SIGTERM)
        assert await server.ended() == 0
