"""Proxies: requests whole, tunnels, SOCKS, who goes through which, and proxies that misbehave."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from certificate_authority import Authority
from proxy_server import HttpProxy, SocksProxy
from scripted_server import ScriptedServer, answering, response, scripted
from websocket_servers import echo, websockets_server

import hoopsnake

AUTHORITY = Authority()
BASIC = "Basic dXNlcjpwQHNz"


@pytest.fixture
def trusted(tmp_path: Path) -> str:
    return str(AUTHORITY.write_own(tmp_path))


def server_tls() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    AUTHORITY.issue().configure_cert(context)
    return context


@asynccontextmanager
async def proxied(
    tls_of_proxy: bool = False, tls_of_server: bool = False, login: str | None = None
) -> AsyncIterator[tuple[ScriptedServer, ScriptedServer, str]]:
    """A server, a proxy in front of it, and the proxy's URL."""
    tls = [server_tls() if wanted else None for wanted in (tls_of_server, tls_of_proxy)]
    async with scripted(answering(response()), tls=tls[0]) as server:
        async with scripted(HttpProxy(server.port, login), tls=tls[1]) as proxy:
            scheme = "https" if tls_of_proxy else "http"
            yield server, proxy, f"{scheme}://localhost:{proxy.port}"


@pytest.mark.parametrize("tls_of_proxy", [False, True])
async def test_a_request_without_tls_is_sent_to_the_proxy_whole(
    trusted: str, tls_of_proxy: bool
) -> None:
    async with proxied(tls_of_proxy, login=BASIC) as (_, proxy, url):
        url = url.replace("//", "//user:p%40ss@")
        async with hoopsnake.Client(proxy=url, verify=trusted) as client:
            for host in ("one.example", "two.example:81"):
                got = await client.get(f"http://{host}/a?b=1")
                assert got.content == b"hello"
            # They are the proxy's own connections, whoever is asked.
            assert (proxy.connections, client.stats().opened) == (1, 1)
    assert proxy.requests[0].startswith(b"GET http://one.example/a?b=1 HTTP/1.1\r\n")
    assert b"host: two.example:81\r\n" in proxy.requests[1]


@pytest.mark.parametrize("tls_of_proxy", [False, True])
async def test_a_request_with_tls_goes_through_a_tunnel(trusted: str, tls_of_proxy: bool) -> None:
    async with proxied(tls_of_proxy, tls_of_server=True, login=BASIC) as (server, proxy, url):
        by_hand = hoopsnake.Proxy(url, auth=("user", "p@ss"), headers={"x-for": "the proxy"})
        async with hoopsnake.Client(proxy=by_hand, verify=trusted) as client:
            for _ in range(2):
                got = await client.post("https://localhost:8443/a", content=b"body")
                assert got.content == b"hello"
            await client.get("https://127.0.0.1/")
    heads = [head.decode().lower() for head in proxy.requests]
    assert [head.split("\r\n")[0] for head in heads] == [
        "connect localhost:8443 http/1.1",
        "connect 127.0.0.1:443 http/1.1",
    ]
    assert "x-for: the proxy" in heads[0]
    assert server.requests[0].startswith(b"POST /a HTTP/1.1")
    assert b"proxy-authorization" not in b"".join(server.requests).lower()


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
@pytest.mark.parametrize("login", [None, (b"user", b"p@ss")])
@pytest.mark.parametrize("tls", [False, True])
async def test_socks_makes_the_connection_and_resolves_the_name(
    trusted: str, scheme: str, login: tuple[bytes, bytes] | None, tls: bool
) -> None:
    async with scripted(answering(response()), tls=server_tls() if tls else None) as server:
        way = SocksProxy(server.port, login)
        async with scripted(way) as proxy:
            url = f"{scheme}://{'user:p%40ss@' if login else ''}127.0.0.1:{proxy.port}"
            async with hoopsnake.Client(proxy=url, verify=trusted) as client:
                base = "https" if tls else "http"
                for host in ("localhost:81", "localhost:81", "127.0.0.1"):
                    assert (await client.get(f"{base}://{host}/a")).content == b"hello"
    port = 443 if tls else 80
    assert way.asked == [(3, b"localhost", 81), (1, b"\x7f\0\0\1", port)]
    assert server.requests[0].startswith(b"GET /a HTTP/1.1")


