"""Servers that are asked by another name than their URL's: in TLS, in Host, and after redirects."""

from __future__ import annotations

import importlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from certificate_authority import Authority
from proxy_server import HttpProxy
from scripted_server import ScriptedServer, answering, response, scripted
from served import Receive, Scope, Send, served
from websocket_servers import echo, websockets_server

import hoopsnake

AUTHORITY = trustme.CA(key_type=trustme.KeyType.ECDSA)
Get = Callable[..., Awaitable[Any]]


class NamedServer:
    """A server with a certificate for shop.example alone, and the names that it was asked for."""

    def __init__(self, server: ScriptedServer, names: list[str | None]) -> None:
        self.server = server
        self.names = names
        self.url = f"https://127.0.0.1:{server.port}/"


@asynccontextmanager
async def named_server(answer: bytes = response()) -> AsyncIterator[NamedServer]:
    names: list[str | None] = []

    def noted(socket: object, name: str | None, context: object) -> None:
        names.append(name)

    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    AUTHORITY.issue_cert("shop.example", key_type=trustme.KeyType.ECDSA).configure_cert(tls)
    tls.sni_callback = noted
    async with scripted(answering(answer), tls=tls) as server:
        yield NamedServer(server, names)


def trusted(folder: Path) -> str:
    path = folder / "authority.pem"
    AUTHORITY.cert_pem.write_to_path(str(path))
    return str(path)


@asynccontextmanager
async def client_of(package: str, **settings: Any) -> AsyncIterator[tuple[Any, Any]]:
    """A client, and the module whose exceptions are its own."""
    module = importlib.import_module(package)
    if package == "hoopsnake":
        async with hoopsnake.Client(**settings) as client:
            yield client, module
    else:
        transport = hoopsnake.HTTPTransport(**settings)
        async with module.AsyncClient(transport=transport) as client:
            yield client, module


@pytest.mark.parametrize("package", ["hoopsnake", "httpx", "httpx2"])
async def test_tls_is_with_the_name_that_the_request_gives(package: str, tmp_path: Path) -> None:
    shop, other = {"sni_hostname": "shop.example"}, {"sni_hostname": "other.example"}
    async with (
        named_server() as server,
        client_of(package, verify=trusted(tmp_path)) as (client, module),
    ):
        with pytest.raises(module.ConnectError, match="certificate"):
            await client.get(server.url)
        for _ in range(2):
            assert (await client.get(server.url, extensions=shop)).text == "hello"
        # Its certificate was good for another name: that connection serves nobody with this one.
        with pytest.raises(module.ConnectError, match=r"other\.example"):
            await client.get(server.url, extensions=other)
        with pytest.raises(module.ConnectError, match="certificate"):
            await client.get(server.url)
        # An address is no name that TLS asks for (RFC 6066 section 3).
        assert server.names == [None, "shop.example", "other.example", None]
        assert len(server.server.requests) == 2


async def test_a_name_is_asked_for_through_a_tunnel(tmp_path: Path) -> None:
    async with (
        named_server() as server,
        scripted(HttpProxy(server.server.port)) as proxy,
        hoopsnake.Client(
            verify=trusted(tmp_path), proxy=f"http://127.0.0.1:{proxy.port}"
        ) as client,
    ):
        extensions = {"sni_hostname": "shop.example"}
        got = await client.get("https://10.0.0.1/", extensions=extensions)
        assert (got.text, server.names) == ("hello", ["shop.example"])
        assert proxy.requests[0].startswith(b"CONNECT 10.0.0.1:443 ")


async def test_a_websocket_is_opened_with_that_name(tmp_path: Path) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    AUTHORITY.issue_cert("shop.example", key_type=trustme.KeyType.ECDSA).configure_cert(tls)
    extensions = {"sni_hostname": "shop.example"}
    verify = trusted(tmp_path)
    async with websockets_server(echo, ssl=tls) as url:
        url = url.replace("ws://", "wss://")
        with pytest.raises(hoopsnake.ConnectError, match="certificate"):
            async with hoopsnake.connect_websocket(url, verify=verify):
                pass
        async with hoopsnake.connect_websocket(url, verify=verify, extensions=extensions) as socket:
            await socket.send("hello")
            assert await socket.receive() == "hello"


