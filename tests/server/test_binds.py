"""Several places to listen on at once, how they are written, and what is wrong with some."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import stat
from pathlib import Path
from typing import Any

import pytest
from applications import hello
from served import Served, served
from wire import Wire

import hoopsnake
from hoopsnake import ListenError, ServerConfig


async def listened_on(server: Served) -> list[str]:
    """The addresses that the log names."""
    return (await server.log.wait_for(r"Serving on (.+) \(Ctrl-C"))[1].split(" and ")


async def body_over(address: Any, path: str) -> bytes:
    if isinstance(address, tuple):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        return answer.partition(b"\r\n\r\n")[2]
    async with await Wire.open(address) as wire:
        await wire.get(path)
        body: bytes = (await wire.answer()).body
        return body


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


def noting_its_address(scopes: list[Any]) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope["server"])
        await hello(scope, receive, send)

    return app


async def test_each_request_names_the_address_that_it_came_to_however_often_the_same_is_asked(
    tmp_path: Path,
) -> None:
    path = tmp_path / "socket"
    scopes: list[Any] = []
    binds = ("127.0.0.1:0", f"unix:{path}", "127.0.0.1:0")
    async with served(noting_its_address(scopes), bind=binds, port=8000, lifespan="off") as server:
        first, _, second = await listened_on(server)
        ports = [int(each.rpartition(":")[2]) for each in (first, second)]
        addresses = [str(path), *(("127.0.0.1", port) for port in ports)]
        for _ in range(4):
            for address in addresses:
                assert await body_over(address, "/same") == b"/same"
    assert scopes == [(str(path), None), *addresses[1:]] * 4


async def test_two_ports_and_a_unix_socket_serve_at_once(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    scopes: list[Any] = []
    binds = ("127.0.0.1:0", f"unix:{path}", "127.0.0.1:0")
    async with served(noting_its_address(scopes), bind=binds, port=8000, lifespan="off") as server:
        first, unix, second = await listened_on(server)
        assert unix == f"unix:{path}"
        ports = [int(each.rpartition(":")[2]) for each in (first, second)]
        assert ports[0] != ports[1]
        for port in ports:
            assert await body_over(("127.0.0.1", port), "/tcp") == b"/tcp"
        assert await body_over(str(path), "/unix") == b"/unix"
    assert scopes == [*(("127.0.0.1", port) for port in ports), (str(path), None)]
    assert not path.exists()
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)


async def test_a_name_is_listened_on_at_all_its_addresses_at_one_port() -> None:
    families = {each[0] for each in socket.getaddrinfo("localhost", 0, type=socket.SOCK_STREAM)}
    async with served(hello, host="localhost") as server:
        addresses = await listened_on(server)
        assert len(addresses) == len(families)
        assert {each.rpartition(":")[2] for each in addresses} == {str(server.port)}
        for address in addresses:
            host = re.sub(r"https?://\[?|\]?:\d+$", "", address)
            assert await body_over((host, server.port), "/x") == b"/x"


@needs_ipv6
async def test_every_ipv4_and_every_ipv6_address_may_be_named_beside_each_other() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    binds = (f"0.0.0.0:{port}", f"[::]:{port}")
    async with served(hello, bind=binds, port=8000):
        assert await body_over(("127.0.0.1", port), "/four") == b"/four"
        assert await body_over(("::1", port), "/six") == b"/six"


async def test_a_taken_port_closes_what_was_opened_before_it(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.create_server(("127.0.0.1", 0)) as free:
        first = free.getsockname()[1]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        second = taken.getsockname()[1]
        binds = (f"127.0.0.1:{first}", f"unix:{path}", f"127.0.0.1:{second}")
        with pytest.raises(ListenError, match=f"127.0.0.1:{second} is in use by another program"):
            await hoopsnake.serve(hello, ServerConfig(bind=binds))
    assert not path.exists()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", first)


async def test_a_port_is_shared_where_both_ask_for_it() -> None:
    async with served(hello, reuse_port=True) as first:
        async with served(hello, reuse_port=True, port=first.port) as second:
            assert second.port == first.port
            assert (await first.get("/x")).body == b"/x"
    async with served(hello) as first:
        with pytest.raises(ListenError, match="in use"):
            await hoopsnake.serve(hello, ServerConfig(port=first.port, reuse_port=True))


@pytest.mark.parametrize("mode", [0o600, 0o666, 0o070])
async def test_the_file_of_a_unix_socket_gets_its_mode(tmp_path: Path, mode: int) -> None:
    for settings in ({"uds": tmp_path / "socket"}, {"bind": (f"unix:{tmp_path}/socket",)}):
        async with served(hello, **{"port": 8000, **settings}, uds_permissions=mode):
            assert stat.S_IMODE((tmp_path / "socket").stat().st_mode) == mode


async def test_without_a_mode_the_umask_says_it(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        async with served(hello, uds=tmp_path / "socket"):
            assert stat.S_IMODE((tmp_path / "socket").stat().st_mode) == 0o750
    finally:
        os.umask(before)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"bind": ("8000",)}, "'8000' is no place to listen on: write HOST:PORT"),
        ({"bind": (":8000",)}, "0.0.0.0 means every interface"),
        ({"bind": ("::1:8000",)}, "'::1:8000' is no place to listen on"),
        ({"bind": ("[::1]",)}, "write HOST:PORT, [::1]:PORT"),
        ({"bind": ("127.0.0.1:65536",)}, "give a number from 0 to 65535"),
        ({"bind": ("unix:",)}, "names no path"),
        ({"bind": ("fd:three",)}, "names no descriptor"),
        ({"bind": ("a:1", "a:1")}, "bind names a place twice: a:1, a:1"),
        ({"bind": ("a:1",), "port": 1}, "leave out host, port and uds"),
        ({"bind": ("a:1",), "host": "b"}, "leave out host, port and uds"),
        ({"bind": ("a:1",), "uds": "c"}, "leave out host, port and uds"),
        ({"uds_permissions": 0o1777}, "uds_permissions 0o1777 is not 0 to 0o777"),
    ],
)
def test_a_place_that_cannot_be_meant_is_refused(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(hoopsnake.ServerError) as caught:
        ServerConfig(**settings)
    assert complaint in str(caught.value)
