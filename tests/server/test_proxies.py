"""Whose word about a client counts: that of named proxies, and of nobody else."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from applications import body, start
from frames import opened
from http2 import client_of
from served import Receive, Scope, Send, Served, served
from wire import Wire

import hoopsnake

HERE = ("127.0.0.1",)
X = "x-forwarded-for"


async def origin(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with where the request seems to come from."""
    names = ("client", "scheme", "root_path", "path")
    told = {name: scope[name] for name in names}
    told["host"] = [value.decode() for name, value in scope["headers"] if name == b"host"]
    data = json.dumps(told)
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": data})
        await send({"type": "websocket.close"})
    else:
        await send(start())
        await send(body(data.encode()))


@contextlib.asynccontextmanager
async def behind(*proxies: str, **settings: Any) -> AsyncIterator[Served]:
    async with served(origin, lifespan="off", forwarded_allow_ips=proxies, **settings) as server:
        yield server


async def told(server: Served, *headers: str, path: str = "/") -> dict[str, Any]:
    """Where a request with these headers seems to come from, if not from this connection."""
    async with await server.connect() as wire:
        await wire.get(path, *headers)
        answer = json.loads((await wire.answer()).body)
        if answer["client"] == list(wire.sock.getsockname()):
            answer["client"] = "peer"
        return dict(answer)


FORGED = (
    "X-Forwarded-For: 6.6.6.6",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: evil.example",
    "X-Forwarded-Port: 666",
    "X-Forwarded-Prefix: /evil",
    "Forwarded: for=6.6.6.6;proto=https;host=evil.example",
)
AS_IT_IS = {"client": "peer", "scheme": "http", "root_path": "", "path": "/", "host": ["test"]}


@pytest.mark.parametrize("proxies", [(), ("10.0.0.0/8", "::1", "unix")])
@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded"])
async def test_a_stranger_is_believed_nothing(proxies: tuple[str, ...], header: str) -> None:
    parts = ("for", "proto", "host")
    async with behind(*proxies, forwarded_header=header, forwarded_parts=parts) as server:
        assert await told(server, *FORGED) == AS_IT_IS


async def test_a_named_proxy_is_believed_client_and_scheme_and_no_more() -> None:
    async with behind(*HERE) as server:
        expected = {**AS_IT_IS, "client": ["6.6.6.6", 0], "scheme": "https"}
        assert await told(server, *FORGED) == expected


async def test_what_the_proxies_do_not_write_is_not_read() -> None:
    async with behind(*HERE, forwarded_header="forwarded") as server:
        assert await told(server, "X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: wss") == AS_IT_IS
        answer = await told(server, "X-Forwarded-For: 6.6.6.6", 'Forwarded: for="[2001:db8::1]:80"')
        assert answer == {**AS_IT_IS, "client": ["2001:db8::1", 80]}
    async with behind(*HERE) as server:
        assert await told(server, "Forwarded: for=6.6.6.6;proto=https") == AS_IT_IS


async def test_a_client_cannot_invent_an_address_behind_a_proxy_that_appends() -> None:
    async with behind("127.0.0.0/8", "10.0.0.0/8") as server:
        for invented in ("127.0.0.1", "6.6.6.6, 10.0.0.1", "localhost", "unknown"):
            # As nginx writes it: what came, then whom it came from; and another proxy after it.
            answer = await told(server, f"X-Forwarded-For: {invented}, 1.2.3.4, 10.1.1.1")
            assert answer["client"] == ["1.2.3.4", 0], invented
            # As a proxy writes it that adds a line.
            lines = (f"X-Forwarded-For: {invented}", "X-Forwarded-For: 1.2.3.4")
            assert (await told(server, *lines))["client"] == ["1.2.3.4", 0], invented


@pytest.mark.parametrize(
    ("header", "malformed"),
    [
        (X, ["X-Forwarded-For: localhost", "X-Forwarded-Proto: https"]),
        (X, ["X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: javascript"]),
        (X, ["X-Forwarded-For: 1.2.3.4:99999", "X-Forwarded-Proto: https"]),
        ("forwarded", ["Forwarded: for=1.2.3.4; proto=https"]),
        ("forwarded", ['Forwarded: for="1.2.3.4;proto=https']),
        ("forwarded", ["Forwarded: for=1.2.3.4;for=1.2.3.4"]),
    ],
)
async def test_what_is_malformed_is_not_half_believed(header: str, malformed: list[str]) -> None:
    async with behind(*HERE, forwarded_header=header) as server:
        assert await told(server, *malformed) == AS_IT_IS


