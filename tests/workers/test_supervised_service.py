"""A supervisor under systemd: the sockets that it is given, and what it tells."""

from __future__ import annotations

import asyncio
import signal
import socket
from pathlib import Path

from supervised import APP, running, serving, write

# Moves a socket to number 3, says so in the environment, and becomes the server.
PASS_ON = """
import os, sys

os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""

TELLING = APP.replace(
    'b"%d" % os.getpid()',
    'b",".join(sorted(each.encode() for each in os.environ '
    'if each.startswith(("LISTEN_", "NOTIFY_", "WATCHDOG_")))) or b"none"',
)


class Manager:
    """The service manager's end of what it is told."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(str(path))

    async def next(self) -> str:
        return (await asyncio.get_running_loop().sock_recv(self.socket, 4096)).decode()


async def test_workers_serve_on_systemds_socket_and_know_nothing_of_it(tmp_path: Path) -> None:
    write(tmp_path, TELLING)
    with socket.create_server(("127.0.0.1", 0)) as given:
        number = given.fileno()
        command = ["-m", "hoopsnake", "serve", "web:app", "--workers", "2"]
        arguments = ["-c", PASS_ON, str(number), *command]
        async with running(tmp_path, arguments, descriptors=[number]) as server:
            server.port = given.getsockname()[1]
            await server.wait_for(rf"Serving on http://127.0.0.1:{server.port} with 2 workers")
            for _ in range(10):
                assert await server.get() == "none"
            server.signal(signal.SIGTERM)
            assert await server.ended() == 0
        assert given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1


async def test_the_supervisor_alone_tells_the_service_manager(tmp_path: Path) -> None:
    manager = Manager(tmp_path / "notify")
    environment = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
    with manager.socket:
        options = ("--workers", "2")
        async with serving(tmp_path, *options, source=TELLING, environment=environment) as server:
            assert await manager.next() == "READY=1"
            assert await server.get() == "none"
            server.signal(signal.SIGHUP)
            assert (await manager.next()).startswith("RELOADING=1\nMONOTONIC_USEC=")
            assert await manager.next() == "READY=1"
            write(tmp_path, "raise RuntimeError")
            server.signal(signal.SIGHUP)
            assert (await manager.next()).startswith("RELOADING=1")
            # The old workers serve: that is as ready as it was.
            assert await manager.next() == "READY=1"
            server.signal(signal.SIGTERM)
            assert await manager.next() == "STOPPING=1"
            assert await server.ended() == 0
