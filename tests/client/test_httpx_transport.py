"""Clients of httpx2 and httpx over hoopsnake's connections: their habits stay theirs."""

from __future__ import annotations

import asyncio
import gzip
import importlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from certificate_authority import Authority
from proxy_server import HttpProxy
from scripted_server import ScriptedServer, answering, response, scripted
from served import Receive, Scope, Send, served

import hoopsnake
from hoopsnake import HTTPTransport

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.fixture(params=["httpx2", "httpx"])
def httpx(request: pytest.FixtureRequest) -> Any:
    return importlib.import_module(request.param)


async def test_a_request_and_its_response(httpx: Any) -> None:
    answer = response(
        b"hello", "content-type: text/plain", "x-one: 1", "x-one: 2", status="200 Yes"
    )
    async with scripted(answering(answer)) as server:
        async with httpx.AsyncClient(transport=HTTPTransport()) as client:
            got = await client.get(server.url + "a%20path", params={"q": "1"})
            assert isinstance(got, httpx.Response)
            assert (got.status_code, got.reason_phrase, got.text) == (200, "Yes", "hello")
            assert got.http_version == "HTTP/1.1"
            assert got.headers.get_list("x-one") == ["1", "2"]
            assert got.elapsed.total_seconds() > 0
            assert got.num_bytes_downloaded == 5
            assert got.request.url == server.url + "a%20path?q=1"
    head = server.requests[0].decode().lower().split("\r\n")
    assert head[0] == "get /a%20path?q=1 http/1.1"
    assert head.count(f"host: 127.0.0.1:{server.port}") == 1
    assert [line for line in head if line.startswith("user-agent: python-httpx")]
    assert not [line for line in head if line.startswith("content-length")]


async def test_connections_are_kept_and_counted(httpx: Any) -> None:
    transport = HTTPTransport()
    async with scripted(answering(response())) as server:
        async with httpx.AsyncClient(transport=transport) as client:
            for _ in range(3):
                await client.get(server.url)
            assert transport.stats()[:4] == (1, 2, 1, 1)
        with pytest.raises(RuntimeError, match="closed"):
            await client.get(server.url)
    assert server.connections == 1


async def test_bodies_of_each_kind_go_out(httpx: Any) -> None:
    bodies: list[bytes] = []

    async def echo(server: ScriptedServer, reader: Any, writer: Any) -> None:
        while True:
            body = await server.body(await server.head(reader), reader)
            bodies.append(body)
            writer.write(response(body))

    async def pieces() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    async with scripted(echo) as server:
        async with httpx.AsyncClient(transport=HTTPTransport()) as client:
            await client.post(server.url, content=b"bytes")
            await client.post(server.url, data={"a": "1 2"})
            await client.post(server.url, json={"a": 1})
            await client.post(server.url, content=pieces())
            await client.post(server.url, content=pieces(), headers={"content-length": "7"})
            await client.post(server.url, files={"file": ("name.txt", b"text")})
            await client.post(server.url)
    assert bodies[:5] == [b"bytes", b"a=1+2", b'{"a":1}', b"one two", b"one two"]
    assert b'filename="name.txt"' in bodies[5]
    assert bodies[6] == b""
    heads = [head.lower() for head in server.requests]
    assert b"content-length: 5\r\n" in heads[0]
    assert b"transfer-encoding: chunked" in heads[3]
    assert b"content-length: 7\r\n" in heads[4]
    assert b"transfer-encoding" not in heads[4]
    assert b"content-length: 0\r\n" in heads[6]


async def test_a_streamed_body_is_made_no_faster_than_it_is_taken(httpx: Any) -> None:
    taking = asyncio.Event()
    made = 0

    async def slow(server: ScriptedServer, reader: Any, writer: Any) -> None:
        await server.head(reader)
        await taking.wait()
        # The last chunk may come in two reads.
        end = b""
        while end != b"\r\n0\r\n\r\n":
            end = (end + await reader.read(1 << 20))[-7:]
        writer.write(response())

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal made
        for number in range(1000):
            made = number
            yield b"x" * 65536

    async with scripted(slow) as server:
        async with httpx.AsyncClient(transport=HTTPTransport(), timeout=20) as client:
            asking = asyncio.create_task(client.post(server.url, content=pieces()))
            # The kernel takes some; then nothing more is asked for until the server reads.
            before = -1
            while made != before:
                before = made
                for _ in range(50):
                    await asyncio.sleep(0)
            assert made < 999
            taking.set()
            assert (await asking).text == "hello"
    assert made == 999


