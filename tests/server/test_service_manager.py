"""What the service manager (systemd) is told, over the socket that it names."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from applications import hello
from certificate_authority import Authority
from served import served

from hoopsnake._service_manager import ServiceManager


class Manager:
    """A service manager's end."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)

    async def next(self) -> str:
        return (await asyncio.get_running_loop().sock_recv(self.socket, 4096)).decode()


@pytest.fixture(params=["path", "abstract"])
def manager(request: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    abstract = request.param == "abstract"
    address = f"@hoopsnake-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    manager = Manager(address)
    yield manager
    manager.socket.close()


async def test_ready_and_stopping_are_told(manager: Manager) -> None:
    async with served(hello) as server:
        assert await manager.next() == "READY=1"
        server.stop()
        assert await manager.next() == "STOPPING=1"


async def test_signs_of_life_come_from_the_loop(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    async with served(hello) as server:
        assert await manager.next() == "READY=1"
        for _ in range(3):
            assert await manager.next() == "WATCHDOG=1"
        server.stop()
        while (state := await manager.next()) == "WATCHDOG=1":
            pass
        assert state == "STOPPING=1"


async def test_signs_of_life_for_another_process_are_not_sent(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "1000")
    monkeypatch.setenv("WATCHDOG_PID", "1")
    async with served(hello) as server:
        assert await manager.next() == "READY=1"
        server.stop()
        assert await manager.next() == "STOPPING=1"


async def test_a_reload_of_certificates_is_told(manager: Manager, tmp_path: Path) -> None:
    async with served(hello, ssl_certfile=Authority().write(tmp_path)):
        assert await manager.next() == "READY=1"
        os.kill(os.getpid(), signal.SIGHUP)
        state, _, since = (await manager.next()).partition("\nMONOTONIC_USEC=")
        assert state == "RELOADING=1"
        assert int(since) > 0
        assert await manager.next() == "READY=1"


@pytest.mark.parametrize("address", ["", "relative/path", "vsock:2:1234", "/no/such/socket"])
def test_a_manager_that_cannot_be_reached_is_no_fault(address: str) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "soon"})
    manager.stopping()
    manager.close()


async def test_without_a_descriptor_signs_of_life_are_lost_and_come_again(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {"NOTIFY_SOCKET": os.environ["NOTIFY_SOCKET"], "WATCHDOG_USEC": "2000"}
    tried = asyncio.Event()

    def refuse(*_: Any) -> None:
        tried.set()
        raise OSError(errno.EMFILE, "Too many open files")

    telling = ServiceManager(environment)
    with monkeypatch.context() as patch:
        patch.setattr("hoopsnake._service_manager.socket.socket", refuse)
        telling.ready()
        tried.clear()
        await tried.wait()
    assert await manager.next() == "WATCHDOG=1"
    with monkeypatch.context() as patch:
        # The socket is kept: no descriptor is needed any more.
        patch.setattr("hoopsnake._service_manager.socket.socket", refuse)
        for _ in range(3):
            assert await manager.next() == "WATCHDOG=1"
        telling.stopping()
        while (state := await manager.next()) == "WATCHDOG=1":
            pass
        assert state == "STOPPING=1"
    telling.close()


async def test_a_reload_without_certificates_is_told_and_ends_nothing(manager: Manager) -> None:
    async with served(hello) as server:
        assert await manager.next() == "READY=1"
        os.kill(os.getpid(), signal.SIGHUP)
        assert (await manager.next()).startswith("RELOADING=1")
        assert await manager.next() == "READY=1"
        assert "SIGHUP: there are no TLS files to read again" in server.log.text
        assert (await server.get("/x")).body == b"/x"
