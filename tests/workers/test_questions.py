"""What a supervisor may ask a worker, and what it hears of one that does not know or is busy."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from supervised import APP

from hoopsnake import ServerConfig
from hoopsnake._listening import open_sockets
from hoopsnake._stop import Stop
from hoopsnake._workers.config import WorkerConfig
from hoopsnake._workers.journal import SupervisorJournal
from hoopsnake._workers.staff import Staff
from hoopsnake._workers.supervisor import Supervisor
from hoopsnake._workers.worker import Assignment


async def test_each_worker_answers_for_itself(tmp_path: Path) -> None:
    (tmp_path / "web.py").write_text(APP)
    config = ServerConfig(port=0)
    sockets = open_sockets(config)
    port = int(sockets.addresses("http")[0].rpartition(":")[2])
    assignment = Assignment("web:app", False, str(tmp_path), config)
    staff = Staff(assignment, sockets, WorkerConfig(workers=2), SupervisorJournal())
    supervisor = Supervisor(staff, ["here"], Stop())
    running = asyncio.create_task(supervisor.run())
    try:
        while len(staff.alive) < 2:
            await asyncio.sleep(0)
        await asyncio.gather(*(each.ready for each in staff.alive))
        for _ in range(5):
            await ask(port, "/")
        answers = await supervisor.ask("statistics")
        assert sum(each["requests"] for each in answers) == 5
        assert all(each["memory"] > 2**20 for each in answers)
        assert await supervisor.ask("the meaning of life") == []
        # A worker whose loop stands still is not waited for.
        busy = asyncio.create_task(ask(port, "/block/3"))
        while len(await supervisor.ask("statistics")) == 2:
            pass
        assert len(await supervisor.ask("statistics")) == 1
        await busy
    finally:
        supervisor.stop.ask()
        assert await running == 0
        sockets.close()


async def ask(port: int, path: str) -> Any:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer
