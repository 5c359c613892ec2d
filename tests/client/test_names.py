"""Names: looked up by the loop, believed for a while, addresses tried side by side (RFC 8305)."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack
from typing import Any

import pytest
from scripted_server import answering, response, scripted

import hoopsnake

CLOSING = response(b"hello", "connection: close")


class Names:
    """What the loop answers who asks for a name, and how often it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *addresses: tuple[str, int]) -> None:
        self.addresses = addresses
        self.asked: list[str] = []
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self.look_up)

    async def look_up(self, host: str, port: int, **_: Any) -> list[Any]:
        self.asked.append(host)
        stream = socket.SOCK_STREAM
        return [
            (socket.AF_INET6, stream, 6, "", (*address, 0, 0))
            if ":" in address[0]
            else (socket.AF_INET, stream, 6, "", address)
            for address in self.addresses
        ]


@pytest.mark.parametrize(("dns_cache", "lookups"), [(30.0, 1), (0.0, 3)])
async def test_addresses_are_believed_for_as_long_as_the_setting_says(
    monkeypatch: pytest.MonkeyPatch, dns_cache: float, lookups: int
) -> None:
    async with scripted(answering(CLOSING)) as server:
        names = Names(monkeypatch, ("127.0.0.1", server.port))
        limits = hoopsnake.Limits(dns_cache=dns_cache)
        async with hoopsnake.Client(limits=limits) as client:
            for _ in range(3):
                assert (await client.get("http://name.example/")).content == b"hello"
        assert (server.connections, len(names.asked)) == (3, lookups)


async def test_addresses_that_cannot_be_reached_are_not_believed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with scripted(answering(CLOSING)) as server:
        names = Names(monkeypatch, ("127.0.0.1", 1))
        async with hoopsnake.Client() as client:
            with pytest.raises(hoopsnake.ConnectError, match="refused"):
                await client.get("http://name.example/")
            names.addresses = (("127.0.0.1", server.port),)
            assert (await client.get("http://name.example/")).content == b"hello"
        assert len(names.asked) == 2


async def test_a_family_that_refuses_and_an_address_that_is_silent_hold_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with scripted(answering(CLOSING)) as server:
        with ExitStack() as stack:
            # With its queue full, the system drops what asks for a connection.
            silent = stack.enter_context(socket.socket())
            silent.bind(("127.0.0.1", 0))
            silent.listen(0)
            for _ in range(3):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(silent.getsockname())
            Names(monkeypatch, ("::1", 1), silent.getsockname(), ("127.0.0.1", server.port))
            timeout = hoopsnake.Timeout(5, connect=20)
            async with hoopsnake.Client(timeout=timeout) as client:
                got = await client.get("http://name.example/")
                assert got.content == b"hello"


async def test_a_name_without_addresses_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    Names(monkeypatch)
    async with hoopsnake.Client() as client:
        with pytest.raises(hoopsnake.ConnectError, match=r"'name\.example' has no address"):
            await client.get("http://name.example/")