async def test_what_is_no_name_is_an_error_of_the_request(tmp_path: Path) -> None:
    async with (
        named_server() as server,
        hoopsnake.Client(verify=trusted(tmp_path)) as client,
    ):
        with pytest.raises(hoopsnake.LocalProtocolError, match="'no name' is no name"):
            await client.get(server.url, extensions={"sni_hostname": "no name"})
        with pytest.raises(hoopsnake.LocalProtocolError, match="is no name"):
            await client.get(server.url, extensions={"sni_hostname": "é" * 70})
        assert client.stats().open == 0


async def test_a_name_may_be_bytes_or_of_any_script_and_an_empty_is_none(
    tmp_path: Path,
) -> None:
    async with (
        named_server() as server,
        hoopsnake.Client(verify=trusted(tmp_path)) as client,
    ):
        got = await client.get(server.url, extensions={"sni_hostname": b"shop.example"})
        assert got.text == "hello"
        for name in ("bücher.example", ""):
            with pytest.raises(hoopsnake.ConnectError, match="certificate"):
                await client.get(server.url, extensions={"sni_hostname": name})
    assert server.names == ["shop.example", "xn--bcher-kva.example", None]


async def test_a_redirect_to_another_origin_is_not_with_that_name(tmp_path: Path) -> None:
    async with named_server() as elsewhere:
        leading = response(b"", f"location: {elsewhere.url}", status="302 Found")
        async with (
            named_server(leading) as server,
            hoopsnake.Client(verify=trusted(tmp_path), follow_redirects=True) as client,
        ):
            extensions = {"sni_hostname": "shop.example", "own": 1}
            with pytest.raises(hoopsnake.ConnectError, match="certificate") as caught:
                await client.get(server.url, extensions=extensions)
            assert caught.value.request is not None
            assert caught.value.request.extensions == {"own": 1}
            assert (server.names, elsewhere.names) == (["shop.example"], [None])
    assert extensions == {"sni_hostname": "shop.example", "own": 1}


async def test_a_redirect_within_an_origin_keeps_both_names(tmp_path: Path) -> None:
    moved = response(b"", "location: /there", status="302 Found")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    AUTHORITY.issue_cert("shop.example", key_type=trustme.KeyType.ECDSA).configure_cert(tls)
    async with (
        scripted(answering(moved, response()), tls=tls) as server,
        hoopsnake.Client(verify=trusted(tmp_path), follow_redirects=True) as client,
    ):
        got = await client.get(
            f"https://127.0.0.1:{server.port}/",
            headers={"host": "shop.example"},
            extensions={"sni_hostname": "shop.example"},
        )
        assert (got.text, server.connections) == ("hello", 1)
    assert all(b"host: shop.example\r\n" in head.lower() for head in server.requests)


@pytest.mark.parametrize("package", ["hoopsnake", "httpx", "httpx2"])
async def test_host_is_the_authority_of_http2(package: str, tmp_path: Path) -> None:
    authority = Authority()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            hosts = [value for name, value in scope["headers"] if name == b"host"]
            told = b"%s %s" % (scope["http_version"].encode(), b", ".join(hosts))
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": told})

    settings = {"verify": str(authority.write_own(tmp_path)), "http2": True}
    async with (
        served(app, ssl_certfile=str(authority.write(tmp_path))) as server,
        client_of(package, **settings) as (client, module),
    ):
        url = f"https://127.0.0.1:{server.port}/"
        assert (await client.get(url)).text == f"2 127.0.0.1:{server.port}"
        got = await client.get(url, headers={"host": "shop.example:81"})
        assert got.text == "2 shop.example:81"
        for host in ("user@shop.example", "shop example"):
            with pytest.raises(module.LocalProtocolError, match="names no host"):
                await client.get(url, headers={"host": host})
        # Nothing of that is the connection's fault.
        assert (await client.get(url)).status_code == 200
