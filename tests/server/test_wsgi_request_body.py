"""`wsgi.input`: a request's body, read from a thread that waits for it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from http2 import Client
from wire import request
from wsgi_applications import TEXT, Environ, StartResponse, hello, served_in_threads

from hoopsnake import ClientDisconnected


def answering(use: Callable[[Any], bytes]) -> Any:
    """An application that answers with what `use` makes of the input."""

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        data = use(environ["wsgi.input"])
        start_response("200 OK", TEXT)
        return [data]

    return app


def chunked(data: bytes, size: int = 7) -> bytes:
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])


LINES = b"one\ntwo\r\n\nfour without end"
SMALL, LARGE = os.urandom(1000), os.urandom(3_000_000)


@pytest.mark.parametrize("framing", ["length", "chunks", "HTTP/2"])
@pytest.mark.parametrize(
    ("data", "use", "expected"),
    [
        (b"", lambda file: file.read(), b""),
        (SMALL, lambda file: file.read(), SMALL),
        (SMALL, lambda file: file.read(10) + file.read(0) + file.read(5), SMALL[:15]),
        (SMALL, lambda file: file.read(5000) + file.read(1), SMALL),
        (SMALL, lambda file: b"unread", b"unread"),
        (LARGE, lambda file: file.read(), LARGE),
        (LARGE, lambda file: b"".join(iter(lambda: file.read(100_000), b"")), LARGE),
        (LARGE, lambda file: b"".join(file), LARGE),
        (LINES, lambda file: b"|".join(file), b"one\n|two\r\n|\n|four without end"),
        (LINES, lambda file: file.readline() + file.readline(2), b"one\ntw"),
        (LINES, lambda file: b"|".join(file.readlines()), b"one\n|two\r\n|\n|four without end"),
        (LINES, lambda file: next(file) + file.read(), LINES),
    ],
)
async def test_the_input_is_a_file_however_it_comes(
    framing: str, data: bytes, use: Any, expected: bytes
) -> None:
    async with served_in_threads(answering(use)) as server, await server.connect() as wire:
        if framing == "HTTP/2":
            client = await Client.begin(wire)
            stream = await client.request("/", method="POST", body=data)
            assert (await client.response(stream)).body == expected
            return
        if framing == "length":
            head = request("POST / HTTP/1.1", f"Content-Length: {len(data)}")
            await wire.send(head + data)
        else:
            head = request("POST / HTTP/1.1", "Transfer-Encoding: chunked")
            await wire.send(head + chunked(data, 1 + len(data) // 5))
        assert (await wire.answer()).body == expected


async def test_a_line_is_read_before_the_body_has_ended() -> None:
    read = threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        first = environ["wsgi.input"].readline()
        read.set()
        start_response("200 OK", TEXT)
        return [first + environ["wsgi.input"].read()]

    async with served_in_threads(app) as server, await server.connect() as wire:
        await wire.send(request("POST / HTTP/1.1", "Transfer-Encoding: chunked"))
        await wire.send(b"4\r\none\n\r\n")
        await asyncio.to_thread(read.wait)
        await wire.send(b"3\r\ntwo\r\n0\r\n\r\n")
        assert (await wire.answer()).body == b"one\ntwo"


async def test_a_short_body_that_trickles_holds_no_thread() -> None:
    async with served_in_threads(hello, wsgi_threads=1) as server:
        async with await server.connect() as slow:
            await slow.send(request("POST /slow HTTP/1.1", "Content-Length: 10", body=b"some"))
            for _ in range(3):
                assert (await server.get("/quick")).body == b"/quick"
            await slow.send(b" more.")
            assert (await slow.answer()).body == b"/slow"


async def test_the_client_is_told_to_go_on_when_the_body_is_wanted() -> None:
    wanted = threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/wants":
            wanted.wait()
            environ["wsgi.input"].read()
        start_response("200 OK", TEXT)
        return [b"well"]

    expecting = ("Content-Length: 4", "Expect: 100-continue")
    async with served_in_threads(app) as server:
        async with await server.connect() as wire:
            await wire.send(request("POST /wants HTTP/1.1", *expecting))
            wanted.set()
            assert (await wire.head()).status == 100
            await wire.send(b"body")
            assert (await wire.answer()).body == b"well"
        async with await server.connect() as wire:
            await wire.send(request("POST /does-not HTTP/1.1", *expecting))
            assert (await wire.answer()).status == 200


@pytest.mark.parametrize("length", [100, 1_000_000])
async def test_a_client_that_leaves_amid_its_body_ends_the_read(length: int) -> None:
    seen: list[BaseException | None] = []
    over = threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            environ["wsgi.input"].read()
        except Exception as error:
            seen.append(error)
            raise
        finally:
            over.set()
        raise AssertionError("there was no whole body")

    async with served_in_threads(app) as server:
        async with await server.connect() as wire:
            await wire.send(request("POST / HTTP/1.1", f"Content-Length: {length}", body=b"some"))
        if length > 100_000:
            await asyncio.to_thread(over.wait)
            assert [type(error) for error in seen] == [ClientDisconnected]
    # A short one is awaited before there is a thread.
    assert length > 100_000 or not seen


async def test_a_body_that_nobody_reads_does_not_disturb_the_next_request() -> None:
    async with served_in_threads(hello) as server, await server.connect() as wire:
        for length in (10, 1000, 50_000):
            head = request(f"POST /{length} HTTP/1.1", f"Content-Length: {length}")
            await wire.send(head + bytes(length))
            assert (await wire.answer()).body == b"/%d" % length