async def test_a_response_is_streamed_and_unpacked_by_the_client(httpx: Any) -> None:
    lines = "".join(f"line {number}\n" for number in range(1000))
    packed = gzip.compress(lines.encode())
    going_on = asyncio.Event()

    async def handle(server: ScriptedServer, reader: Any, writer: Any) -> None:
        while True:
            await server.head(reader)
            head = CHUNKED.replace(b"\r\n\r\n", b"\r\ncontent-encoding: gzip\r\n\r\n")
            writer.write(head + b"%x\r\n%s\r\n" % (50, packed[:50]))
            await going_on.wait()
            writer.write(b"%x\r\n%s\r\n0\r\nx-sum: 9\r\n\r\n" % (len(packed) - 50, packed[50:]))

    async with scripted(handle) as server:
        async with httpx.AsyncClient(transport=HTTPTransport()) as client:
            async with client.stream("GET", server.url) as got:
                raw = got.aiter_raw()
                first = await anext(raw)
                assert packed.startswith(first)
                going_on.set()
                assert first + b"".join([piece async for piece in raw]) == packed
            assert got.extensions["trailers"] == [(b"x-sum", b"9")]
            assert (await client.get(server.url)).text == lines
    assert server.connections == 1


async def test_who_leaves_a_stream_early_closes_the_connection(httpx: Any) -> None:
    gone = asyncio.Event()

    async def handle(server: ScriptedServer, reader: Any, writer: Any) -> None:
        await server.head(reader)
        writer.write(CHUNKED + b"5\r\nhello\r\n")
        assert await reader.read() == b""
        gone.set()

    transport = HTTPTransport()
    async with scripted(handle) as server:
        async with httpx.AsyncClient(transport=transport) as client:
            async with client.stream("GET", server.url) as got:
                assert await anext(got.aiter_bytes()) == b"hello"
            await gone.wait()
            assert transport.stats().open == 0


async def test_a_cancelled_request_leaves_nothing(httpx: Any) -> None:
    asked = asyncio.Event()

    async def silent(server: ScriptedServer, reader: Any, writer: Any) -> None:
        await server.head(reader)
        asked.set()
        await reader.read()

    transport = HTTPTransport()
    async with scripted(silent) as server:
        async with httpx.AsyncClient(transport=transport) as client:
            asking = asyncio.create_task(client.get(server.url))
            await asked.wait()
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            assert (transport.stats().open, transport.stats().waiting) == (0, 0)


