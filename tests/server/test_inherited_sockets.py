"""Sockets that a process was given: by number, or by systemd, and those that are of no use."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import IO

import pytest
from applications import hello
from program import PACKAGES, Program
from served import served
from wire import Wire

import hoopsnake
from hoopsnake import ListenError, ServerConfig
from hoopsnake._listening import open_sockets

APP = """
import os

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        raise NotImplementedError
    left = ",".join(sorted(name for name in os.environ if name.startswith("LISTEN_")))
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": left.encode() or b"none left"})
"""

# Moves sockets to the numbers from 3 on, says so in the environment, and becomes the server.
PASS_ON = """
import fcntl, os, sys

pid, *numbers = sys.argv[1:sys.argv.index("--")]
# Out of the way first: one may stand where another is to go.
high = [fcntl.fcntl(int(each), fcntl.F_DUPFD, 50) for each in numbers]
for place, each in enumerate(high, start=3):
    os.dup2(each, place)
    os.close(each)
os.environ |= {
    "LISTEN_PID": pid or str(os.getpid()), "LISTEN_FDS": str(len(high)), "LISTEN_FDNAMES": "web"
}
os.execv(sys.executable, [sys.executable, *sys.argv[sys.argv.index("--") + 1:]])
"""


async def test_a_listening_descriptor_is_taken_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as given:
        address = given.getsockname()
        number = os.dup(given.fileno())
        async with served(hello, bind=(f"fd:{number}",), port=8000) as server:
            assert server.address == f"http://127.0.0.1:{address[1]}"
            assert (await server.get("/x")).body == b"/x"
            # The number is free, or has been given to something else.
            with contextlib.suppress(OSError):
                assert os.fstat(number).st_ino != os.fstat(given.fileno()).st_ino
        # Who gave it has it still, and connections wait there for the next one.
        assert given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
        _, writer = await asyncio.open_connection(*address)
        writer.close()


async def test_a_unix_socket_that_was_given_keeps_its_file(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as given:
        given.bind(str(path))
        given.listen()
        async with served(hello, bind=(f"fd:{given.detach()}",), port=8000) as server:
            assert server.address == f"unix:{path}"
            async with await Wire.open(str(path)) as wire:
                await wire.get("/x")
                assert (await wire.answer()).body == b"/x"
    assert path.exists()


async def refused(number: int) -> str:
    with pytest.raises(ListenError) as caught:
        await hoopsnake.serve(hello, ServerConfig(bind=(f"fd:{number}",)))
    return str(caught.value)


async def test_what_does_not_listen_is_named_and_left_as_it_was() -> None:
    pair, other = socket.socketpair()
    with tempfile.TemporaryFile() as file, socket.socket() as idle, pair, other:
        for number, reason in (
            (file.fileno(), "is not a socket"),
            (idle.fileno(), "is a socket that does not listen"),
            (pair.fileno(), "is a socket that does not listen"),
        ):
            before = os.get_blocking(number)
            message = await refused(number)
            assert message == f"cannot listen on fd:{number}: descriptor {number} {reason}"
            assert os.get_blocking(number) == before
    with socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        assert "is not a stream socket" in await refused(datagrams.fileno())
    assert "is not open" in await refused(999_999)


@contextlib.asynccontextmanager
async def activated(
    folder: Path, sockets: Sequence[socket.socket | IO[bytes]], *options: str, pid: str = ""
) -> AsyncIterator[Program]:
    """Run `hoop serve` as systemd does: sockets from number 3 on, and variables that tell."""
    (folder / "program.py").write_text(APP)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", PASS_ON, pid, *(str(each.fileno()) for each in sockets)),
        *("--", "-m", "hoopsnake", "serve", "program:app", *options),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PACKAGES)},
        stderr=asyncio.subprocess.PIPE,
        pass_fds=[each.fileno() for each in sockets],
    )
    running = Program(process)
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
            await running.ended()


def listening() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


async def test_sockets_of_systemd_are_served_and_its_variables_removed(tmp_path: Path) -> None:
    with listening() as first, listening() as second:
        async with activated(tmp_path, [first, second]) as server:
            ports = [each.getsockname()[1] for each in (first, second)]
            await server.wait_for(
                rf"Serving on http://127.0.0.1:{ports[0]} and http://127.0.0.1:{ports[1]} "
            )
            for port in ports:
                async with await Wire.open(("127.0.0.1", port)) as wire:
                    await wire.get()
                    assert (await wire.answer()).body == b"none left"
            server.signal(signal.SIGTERM)
            assert await server.ended() == 0


async def test_sockets_for_another_process_are_left_alone(tmp_path: Path) -> None:
    with listening() as given, socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
        probe.close()
        async with activated(tmp_path, [given], "--port", str(port), pid="1") as server:
            await server.wait_for(rf"Serving on http://127.0.0.1:{port} ")


async def test_an_address_that_was_given_goes_before_systemds_sockets(tmp_path: Path) -> None:
    with listening() as given:
        async with activated(tmp_path, [given], "--port", "0") as server:
            found = await server.wait_for(r"Serving on http://127.0.0.1:(\d+) ")
            assert int(found[1]) != given.getsockname()[1]


async def test_a_passed_descriptor_that_is_no_socket_is_told(tmp_path: Path) -> None:
    with listening() as good, tempfile.TemporaryFile() as file:
        async with activated(tmp_path, [good, file]) as server:
            assert await server.ended() == 1
    assert "hoop: error: cannot listen on fd:4: descriptor 4 is not a socket" in server.errors


@pytest.mark.parametrize("count", ["", "many", "-1", "999999"])
def test_a_count_of_passed_sockets_that_is_none_is_told(
    monkeypatch: pytest.MonkeyPatch, count: str
) -> None:
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", count)
    with pytest.raises(ListenError, match=f"LISTEN_FDS is '{count}', which is no number"):
        open_sockets(ServerConfig())
    assert "LISTEN_PID" not in os.environ
