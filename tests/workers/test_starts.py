"""Starts that do not go as they should: no process to be had, a long wait, a change of mind."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from supervised import APP

from hoopsnake import ServerConfig
from hoopsnake._listening import open_sockets
from hoopsnake._stop import Stop
from hoopsnake._workers import staff as staff_module
from hoopsnake._workers import worker_process
from hoopsnake._workers.config import WorkerConfig
from hoopsnake._workers.journal import SupervisorJournal
from hoopsnake._workers.staff import Staff
from hoopsnake._workers.supervisor import Supervisor
from hoopsnake._workers.worker import Assignment
from hoopsnake._workers.worker_process import WorkerFailed, WorkerProcess


def staff_of(folder: Path, source: str, workers: int = 1) -> Staff:
    (folder / "web.py").write_text(source)
    config = ServerConfig(port=0, graceful_timeout=0.1)
    assignment = Assignment("web:app", False, str(folder), config)
    settings = WorkerConfig(workers=workers)
    return Staff(assignment, open_sockets(config), settings, SupervisorJournal())


@contextlib.asynccontextmanager
async def supervised(staff: Staff) -> AsyncIterator[None]:
    supervisor = Supervisor(staff, ["here"], Stop())
    running = asyncio.create_task(supervisor.run())
    try:
        yield
    finally:
        supervisor.stop.asked.set()
        supervisor.stop.at_once.set()
        await running


async def logged(caplog: pytest.LogCaptureFixture, text: str) -> None:
    """Wait until the log has this; there is no event for it."""
    while text not in caplog.text:
        await asyncio.sleep(0.01)


async def test_a_system_that_gives_no_process_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "hoopsnake")
    start = WorkerProcess.start
    refused = 2

    async def scarce(*arguments: Any) -> WorkerProcess:
        nonlocal refused
        if arguments[0] == 2 and refused:
            refused -= 1
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
        return await start(*arguments)

    monkeypatch.setattr(WorkerProcess, "start", scarce)
    staff = staff_of(tmp_path, APP, workers=2)
    async with supervised(staff):
        await logged(caplog, "Worker 2 (process ")
        await logged(caplog, "is ready")
    assert "Worker 2 was not started; the next one starts" in caplog.text
    assert "Worker 2 failed to start (was not started)" in caplog.text
    assert "Resource temporarily unavailable" in caplog.text


async def test_a_start_that_takes_long_is_told_with_its_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(staff_module, "_LONG_START", 4.0)
    staff = staff_of(tmp_path, "import time\ntime.sleep(100)")
    async with supervised(staff):
        await logged(caplog, "has been starting for 4 s; it is at:")
        await logged(caplog, 'web.py", line 2 in <module>')
    assert caplog.text.count("has been starting") == 1


async def test_a_cancelled_start_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[asyncio.subprocess.Process] = []
    waits = asyncio.Event()
    start_process = asyncio.create_subprocess_exec

    async def kept(*arguments: Any, **options: Any) -> asyncio.subprocess.Process:
        begun.append(await start_process(*arguments, **options))
        return begun[-1]

    async def wait_for_ever(_: Any) -> None:
        waits.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio, "create_subprocess_exec", kept)
    monkeypatch.setattr(worker_process, "_reader_of", wait_for_ever)
    staff = staff_of(tmp_path, APP)
    starting = asyncio.create_task(staff.start(1))
    await waits.wait()
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    (process,) = begun
    assert await process.wait() < 0
    assert staff.alive == set()
    await staff.end(Stop())
    with pytest.raises(WorkerFailed, match="the server stops"):
        await staff.start(1)
