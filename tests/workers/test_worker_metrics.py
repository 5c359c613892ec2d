"""The admin port of a supervisor: metrics of all its workers, and whether it is ready."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from supervised import Supervised, serving

ADMIN = ("--workers", "2", "--admin", "127.0.0.1:0")


async def look(server: Supervised, path: str) -> tuple[int, str]:
    port = int((await server.wait_for(r"Metrics and health on http://127\.0\.0\.1:(\d+)"))[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    return int(head.split()[1]), body


async def test_metrics_are_those_of_all_workers(tmp_path: Path) -> None:
    async with serving(tmp_path, *ADMIN) as server:
        for _ in range(7):
            await server.get()
        status, text = await look(server, "/metrics")
    assert status == 200
    counted = re.findall(
        r'^hoopsnake_requests_total\{method="GET",status="2xx",worker="(\d)"\} (\d+)$', text, re.M
    )
    assert sum(int(count) for _, count in counted) == 7
    for number in "12":
        assert re.search(rf'^process_resident_memory_bytes{{worker="{number}"}} \d+$', text, re.M)
        assert f'hoopsnake_request_duration_seconds_count{{worker="{number}"}}' in text


async def test_it_is_ready_until_a_stop_is_asked_for(tmp_path: Path) -> None:
    async with serving(tmp_path, *ADMIN, "--shutdown-delay", "30") as server:
        assert (await look(server, "/health/ready"))[0] == 200
        server.process.terminate()
        while (await look(server, "/health/ready")) != (503, "not ready: stopping\n"):
            pass
        # It is still there for those who have not looked yet.
        assert (await look(server, "/health/live"))[0] == 200
        assert await server.worker() > 0
        server.process.terminate()
        assert await server.ended() == 0


async def test_a_supervisor_that_reloads_has_an_admin_port_too(tmp_path: Path) -> None:
    async with serving(tmp_path, "--reload", *ADMIN[2:]) as server:
        assert await look(server, "/health/ready") == (200, "ready\n")
        assert 'worker="1"' in (await look(server, "/metrics"))[1]
