"""HTTP/2 and TLS: agreed on by ALPN, shared, reset stream by stream, and trusted by certificate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from certificate_authority import Authority
from served import Message, Receive, Scope, Send, served

import hoopsnake

AUTHORITY = Authority()


class Application:
    """Answers with what it is asked for, and counts who left."""

    def __init__(self) -> None:
        self.left = 0
        self.begun = 0
        self.versions: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        self.versions.append(scope["http_version"])
        self.begun += 1
        if scope["path"] == "/hang":
            while (await receive())["type"] != "http.disconnect":
                pass
            self.left += 1
            return
        body = b""
        more = True
        while more:
            message: Message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = [(b"x-host", dict(scope["headers"])[b"host"])]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body or b"hello"})


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Any]:
    certificate = AUTHORITY.write(tmp_path)
    return {"authority": str(AUTHORITY.write_own(tmp_path)), "server": certificate}


async def test_http2_is_agreed_on_and_one_connection_serves_all(files: dict[str, Any]) -> None:
    application = Application()
    async with served(application, ssl_certfile=str(files["server"])) as server:
        url = f"https://localhost:{server.port}/"
        async with hoopsnake.Client(verify=files["authority"]) as client:
            gots = await asyncio.gather(*[client.get(url) for _ in range(50)])
            assert {got.http_version for got in gots} == {"HTTP/2"}
            assert {got.content for got in gots} == {b"hello"}
            assert gots[0].headers["x-host"] == f"localhost:{server.port}"
            assert gots[0].reason_phrase == "OK"
            assert client.stats()[2:] == (1, 1, 0, 0)
        async with hoopsnake.Client(verify=files["authority"], http2=False) as client:
            got = await client.post(url, content=b"x" * 300_000)
            assert (got.http_version, len(got.content)) == ("HTTP/1.1", 300_000)
    assert set(application.versions) == {"2", "1.1"}


async def test_more_streams_than_fit_go_over_more_connections(files: dict[str, Any]) -> None:
    limits = hoopsnake.Limits(max_streams=5, max_connections=3)
    application = Application()
    async with served(application, ssl_certfile=str(files["server"])) as server:
        url = f"https://localhost:{server.port}/"
        async with hoopsnake.Client(verify=files["authority"], limits=limits) as client:
            tasks = [asyncio.create_task(client.get(url + "hang")) for _ in range(20)]
            while application.begun < 15:
                await asyncio.sleep(0.001)
            assert client.stats()[2:] == (3, 0, 15, 5)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert client.stats()[3:] == (3, 0, 0)
            assert (await client.get(url)).content == b"hello"


async def test_a_cancelled_stream_is_reset_and_its_connection_lives(files: dict[str, Any]) -> None:
    application = Application()
    async with served(application, ssl_certfile=str(files["server"])) as server:
        url = f"https://localhost:{server.port}/"
        async with hoopsnake.Client(verify=files["authority"]) as client:
            await client.get(url)
            tasks = [asyncio.create_task(client.get(url + "hang")) for _ in range(10)]
            while application.begun < 11:
                await asyncio.sleep(0.001)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            while application.left < 10:
                await asyncio.sleep(0.001)
            assert (await client.get(url)).content == b"hello"
            assert client.stats().opened == 1


async def test_a_body_is_streamed_both_ways_in_http2(files: dict[str, Any]) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b"x" * 30_000

    async with served(Application(), ssl_certfile=str(files["server"])) as server:
        async with hoopsnake.Client(verify=files["authority"]) as client:
            url = f"https://localhost:{server.port}/"
            async with client.stream("POST", url, content=pieces()) as got:
                total = sum([len(piece) async for piece in got.aiter_bytes()])
            assert (got.http_version, total) == ("HTTP/2", 1_500_000)


async def test_who_is_not_trusted_is_not_talked_to(files: dict[str, Any], tmp_path: Path) -> None:
    async with served(Application(), ssl_certfile=str(files["server"])) as server:
        url = f"https://localhost:{server.port}/"
        other = tmp_path / "other"
        other.mkdir()
        for trust in (True, str(Authority().write_own(other))):
            async with hoopsnake.Client(verify=trust) as client:
                with pytest.raises(hoopsnake.ConnectError, match=r"UnknownIssuer.*tls phase"):
                    await client.get(url)
                assert client.stats().open == 0
        async with hoopsnake.Client(verify=False) as client:
            assert (await client.get(url)).content == b"hello"
    settings = {"host": "127.0.0.2", "ssl_certfile": str(files["server"])}
    async with served(Application(), **settings) as server:
        async with hoopsnake.Client(verify=files["authority"]) as client:
            with pytest.raises(hoopsnake.ConnectError, match="certificate not valid for name"):
                await client.get(f"https://127.0.0.2:{server.port}/")


async def test_a_client_shows_its_certificate(files: dict[str, Any], tmp_path: Path) -> None:
    own = AUTHORITY.write(tmp_path, "client")
    async with served(
        Application(),
        ssl_certfile=str(files["server"]),
        ssl_ca_certs=files["authority"],
        ssl_cert_reqs="required",
    ) as server:
        url = f"https://localhost:{server.port}/"
        async with hoopsnake.Client(verify=files["authority"], cert=str(own)) as client:
            assert (await client.get(url)).content == b"hello"
        async with hoopsnake.Client(verify=files["authority"]) as client:
            with pytest.raises(hoopsnake.TransportError):
                await client.get(url)


async def test_http2_without_tls_is_spoken_where_nothing_else_is() -> None:
    async with served(Application()) as server:
        async with hoopsnake.Client(http1=False) as client:
            got = await client.get(f"http://127.0.0.1:{server.port}/")
            assert (got.http_version, got.content) == ("HTTP/2", b"hello")


async def test_a_server_that_stops_costs_no_request(files: dict[str, Any]) -> None:
    async with served(Application(), ssl_certfile=str(files["server"])) as first:
        port = first.port
        client = hoopsnake.Client(verify=files["authority"])
        url = f"https://localhost:{port}/"
        assert (await client.get(url)).content == b"hello"
    async with served(Application(), ssl_certfile=str(files["server"]), port=port):
        assert (await client.get(url)).content == b"hello"
        assert client.stats().opened == 2
    await client.aclose()


def test_what_tls_cannot_be_made_of_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        async with hoopsnake.Client(verify=str(tmp_path / "none.pem")) as client:
            await client.get("https://localhost/")

    with pytest.raises(hoopsnake.ConnectError, match=r"cannot read the TLS file .*none\.pem"):
        hoopsnake.run(main())
