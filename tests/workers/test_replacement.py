"""Workers that are due are replaced one at a time, and no request is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from supervised import load, serving


async def test_after_so_many_requests_a_worker_is_replaced_without_a_failure(
    tmp_path: Path,
) -> None:
    async with serving(
        tmp_path, "--workers", "2", "--max-requests", "20", "--max-requests-jitter", "20"
    ) as server:
        async with load(server) as result:
            await result.answered_by(5)
    assert result.failures == []
    assert len(result.answers) > 100
    assert "it has served" in server.log
    # The next one is ready before the old one is told to stop.
    assert "Stopped" not in server.log
    assert "ERROR" not in server.log


async def test_after_some_time_a_worker_is_replaced(tmp_path: Path) -> None:
    async with serving(tmp_path, "--workers", "1", "--worker-lifetime", "0.5") as server:
        first = await server.worker()
        await server.wait_for(r"Replacing Worker 1 \(process \d+\): it has served for \d+ seconds")
        await server.wait_for("is ready")
        while await server.worker() == first:
            pass
        assert "ERROR" not in server.log


async def test_a_worker_that_has_grown_is_replaced(tmp_path: Path) -> None:
    async with serving(tmp_path, "--workers", "1", "--worker-memory", "200M") as server:
        first = await server.worker()
        await server.get(f"/hoard/{300 * 1024**2}")
        await server.wait_for(r"Replacing .*: it has \d{3} MiB of memory")
        await server.wait_for("is ready")
        while await server.worker() == first:
            pass


@pytest.mark.parametrize("workers", [1, 3])
async def test_only_one_is_replaced_at_a_time(tmp_path: Path, workers: int) -> None:
    async with serving(tmp_path, "--workers", str(workers), "--worker-lifetime", "0.1") as server:
        for number in range(1, 4):
            await server.wait_for("is ready", times=number)
    events = [line for line in server.log.splitlines() if "Replacing" in line or "is ready" in line]
    for replacing, ready in zip(events[::2], events[1::2], strict=False):
        assert "Replacing" in replacing, server.log
        assert "is ready" in ready, server.log


async def test_a_worker_whose_successor_fails_goes_on(tmp_path: Path) -> None:
    async with serving(tmp_path, "--workers", "1", "--worker-lifetime", "2") as server:
        first = await server.worker()
        (tmp_path / "web.py").write_text("raise RuntimeError('broken by now')")
        await server.wait_for(r"Keeping Worker 1 .*: its successor failed")
        await server.wait_for("broken by now")
        assert await server.worker() == first