async def test_a_client_that_the_proxy_does_not_name_is_unknown() -> None:
    async with behind(*HERE, forwarded_header="forwarded") as server:
        answer = await told(server, "Forwarded: for=_hidden;proto=https")
        assert answer == {**AS_IT_IS, "client": None, "scheme": "https"}


async def test_host_port_and_prefix_are_believed_where_that_was_chosen() -> None:
    parts = ("for", "proto", "host", "port", "prefix")
    async with behind(*HERE, forwarded_parts=parts, root_path="/api") as server:
        assert await told(server, *FORGED, path="/x?y=1") == {
            "client": ["6.6.6.6", 0],
            "scheme": "https",
            "root_path": "/evil/api",
            "path": "/evil/api/x",
            "host": ["evil.example:666"],
        }
        for bad in (
            "X-Forwarded-Prefix: //evil.example",
            "X-Forwarded-Host: a b",
            "X-Forwarded-Port: x",
        ):
            answer = await told(server, "X-Forwarded-For: 1.2.3.4", bad)
            assert answer == {**AS_IT_IS, "root_path": "/api", "path": "/api/"}, bad
    async with behind(*HERE, forwarded_header="forwarded", forwarded_parts=("host",)) as server:
        answer = await told(server, 'Forwarded: for=1.2.3.4;proto=https;host="shop.example:8"')
        assert answer == {**AS_IT_IS, "host": ["shop.example:8"]}


async def test_over_http2_it_is_the_same() -> None:
    headers = (("x-forwarded-for", "1.2.3.4"), ("x-forwarded-host", "shop.example"))
    parts = ("for", "proto", "host")
    for proxies, expected in (
        (HERE, (["1.2.3.4", 0], ["shop.example"])),
        ((), (["127.0.0.1"], ["test"])),
    ):
        settings = {"forwarded_allow_ips": proxies, "forwarded_parts": parts}
        async with client_of(origin, **settings) as (client, _):
            answer = json.loads((await client.get("/", *headers)).body)
            assert (answer["client"][: len(expected[0])], answer["host"]) == expected


async def test_a_websocket_is_told_the_same() -> None:
    async with behind(*HERE) as server, await server.connect() as wire:
        await opened(wire, "/", "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https")
        data = await wire.rest()
    answer = json.loads(data[data.index(b"{") : data.index(b"}") + 1])
    assert (answer["client"], answer["scheme"]) == (["1.2.3.4", 0], "wss")


async def test_a_proxy_comes_over_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    for proxies, client in ((("unix",), ["1.2.3.4", 0]), (HERE, None), (("*",), ["1.2.3.4", 0])):
        async with behind(*proxies, uds=path), await Wire.open(path) as wire:
            await wire.get("/", "X-Forwarded-For: 1.2.3.4")
            assert json.loads((await wire.answer()).body)["client"] == client


async def test_the_access_log_names_the_client_that_was_believed() -> None:
    async with behind(*HERE, access_log=True) as server:
        await told(server, "X-Forwarded-For: 2001:db8::1")
    assert server.log.lines("hoopsnake.access")[0].startswith(
        '[2001:db8::1]:0 "GET / HTTP/1.1" 200 OK'
    )


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (
            {"forwarded_allow_ips": ("proxy.example",)},
            "'proxy.example' is no address|proxy.example",
        ),
        ({"forwarded_allow_ips": ("10.0.0.1/8",)}, "bits behind its prefix"),
        ({"forwarded_allow_ips": "127.0.0.1"}, "tuples of str"),
        ({"forwarded_header": "x-real-ip"}, "'x-real-ip' is not"),
        ({"forwarded_parts": ("for", "by")}, "'by' is not"),
        ({"forwarded_parts": ("port",), "forwarded_header": "forwarded"}, "has no 'port'"),
    ],
)
def test_what_cannot_be_meant_is_said(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(hoopsnake.ServerError, match=problem):
        hoopsnake.ServerConfig(**settings)
