"""The admin port of a supervisor: it speaks for all its workers, and outlives each of them."""

from __future__ import annotations

import asyncio
import re
import signal
from pathlib import Path

from supervised import APP, Client, Supervised, serving, starting

ADMIN = ("--admin", "127.0.0.1:0")
AT = r"Metrics and health on http://127\.0\.0\.1:(\d+)"
# It starts when its folder says so.
SLOW_START = APP.replace(
    'await send({"type": "lifespan.startup.complete"})',
    """while not os.path.exists("go"):
            await asyncio.sleep(0.01)
        await send({"type": "lifespan.startup.complete"})""",
    1,
)


async def look(server: Supervised, path: str = "/metrics") -> str:
    port = int((await server.wait_for(AT))[1])
    async with Client(port) as client:
        return await client.get(path)


async def readiness(server: Supervised) -> str:
    port = int((await server.wait_for(AT))[1])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /health/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    answer = (await reader.read()).decode()
    writer.close()
    return answer.rpartition("\r\n\r\n")[2].strip()


def requests(metrics: str) -> dict[str, int]:
    """How many requests each worker has answered."""
    found = re.findall(r'hoopsnake_requests_total\{.*worker="(\d+)"\} (\d+)', metrics)
    return {worker: int(count) for worker, count in found}


async def test_each_worker_has_its_own_samples(tmp_path: Path) -> None:
    async with serving(tmp_path, "--workers", "2", *ADMIN) as server:
        while len(set(requests(await look(server)))) < 2:
            await server.get()
        before = requests(await look(server))
        for _ in range(10):
            await server.get()
        metrics = await look(server)
        after = requests(metrics)
        assert sum(after.values()) == sum(before.values()) + 10
        assert metrics.count("# TYPE hoopsnake_requests_total counter\n") == 1
        # From the first look on, durations are counted.
        counted = re.findall(r'duration_seconds_count\{worker="\d"\} (\d+)', metrics)
        assert sum(map(int, counted)) >= 10
        assert re.search(r'process_resident_memory_bytes\{worker="2"\} \d{7}', metrics)


async def test_a_worker_that_took_over_speaks_for_its_place(tmp_path: Path) -> None:
    async with serving(tmp_path, "--workers", "1", *ADMIN) as server:
        await server.get()
        assert requests(await look(server)) == {"1": 1}
        server.signal(signal.SIGHUP)
        await server.wait_for("Reloaded")
        assert requests(await look(server)) == {}
        metrics = await look(server)
        assert metrics.count('process_start_time_seconds{worker="1"}') == 1
        assert await readiness(server) == "ready"


async def test_it_is_ready_as_long_as_there_is_a_worker(tmp_path: Path) -> None:
    options = ("--workers", "1", "--shutdown-delay", "60", *ADMIN)
    async with starting(tmp_path, *options, source=SLOW_START) as server:
        assert await readiness(server) == "not ready: starting"
        assert await look(server, "/health/live") == "live\n"
        assert not re.search("^hoopsnake_", await look(server), re.MULTILINE)
        (tmp_path / "go").touch()
        server.port = int((await server.wait_for(r"Serving on http://127\.0\.0\.1:(\d+) "))[1])
        assert await readiness(server) == "ready"
        server.signal(signal.SIGTERM)
        while await readiness(server) == "ready":
            pass
        assert await readiness(server) == "not ready: stopping"
        # The load balancer may not have noticed: who comes is served.
        assert await server.worker() > 0
        server.signal(signal.SIGTERM)
        assert await server.ended() == 0


async def test_under_reload_it_is_there_too(tmp_path: Path) -> None:
    async with serving(tmp_path, "--reload", *ADMIN) as server:
        await server.get()
        assert requests(await look(server)) == {"1": 1}
        assert await readiness(server) == "ready"
