"""The rows of HTTP clients: what they ask for, what must hold of them, and that a load counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from bench.compare import client_load, client_workloads, must_hold, workloads
from bench.compare.contenders import LIMIT, OURS
from bench.compare.process import free_port

ROOT = Path(__file__).parents[2]
# A server that answers each request with thirteen bytes, or with what its path says.
SERVER = """
import asyncio, sys

async def talk(reader, writer):
    while True:
        try:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
        except asyncio.IncompleteReadError:
            return writer.close()
        body = b"x" * int(head.split()[1][1:] or 13)
        writer.write(b"HTTP/1.1 200 OK\\r\\ncontent-length: %d\\r\\n\\r\\n" % len(body) + body)

async def main():
    server = await asyncio.start_server(talk, "127.0.0.1", int(sys.argv[1]))
    print("ready", flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


def test_every_client_row_is_measured_and_judged() -> None:
    rows = {row.key: row for row in client_workloads.CLIENT_WORKLOADS}
    assert set(rows) <= {workload.key for workload in workloads.WORKLOADS}
    judged = {threshold.workload: threshold for threshold in must_hold.MUST_HOLD}
    for key, row in rows.items():
        assert key in judged, key
        rivals = set(getattr(judged[key], "rivals", ()))
        assert rivals <= set(row.contenders), "a rival that is not measured leaves a row unjudged"
        assert OURS in row.contenders
        assert (LIMIT in row.contenders) is not row.creates


def test_every_contender_has_a_program() -> None:
    for client, loop in client_workloads.CLIENTS.values():
        assert client in client_load.CLIENTS
        assert loop in ("hoopsnake", "uvloop"), "the better of two loops for all of them"


def load(url: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Run our client's load as the bench does."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "bench.compare.client_load", "--client", "hoopsnake"),
            *("--loop", "hoopsnake", "--seconds", "0.1", "--at-once", "3", "--url", url, *more),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'python'}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_load_counts_right_answers_and_ends_at_a_wrong_one() -> None:
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, str(port)], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            url = f"http://127.0.0.1:{port}/"
            figures = json.loads(load(url, "--expected", "13").stdout)
            assert figures["per_second"] > 0
            assert figures["cpu_us"] > 0
            streamed = load(url + "50000", "--expected", "50000", "--stream")
            assert json.loads(streamed.stdout)["per_second"] > 0, streamed.stderr
            assert json.loads(load(url, "--expected", "13", "--create").stdout)["create_ms"] > 0
            wrong = load(url, "--expected", "14")
            assert wrong.returncode == 1
            assert "13 bytes came, not 14" in wrong.stderr
        finally:
            server.kill()
