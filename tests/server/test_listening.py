"""Where a server listens: ports, Unix sockets, and what it says when it cannot."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest
from applications import hello
from served import served
from wire import Wire

import hoopsnake
from hoopsnake import ListenError, ServerConfig


async def refused(**settings: Any) -> str:
    """Serve where it cannot be; return what the error says."""
    with pytest.raises(ListenError) as caught:
        await hoopsnake.serve(hello, ServerConfig(**settings))
    return str(caught.value)


async def test_port_0_lets_the_system_choose_and_the_log_tells() -> None:
    async with served(hello) as first, served(hello) as second:
        assert first.port != second.port
        for server in (first, second):
            assert server.address == f"http://127.0.0.1:{server.port}"
            assert (await server.get("/x")).body == b"/x"


async def test_a_taken_port_is_named_with_advice() -> None:
    started: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        started.append(scope["type"])

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError) as caught:
            await hoopsnake.serve(app, ServerConfig(port=port))
    assert f"127.0.0.1:{port} is in use by another program" in str(caught.value)
    assert started == [], "nothing of the application was started"


async def test_a_port_is_free_again_at_once() -> None:
    async with served(hello) as server:
        async with await server.connect() as wire:
            await wire.get()
            await wire.answer()
            port = server.port
            server.stop()
            await server.ended()
    async with served(hello, port=port) as server:
        assert (await server.get()).status == 200


async def test_an_unknown_host_is_named() -> None:
    message = await refused(host="no-such-host.invalid", port=0)
    assert 'cannot find an address for host "no-such-host.invalid"' in message


async def test_an_address_of_another_machine_is_named() -> None:
    assert "cannot listen on 192.0.2.1:0: " in await refused(host="192.0.2.1", port=0)


@pytest.mark.parametrize("host", ["localhost", "0.0.0.0"])
async def test_a_name_or_every_interface_may_be_listened_on(host: str) -> None:
    async with served(hello, host=host) as server:
        family = socket.AF_INET6 if "[" in server.address else socket.AF_INET
        reader, writer = await asyncio.open_connection("localhost", server.port, family=family)
        writer.write(b"GET /x HTTP/1.0\r\n\r\n")
        assert (await reader.read()).endswith(b"/x")
        writer.close()
        await writer.wait_closed()


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
async def test_ipv6_may_be_listened_on() -> None:
    scopes: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await hello(scope, receive, send)

    async with served(app, host="::1", lifespan="off") as server:
        assert server.address == f"http://[::1]:{server.port}"
        reader, writer = await asyncio.open_connection("::1", server.port)
        writer.write(b"GET /x HTTP/1.0\r\n\r\n")
        assert (await reader.read()).endswith(b"/x")
        writer.close()
        await writer.wait_closed()
    assert scopes[0]["server"] == ("::1", server.port)
    assert scopes[0]["client"][0] == "::1"


async def test_a_unix_socket_serves_and_its_file_goes_with_the_server(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    async with served(hello, uds=path) as server:
        assert server.address == f"unix:{path}"
        assert stat.S_ISSOCK(path.stat().st_mode)
        for _ in range(2):
            async with await Wire.open(str(path)) as wire:
                await wire.get("/x")
                assert (await wire.answer()).body == b"/x"
    assert not path.exists()


async def test_an_abandoned_socket_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as abandoned:
        abandoned.bind(str(path))
    async with served(hello, uds=str(path)):
        async with await Wire.open(str(path)) as wire:
            await wire.get("/x")
            assert (await wire.answer()).body == b"/x"


async def test_a_socket_that_somebody_listens_on_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    async with served(hello, uds=path):
        assert f"{path} is in use by another program" in await refused(uds=path)
        async with await Wire.open(str(path)) as wire:
            await wire.get("/still-here")
            assert (await wire.answer()).body == b"/still-here"


async def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("precious")
    assert str(path) in await refused(uds=path)
    assert path.read_text() == "precious"


async def test_a_socket_file_of_a_successor_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    async with served(hello, uds=path) as server:
        path.unlink()
        with socket.socket(socket.AF_UNIX) as successor:
            successor.bind(str(path))
            server.stop()
            await server.ended()
            assert path.exists()


async def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "socket"
    assert str(path) in await refused(uds=path)


async def test_a_path_too_long_for_a_socket_is_told(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 200)
    assert str(path) in await refused(uds=path)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ({"port": -1}, "port -1 is not between 0 and 65535"),
        ({"port": 65536}, "port 65536 is not between 0 and 65535"),
        ({"backlog": 0}, "backlog 0 leaves no room"),
        ({"graceful_timeout": -1.0}, "graceful_timeout -1.0 is not 0 or more seconds"),
        ({"graceful_timeout": float("nan")}, "graceful_timeout nan is not 0 or more seconds"),
        ({"lifespan": "maybe"}, "lifespan 'maybe' is not 'auto', 'on' or 'off'"),
        ({"log_level": "loud"}, "log_level 'loud' is no level"),
        ({"root_path": "mounted"}, "root_path 'mounted' does not begin with '/'"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused_where_it_is_made(
    setting: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(hoopsnake.ServerError) as caught:
        ServerConfig(**setting)
    assert complaint in str(caught.value)


def test_settings_cannot_change() -> None:
    with pytest.raises(AttributeError):
        ServerConfig().port = 1


async def test_a_backlog_beyond_the_systems_is_no_error() -> None:
    async with served(hello, backlog=1_000_000) as server:
        assert (await server.get()).status == 200