async def test_habits_of_the_client_stay(httpx: Any) -> None:
    """Cookies, redirects and authentication are httpx's, over any transport."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        status, fields = 200, []
        if scope["path"] == "/login":
            status, fields = 302, [(b"location", b"/home"), (b"set-cookie", b"session=1; Path=/")]
        elif scope["path"] == "/secret" and b"authorization" not in headers:
            challenge = b'Digest realm="r", nonce="n", qop="auth", algorithm=MD5'
            status, fields = 401, [(b"www-authenticate", challenge)]
        told = b"%s %s" % (headers.get(b"cookie", b"-"), headers.get(b"authorization", b"-")[:6])
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": told})

    async with served(app) as server:
        base = f"http://127.0.0.1:{server.port}"
        async with httpx.AsyncClient(transport=HTTPTransport(), base_url=base) as client:
            got = await client.post("/login", data={"user": "me"}, follow_redirects=True)
            assert got.text == "session=1 -"
            assert [before.status_code for before in got.history] == [302]
            assert client.cookies["session"] == "1"
            # The jar is the client's alone: what sends the requests has none beside it.
            client.cookies.clear()
            assert (await client.get("/home")).text == "- -"
            digest = httpx.DigestAuth("user", "word")
            assert (await client.get("/secret", auth=digest)).text == "- Digest"
            assert (await client.get("/", auth=("user", "word"))).text == "- Basic "


async def test_http2_and_trust_are_the_transports(httpx: Any, tmp_path: Path) -> None:
    authority = Authority()
    certificate = authority.write(tmp_path)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": scope["http_version"].encode()})

    trusted = str(authority.write_own(tmp_path))
    async with served(app, ssl_certfile=str(certificate)) as server:
        url = f"https://localhost:{server.port}/"
        for transport, version in (
            (HTTPTransport(verify=trusted, http2=True), "2"),
            (HTTPTransport(verify=trusted), "1.1"),
            (HTTPTransport(verify=False), "1.1"),
        ):
            async with httpx.AsyncClient(transport=transport) as client:
                got = await client.get(url)
                assert got.text == version
                assert got.http_version == f"HTTP/{version}"
        async with httpx.AsyncClient(transport=HTTPTransport()) as client:
            with pytest.raises(httpx.ConnectError, match="certificate"):
                await client.get(url)


async def test_proxies_are_the_transports_own_and_not_the_environments(
    httpx: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with scripted(answering(response())) as server:
        async with scripted(HttpProxy(server.port, "Basic dXNlcjpwQHNz")) as proxy:
            async with httpx.AsyncClient(transport=HTTPTransport()) as client:
                await client.get(server.url)
            url = f"http://user:p%40ss@127.0.0.1:{proxy.port}"
            for given in (url, httpx.Proxy(url), httpx.URL(url), hoopsnake.Proxy(url)):
                transport = HTTPTransport(proxy=given)
                async with httpx.AsyncClient(transport=transport) as client:
                    assert (await client.get("http://one.example/")).status_code == 200
        assert len(proxy.requests) == 4
    refused = HTTPTransport(proxy="http://127.0.0.1:1")
    async with httpx.AsyncClient(transport=refused) as client:
        with pytest.raises(httpx.ProxyError, match="the proxy"):
            await client.get(server.url)


async def silent(server: ScriptedServer, reader: Any, writer: Any) -> None:
    await server.head(reader)
    await reader.read()


async def closing(server: ScriptedServer, reader: Any, writer: Any) -> None:
    await server.head(reader)
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort")


async def babbling(server: ScriptedServer, reader: Any, writer: Any) -> None:
    await server.head(reader)
    writer.write(b"no HTTP at all\r\n\r\n")


@pytest.mark.parametrize(
    ("handle", "name"),
    [(silent, "ReadTimeout"), (closing, "RemoteProtocolError"), (babbling, "RemoteProtocolError")],
)
async def test_errors_are_the_clients_own(httpx: Any, handle: Any, name: str) -> None:
    async with scripted(handle) as server:
        timeout = httpx.Timeout(20, read=0.05 if handle is silent else 20)
        async with httpx.AsyncClient(transport=HTTPTransport(), timeout=timeout) as client:
            with pytest.raises(getattr(httpx, name)) as caught:
                await client.get(server.url)
    assert type(caught.value) is getattr(httpx, name)
    assert caught.value.request.url == server.url
    assert isinstance(caught.value.__cause__, getattr(hoopsnake, name))


async def test_nobody_there_no_place_no_scheme(httpx: Any) -> None:
    async with scripted(silent) as server:
        limits = httpx.Limits(max_connections=1)
        timeout = httpx.Timeout(5, pool=0.05)
        transport = HTTPTransport(limits=limits)
        async with httpx.AsyncClient(transport=transport, timeout=timeout) as client:
            first = asyncio.create_task(client.get(server.url))
            while transport.stats().open == 0:
                await asyncio.sleep(0)
            with pytest.raises(httpx.PoolTimeout):
                await client.get(server.url)
            first.cancel()
        url = server.url
    async with httpx.AsyncClient(transport=HTTPTransport(retries=1)) as client:
        with pytest.raises(httpx.ConnectError) as caught:
            await client.get(url)
        assert caught.value.request.url == url
        for address in ("/relative", "ftp://example.com/"):
            with pytest.raises(httpx.UnsupportedProtocol):
                await client.get(address)


async def test_a_connection_that_fails_is_tried_again(httpx: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    async with scripted(answering(response()), path):
        transport = HTTPTransport(retries=2, uds=path)
        async with httpx.AsyncClient(transport=transport) as client:
            (tmp_path / "socket").rename(tmp_path / "elsewhere")
            asking = asyncio.create_task(client.get("http://shop/"))
            # The first two attempts follow each other at once; the third comes later.
            await asyncio.sleep(0)
            (tmp_path / "elsewhere").rename(path)
            assert (await asking).text == "hello"


async def test_all_of_a_request_may_have_a_limit(httpx: Any) -> None:
    async def dripping(server: ScriptedServer, reader: Any, writer: Any) -> None:
        await server.head(reader)
        writer.write(CHUNKED)
        while True:
            writer.write(b"1\r\nx\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with scripted(dripping) as server:
        transport = HTTPTransport(total_timeout=0.1)
        async with httpx.AsyncClient(transport=transport) as client:
            with pytest.raises(httpx.ReadTimeout, match="GET"):
                await client.get(server.url)


async def test_without_a_timeout_nothing_is_limited(httpx: Any) -> None:
    async with scripted(answering(response())) as server:
        async with httpx.AsyncClient(transport=HTTPTransport(), timeout=None) as client:
            assert (await client.get(server.url)).text == "hello"


async def test_other_requests_are_refused() -> None:
    with pytest.raises(TypeError, match="requests of httpx2 and httpx"):
        await HTTPTransport().handle_async_request(hoopsnake.Request("GET", "http://shop/"))


def test_another_loop_is_told_which_is_needed(httpx: Any) -> None:
    async def fetch() -> None:
        async with httpx.AsyncClient(transport=HTTPTransport()) as client:
            with pytest.raises(RuntimeError, match="hoopsnake's event loop"):
                await client.get("http://127.0.0.1:9/")

    asyncio.run(fetch())
