"""pytest-asyncio, in a run of its own: its hook for loop factories and its fixture of a policy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from loop_under_test import ON_REFERENCE

pytest.importorskip("pytest_asyncio")

HOOK = """
from loop_under_test import make_loop

def pytest_asyncio_loop_factories(config, item):
    return {"under test": make_loop}
"""

POLICY = """
import asyncio
import pytest
import hoopsnake
from loop_under_test import ON_REFERENCE

@pytest.fixture(scope="session")
def event_loop_policy():
    if not ON_REFERENCE:
        hoopsnake.install()
    return asyncio.get_event_loop_policy()
"""

TESTS = """
import asyncio
import pytest
import pytest_asyncio
import hoopsnake

@pytest_asyncio.fixture
async def server():
    async def echo(reader, writer):
        writer.write(await reader.readline())
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server:
        yield server

@pytest.mark.asyncio
async def test_a_fixture_and_its_test_share_a_loop(server):
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hello\\n")
    assert await reader.readline() == b"hello\\n"
    writer.close()
    await writer.wait_closed()
    kind = type(asyncio.get_running_loop())
    print("ran on hoopsnake:", issubclass(kind, hoopsnake.EventLoop))

@pytest.mark.asyncio(loop_scope="module")
class TestOfOneLoop:
    loops = []

    async def test_first(self):
        self.loops.append(asyncio.get_running_loop())

    async def test_second(self):
        assert self.loops == [asyncio.get_running_loop()]

@pytest.mark.asyncio
async def test_a_task_that_is_left_is_cancelled():
    asyncio.create_task(asyncio.Event().wait())

@pytest.mark.asyncio
async def test_a_failure_is_told():
    async with asyncio.timeout(0.001):
        await asyncio.Event().wait()
"""


@pytest.mark.parametrize("configuration", [HOOK, POLICY], ids=["hook", "policy"])
def test_tests_run_on_our_loop(tmp_path: Path, configuration: str) -> None:
    (tmp_path / "conftest.py").write_text(configuration)
    (tmp_path / "test_program.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_default_fixture_loop_scope = function\nfilterwarnings =\n"
        "    error\n    ignore:.*policy:DeprecationWarning\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert "1 failed, 4 passed" in done.stdout, done.stdout + done.stderr
    (failure,) = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert "test_a_failure_is_told" in failure
    assert "TimeoutError" in failure
    assert f"ran on hoopsnake: {not ON_REFERENCE}" in done.stdout
