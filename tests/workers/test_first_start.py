"""The first workers: they share what is listened on, or the command ends with what is wrong."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest
from supervised import APP, running, serving, starting, write


async def test_workers_share_the_port_and_stop_together(tmp_path: Path) -> None:
    async with serving(tmp_path, "--workers", "3") as server:
        await server.wait_for("with 3 workers")
        answered: set[int] = set()
        while len(answered) < 3:
            answered.add(await server.worker())
        assert server.process.pid not in answered
        server.signal(signal.SIGTERM)
        assert await server.ended() == 0
    assert "Stopping 3 workers" in server.log
    assert server.log.endswith("Stopped\n")
    assert "Traceback" not in server.log


async def test_workers_share_a_unix_socket_whose_file_goes_in_the_end(tmp_path: Path) -> None:
    write(tmp_path, APP)
    places = ("--bind", "unix:socket", "--bind", "127.0.0.1:0")
    command = ["-m", "hoopsnake", "serve", "web:app", "--workers", "2", *places]
    async with running(tmp_path, command) as server:
        await server.wait_for(r"Serving on unix:socket and http://127.0.0.1:\d+ with 2 workers")
        assert (tmp_path / "socket").is_socket()
        server.signal(signal.SIGTERM)
        assert await server.ended() == 0
        assert not (tmp_path / "socket").exists()


async def test_an_application_finds_what_it_finds_without_workers(tmp_path: Path) -> None:
    said = 'b" ".join(each.encode() for each in (*sys.argv[1:3], sys.path[0], __name__))'
    source = APP.replace('b"%d" % os.getpid()', said)
    answers = []
    for options in ((), ("--workers", "1")):
        async with serving(tmp_path, *options, source=source) as server:
            answers.append(await server.get())
    assert answers[0] == answers[1] == f"serve web:app {tmp_path} web"


@pytest.mark.parametrize(
    ("source", "status", "said"),
    [
        ("import nothing_like_it\napp = None", 1, "No module named 'nothing_like_it'"),
        ("def app(", 1, "SyntaxError"),
        ("other = 1", 2, "hoop: error: 'web' (a module) has no attribute 'app'"),
        ("import sys\nsys.exit(7)", 7, "ended with status 7"),
        ("import sys\nsys.exit('no such luck')", 1, "no such luck"),
        ("import os\nos.abort()", 1, "Fatal Python error: Aborted"),
        (
            "async def app(scope, receive, send):\n    await receive()\n"
            "    await send({'type': 'lifespan.startup.failed', 'message': 'no database'})",
            1,
            "hoop: error: the application's startup failed:\nno database",
        ),
    ],
)
async def test_an_application_that_no_worker_can_serve_ends_the_command(
    tmp_path: Path, source: str, status: int, said: str
) -> None:
    async with starting(tmp_path, "--workers", "3", source=source) as server:
        assert await server.ended() == status
    assert server.log.count(said) == 1, server.log
    assert "Serving" not in server.log
    # Only a crash shows what led to the application.
    assert ("_workers" in server.log) == ("abort" in source), server.log


async def test_a_taken_port_ends_the_command_before_any_worker_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        async with starting(tmp_path, "--port", port, "--workers", "2") as server:
            assert await server.ended() == 1
    assert server.log.count(f"hoop: error: 127.0.0.1:{port} is in use") == 1


async def test_a_tls_file_that_is_not_there_ends_the_command(tmp_path: Path) -> None:
    async with starting(tmp_path, "--workers", "2", "--ssl-certfile", "none.pem") as server:
        assert await server.ended() == 1
    assert server.log.count("hoop: error: ") == 1
    assert "none.pem" in server.log


async def test_a_stop_while_workers_start_ends_the_command_soon(tmp_path: Path) -> None:
    source = """
import sys, time
print("importing", file=sys.stderr, flush=True)
time.sleep(60)
"""
    async with starting(tmp_path, "--workers", "2", source=source) as server:
        await server.wait_for("importing", times=2)
        server.signal(signal.SIGTERM)
        assert await server.ended() == 0
    assert "Traceback" not in server.log
