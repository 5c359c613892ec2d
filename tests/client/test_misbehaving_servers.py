"""Servers that do what they should not: the right error, in time, with bounded memory."""

from __future__ import annotations

import asyncio
import gzip
import resource
import time
import zlib

import pytest
from scripted_server import ScriptedServer, answering, response, scripted

import hoopsnake

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-a: b\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


@pytest.mark.parametrize("whole", [response(), CHUNKED], ids=["length", "chunked"])
async def test_a_response_that_ends_at_any_byte_is_told_from_one_that_is_whole(
    whole: bytes,
) -> None:
    cut = 0

    async def handle(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await server.head(reader)
        writer.write(whole[:cut])

    async with scripted(handle) as server, hoopsnake.Client() as client:
        for cut in range(len(whole)):
            with pytest.raises(hoopsnake.RemoteProtocolError, match=r"GET http://.* \(read phase"):
                await client.get(server.url)
            assert client.stats().open == 0, cut
        cut = len(whole)
        assert (await client.get(server.url)).content == b"hello"


@pytest.mark.parametrize(
    "answer",
    [
        b"garbage\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01" * 20,
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x-many: y\r\n" * 5000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nx-long: " + b"y" * 4_000_000,
    ],
)
async def test_what_is_no_response_is_a_protocol_error(answer: bytes) -> None:
    async with scripted(answering(answer)) as server, hoopsnake.Client() as client:
        with pytest.raises(hoopsnake.RemoteProtocolError):
            await client.get(server.url)
        assert client.stats().open == 0


async def test_a_server_that_says_nothing_runs_into_the_read_timeout() -> None:
    async def handle(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await server.head(reader)
        await asyncio.sleep(60)

    timeout = hoopsnake.Timeout(10, read=0.1)
    async with scripted(handle) as server, hoopsnake.Client(timeout=timeout) as client:
        begun = time.monotonic()
        with pytest.raises(hoopsnake.ReadTimeout, match="sent nothing within 100ms") as caught:
            await client.get(server.url)
        assert 0.09 < time.monotonic() - begun < 9
        assert (caught.value.phase, client.stats().open) == ("read", 0)
        assert caught.value.request is not None and caught.value.request.method == "GET"


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n\r\n"], ids=["head", "body"])
async def test_a_slow_drip_runs_into_the_total_timeout(head: bytes) -> None:
    async def handle(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await server.head(reader)
        writer.write(head or b"HTTP/1.1 200 OK\r\nx: ")
        while True:
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.02)

    timeout = hoopsnake.Timeout(20, total=0.3)
    async with scripted(handle) as server, hoopsnake.Client(timeout=timeout) as client:
        begun = time.monotonic()
        with pytest.raises(hoopsnake.TotalTimeout, match="300ms"):
            await client.get(server.url)
        assert 0.29 < time.monotonic() - begun < 9
        assert client.stats().open == 0


async def test_a_server_that_takes_nothing_runs_into_the_write_timeout() -> None:
    async def handle(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await server.head(reader)
        await asyncio.sleep(60)

    timeout = hoopsnake.Timeout(10, write=0.2)
    async with scripted(handle) as server, hoopsnake.Client(timeout=timeout) as client:
        with pytest.raises(hoopsnake.WriteTimeout):
            await client.post(server.url, content=b"x" * 30_000_000)
        assert client.stats().open == 0


async def test_a_pool_that_is_full_runs_into_the_pool_timeout_and_serves_in_order() -> None:
    release = asyncio.Event()

    async def handle(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            await server.head(reader)
            await release.wait()
            writer.write(response())

    limits = hoopsnake.Limits(max_connections=1)
    timeout = hoopsnake.Timeout(10, pool=0.1)
    async with (
        scripted(handle) as server,
        hoopsnake.Client(limits=limits, timeout=20) as client,
    ):
        first = asyncio.create_task(client.get(server.url + "first"))
        await asyncio.sleep(0)
        with pytest.raises(hoopsnake.PoolTimeout, match="no connection became free"):
            await client.get(server.url, timeout=timeout)
        others = [asyncio.create_task(client.get(server.url + str(number))) for number in range(5)]
        await asyncio.sleep(0)
        assert client.stats().waiting == 5
        release.set()
        await asyncio.gather(first, *others)
        assert client.stats()[2:] == (1, 1, 0, 0)
    paths = [head.split()[1] for head in server.requests]
    assert paths == [b"/first", b"/0", b"/1", b"/2", b"/3", b"/4"]


async def test_a_silent_tls_handshake_runs_into_its_own_timeout() -> None:
    async def handle(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.read()

    timeout = hoopsnake.Timeout(10, tls=0.1)
    async with (
        scripted(handle) as server,
        hoopsnake.Client(timeout=timeout, verify=False) as client,
    ):
        with pytest.raises(hoopsnake.ConnectTimeout, match="TLS handshake") as caught:
            await client.get(f"https://127.0.0.1:{server.port}/")
        assert (caught.value.phase, client.stats().open) == ("tls", 0)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_decompression_bomb_is_not_let_go_off(coding: str) -> None:
    zeros = b"\0" * (256 * 1024 * 1024)
    body = gzip.compress(zeros, 9) if coding == "gzip" else zlib.compress(zeros, 9)
    del zeros
    answer = response(body, f"content-encoding: {coding}")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with scripted(answering(answer)) as server, hoopsnake.Client() as client:
        with pytest.raises(hoopsnake.ResponseTooLarge, match="decompression bomb"):
            await client.get(server.url)
        assert client.stats().open == 0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


async def test_a_body_that_is_not_what_it_claims_cannot_be_decoded() -> None:
    for body in (b"not gzip at all", gzip.compress(b"hello")[:-4]):
        answer = response(body, "content-encoding: gzip")
        async with scripted(answering(answer)) as server, hoopsnake.Client() as client:
            with pytest.raises(hoopsnake.DecodingError, match=r"compressed body|Content-Encoding"):
                await client.get(server.url)


async def test_a_body_beyond_what_is_read_into_memory_is_told() -> None:
    async def handle(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await server.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with scripted(handle) as server, hoopsnake.Client(max_content=1_000_000) as client:
        with pytest.raises(hoopsnake.ResponseTooLarge, match="1000000 bytes"):
            await client.get(server.url)
        assert client.stats().open == 0


async def test_a_connection_that_died_while_it_was_idle_costs_no_request() -> None:
    closes = asyncio.Event()

    async def handle(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await server.head(reader)
        writer.write(response())
        await writer.drain()
        await closes.wait()

    async with scripted(handle) as server, hoopsnake.Client() as client:
        await client.get(server.url)
        closes.set()
        while client.stats().open:
            await asyncio.sleep(0.001)
        assert (await client.get(server.url)).content == b"hello"
    assert server.connections == 2


async def test_a_request_that_met_a_closing_connection_is_sent_again_if_it_may_be() -> None:
    async def handle(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await server.head(reader)
        writer.write(response())
        # Reads one more request, and closes without a word, as one whose patience has just ended.
        await server.head(reader)

    async with scripted(handle) as server, hoopsnake.Client() as client:
        await client.get(server.url)
        assert (await client.get(server.url)).content == b"hello"
        assert (server.connections, len(server.requests)) == (2, 3)
        with pytest.raises(hoopsnake.RemoteProtocolError, match="closed the connection before"):
            await client.post(server.url, content=b"")
        # It may have been carried out: nobody but the program knows whether it can be again.
        assert len(server.requests) == 4


async def test_nobody_who_listens_is_a_connect_error() -> None:
    async with scripted(answering(response())) as server:
        url = server.url
    async with hoopsnake.Client() as client:
        with pytest.raises(hoopsnake.ConnectError, match=r"refused.*connect phase"):
            await client.get(url)
        assert client.stats().open == 0


async def test_bytes_that_nobody_asked_for_end_a_connection() -> None:
    async with (
        scripted(answering(response() + b"HTTP/1.1 200 OK\r\n\r\nsmuggled")) as server,
        hoopsnake.Client() as client,
    ):
        for _ in range(3):
            assert (await client.get(server.url)).content == b"hello"
    assert server.connections == 3


async def test_a_request_whose_answer_was_announced_is_not_sent_again() -> None:
    async def handle(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await server.head(reader)
        writer.write(response())
        await server.head(reader)
        writer.write(b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n")

    async with scripted(handle) as server, hoopsnake.Client() as client:
        await client.get(server.url)
        with pytest.raises(hoopsnake.RemoteProtocolError, match="closed the connection before"):
            await client.get(server.url)
    assert (server.connections, len(server.requests)) == (1, 2)