@pytest.mark.parametrize("tls_of_proxy", [False, True])
async def test_a_websocket_is_a_tunnel_also_without_tls(trusted: str, tls_of_proxy: bool) -> None:
    tls = server_tls() if tls_of_proxy else None
    async with websockets_server(echo) as target:
        port = int(target.rstrip("/").rpartition(":")[2])
        async with scripted(HttpProxy(port, BASIC), tls=tls) as proxy:
            scheme = "https" if tls_of_proxy else "http"
            url = f"{scheme}://user:p%40ss@localhost:{proxy.port}"
            async with hoopsnake.Client(proxy=url, verify=trusted) as client:
                async with client.websocket("ws://name.example/") as socket:
                    await socket.send("hello")
                    assert await socket.receive() == "hello"
        assert proxy.requests[0].startswith(b"CONNECT name.example:80 HTTP/1.1")
        assert len(proxy.requests) == 1


async def test_a_pattern_says_which_requests_go_through_which_proxy() -> None:
    async with proxied() as (server, proxy, url):
        proxies = {
            "all://*.example.com": url,
            "http://direct.example.com": None,
            "all://127.0.0.1": None,
            "http://": "http://127.0.0.1:1",
        }
        async with hoopsnake.Client(proxies=proxies) as client:
            assert (await client.get("http://a.example.com/")).content == b"hello"
            assert (await client.get(server.url)).content == b"hello"
            with pytest.raises(hoopsnake.ProxyError, match=r"the proxy http://127\.0\.0\.1:1: "):
                await client.get("http://example.net/")
    assert len(proxy.requests) == 1


@pytest.mark.parametrize("pattern", ["example.com", "ftp://", "http://a/b", "http://a:port"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="no pattern for URLs"):
        hoopsnake.Client(proxies={pattern: None})


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
async def test_the_environment_counts_where_nothing_else_is_said(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async with proxied() as (server, proxy, url):
        for each in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            monkeypatch.delenv(each, raising=False)
            monkeypatch.delenv(each.upper(), raising=False)
        monkeypatch.setenv(name, url.removeprefix("http://"))
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        async with hoopsnake.Client() as client:
            assert (await client.get("http://one.example/")).content == b"hello"
            await client.get(server.url)
        assert (len(proxy.requests), len(server.requests)) == (1, 2)
        async with hoopsnake.Client(trust_env=False) as client:
            await client.get(server.url.replace("127.0.0.1", "localhost"))
        assert (len(proxy.requests), len(server.requests)) == (1, 3)
        monkeypatch.setenv(name, "gopher://user:secret@localhost")
        async with hoopsnake.Client() as client:
            with pytest.raises(hoopsnake.ProxyError, match="that the environment names") as caught:
                await client.get("http://one.example/")
            with pytest.raises(hoopsnake.ProxyError, match="that the environment names"):
                await client.get("http://one.example/", headers={"x-a": "1"})
            # Who needs no proxy is not told of it.
            assert (await client.get(server.url)).content == b"hello"
            assert (await client.get(server.url, headers={"x-a": "1"})).content == b"hello"
        assert "secret" not in str(caught.value)
        mocked = hoopsnake.MockTransport(lambda _: hoopsnake.Response(200))
        async with hoopsnake.Client(transport=mocked) as client:
            assert (await client.get("http://one.example/")).status_code == 200


async def test_a_desktops_word_for_socks_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    for each in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(each, raising=False)
        monkeypatch.delenv(each.upper(), raising=False)
    async with scripted(answering(response())) as server:
        async with scripted(SocksProxy(server.port)) as proxy:
            monkeypatch.setenv("ALL_PROXY", f"socks://127.0.0.1:{proxy.port}/")
            async with hoopsnake.Client() as client:
                assert (await client.get("http://one.example/")).content == b"hello"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 407 Who?\r\n\r\n", "it has answered 407 Who"),
        (b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 3\r\n\r\nbad", "502 Bad Gateway to CONNECT"),
        (b"HTTP/1.1 301 Moved\r\nlocation: http://evil/\r\n\r\n", "301 Moved"),
        (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "bytes after its answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "its answer is not HTTP"),
        (b"HTTP/2 200\r\n\r\n", "its answer is not HTTP"),
        (b"HTTP/1.1 9 OK\r\n\r\n", "its answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 10_000, "longer than 32768 bytes"),
        (b"HTTP/1.1 200", "closed the connection before its answer"),
        (b"", "closed the connection before its answer"),
    ],
)
async def test_a_proxy_that_makes_no_tunnel_is_a_clear_error(answer: bytes, words: str) -> None:
    async def refuse(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await server.head(reader)
        writer.write(answer)

    async with scripted(refuse) as proxy:
        url = f"http://user:secret@127.0.0.1:{proxy.port}"
        async with hoopsnake.Client(proxy=url) as client:
            with pytest.raises(hoopsnake.ProxyError, match=words) as caught:
                await client.get("https://example.com/")
            assert caught.value.phase == "proxy"
            assert "secret" not in str(caught.value)
            assert client.stats().open == 0


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([b"\x04\x00"], "not SOCKS 5"),
        ([b"HTTP/1.1 400"], "not SOCKS 5"),
        ([b"\x05\xff"], "wants a login"),
        ([b"\x05\x01"], "another way to log in"),
        ([b"\x05\x00", b"\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00"], "connection refused"),
        ([b"\x05\x00", b"\x05\x63\x00\x01\x00\x00\x00\x00\x00\x00"], "a code that means nothing"),
        ([b"\x05\x00", b"\x05\x00\x00\x09\x00"], "not SOCKS 5"),
        ([b"\x05"], "eof"),
    ],
)
async def test_a_socks_proxy_that_makes_no_connection_is_a_clear_error(
    answers: list[bytes], words: str
) -> None:
    async def refuse(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        for answer in answers:
            await reader.read(100)
            writer.write(answer)

    async with scripted(refuse) as proxy:
        async with hoopsnake.Client(proxy=f"socks5://127.0.0.1:{proxy.port}") as client:
            with pytest.raises(hoopsnake.ProxyError, match=f"(?i){words}") as caught:
                await client.get("http://example.com/")
            assert caught.value.phase == "proxy"


async def test_a_wrong_password_for_socks_is_told() -> None:
    async with scripted(SocksProxy(1, (b"user", b"right"))) as proxy:
        async with hoopsnake.Client(proxy=f"socks5://user:wrong@127.0.0.1:{proxy.port}") as client:
            with pytest.raises(
                hoopsnake.ProxyError, match="refuses the name and password"
            ) as caught:
                await client.get("http://example.com/")
            assert "wrong" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://example.com/", "http://example.com/"])
async def test_a_proxy_that_says_nothing_is_waited_for_as_long_as_a_connection(url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # The system accepts, and nobody answers.
        port = listener.getsockname()[1]
        timeout = hoopsnake.Timeout(30, connect=0.5)
        for proxy in ("http", "socks5"):
            if (proxy, url) == ("http", "http://example.com/"):
                continue
            given = f"{proxy}://127.0.0.1:{port}"
            async with hoopsnake.Client(proxy=given, timeout=timeout) as client:
                with pytest.raises(hoopsnake.ConnectTimeout, match="the proxy") as caught:
                    await client.get(url)
                assert caught.value.phase == "proxy"


async def test_a_request_that_is_cancelled_in_a_tunnel_leaves_nothing_behind() -> None:
    asked = asyncio.Event()

    async def stall(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await server.head(reader)
        asked.set()
        assert await reader.read() == b""

    async with scripted(stall) as proxy:
        async with hoopsnake.Client(proxy=f"http://127.0.0.1:{proxy.port}") as client:
            task = asyncio.create_task(client.get("https://example.com/"))
            await asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert client.stats()[2:] == (0, 0, 0, 0)


async def test_the_servers_certificate_counts_and_not_the_proxys(trusted: str) -> None:
    async with proxied(tls_of_server=True) as (_, _, url):
        async with hoopsnake.Client(proxy=url, verify=trusted) as client:
            with pytest.raises(hoopsnake.ConnectError, match=r"other\.example") as caught:
                await client.get("https://other.example/")
            assert caught.value.phase == "tls"
    async with proxied(tls_of_proxy=True) as (_, _, url):
        async with hoopsnake.Client(proxy=url) as client:
            with pytest.raises(hoopsnake.ProxyError, match="certificate") as refused:
                await client.get("http://example.com/")
            assert refused.value.phase == "tls"


def test_a_proxys_password_is_not_shown() -> None:
    assert repr(hoopsnake.Proxy("http://user:secret@host:80")) == "<Proxy(http://host:80)>"
    for url in ("gopher://user:secret@host", "http://user:secret@ho st", "http://user:secret@:1"):
        with pytest.raises(hoopsnake.InvalidURL) as caught:
            hoopsnake.Client(proxy=url)
        assert "secret" not in str(caught.value)
    with pytest.raises(ValueError, match="Unix socket"):
        hoopsnake.Client(proxy="http://host", uds="/run/app.sock")
