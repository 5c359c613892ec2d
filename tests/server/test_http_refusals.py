"""Requests that two servers on the way might read differently are refused, not guessed at."""

from __future__ import annotations

import re

import pytest
from applications import hello
from served import Application, Receive, Scope, Send, served
from wire import request

SMUGGLED = request("GET /smuggled HTTP/1.1")
CHUNKED = "Transfer-Encoding: chunked"
LAST_CHUNK = b"0\r\n\r\n"

# Those that pass hyper's parser and are refused by ours, which says why.
OURS = {
    "no host": (b"GET / HTTP/1.1\r\n\r\n", "exactly one Host"),
    "two hosts": (request("GET / HTTP/1.1", "Host: a", "Host: b"), "exactly one Host"),
    "the same host twice": (request("GET / HTTP/1.1", "Host: a", "Host: a"), "exactly one Host"),
    "host with a path": (request("GET / HTTP/1.1", "Host: a/b"), "Host header is malformed"),
    "host with a user": (request("GET / HTTP/1.1", "Host: a@b"), "Host header is malformed"),
    "host with a space": (request("GET / HTTP/1.1", "Host: a b"), "Host header is malformed"),
    "host with a query": (request("GET / HTTP/1.1", "Host: a?b"), "Host header is malformed"),
    "authority as target": (request("GET example.org:80 HTTP/1.1"), "target is malformed"),
}

# Those that any strict parser refuses.
MALFORMED = {
    "chunked in HTTP/1.0": request("POST / HTTP/1.0", CHUNKED, body=LAST_CHUNK),
    "two lengths": request("POST / HTTP/1.1", "Content-Length: 5", "Content-Length: 6"),
    "length with a sign": request("POST / HTTP/1.1", "Content-Length: +5"),
    "negative length": request("POST / HTTP/1.1", "Content-Length: -5"),
    "length in hex": request("POST / HTTP/1.1", "Content-Length: 0x5"),
    "length of letters": request("POST / HTTP/1.1", "Content-Length: five"),
    "empty length": request("POST / HTTP/1.1", "Content-Length:"),
    "list of lengths": request("POST / HTTP/1.1", "Content-Length: 5, 6"),
    "chunked not last": request("POST / HTTP/1.1", "Transfer-Encoding: chunked, gzip"),
    "unknown coding": request("POST / HTTP/1.1", "Transfer-Encoding: xchunked"),
    "space before the colon": request("GET / HTTP/1.1", "X-A : 1"),
    "space in a name": request("GET / HTTP/1.1", "X A: 1"),
    "a continued line": request("GET / HTTP/1.1", "X-A: 1", " continued"),
    "no colon": request("GET / HTTP/1.1", "nonsense"),
    "NUL in a value": request("GET / HTTP/1.1", "X-A: a\0b"),
    "carriage return in a value": request("GET / HTTP/1.1", "X-A: a\rb"),
    "no such version": request("GET / HTTP/1.7"),
    "two spaces": request("GET  / HTTP/1.1"),
    "space in the target": request("GET /a b HTTP/1.1"),
    "no target": request("GET HTTP/1.1"),
    "a relative target": request("GET relative HTTP/1.1"),
    "not HTTP": b"\x00\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}

BAD_CHUNKS = {
    "size of letters": b"xyz\r\nabc\r\n" + LAST_CHUNK,
    "size with a sign": b"+3\r\nabc\r\n" + LAST_CHUNK,
    "size with 0x": b"0x3\r\nabc\r\n" + LAST_CHUNK,
    "size too large": b"f" * 17 + b"\r\nabc\r\n" + LAST_CHUNK,
    "no size": b"\r\nabc\r\n" + LAST_CHUNK,
    "chunk longer than its size": b"3\r\nabcdef\r\n" + LAST_CHUNK,
    "line feed alone after a size": b"3\nabc\r\n" + LAST_CHUNK,
    "line feed in an extension": b"3;a\nb\r\nabc\r\n" + LAST_CHUNK,
}


def recording(paths: list[str]) -> Application:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        paths.append(scope["path"])
        more = True
        while more:
            event = await receive()
            if event["type"] == "http.disconnect":
                return
            more = event["more_body"]
        await hello(scope, receive, send)

    return app


@pytest.mark.parametrize("name", OURS)
async def test_an_ambiguous_request_is_refused_logged_and_the_last_on_its_connection(
    name: str,
) -> None:
    raw, reason = OURS[name]
    paths: list[str] = []
    async with served(recording(paths), lifespan="off") as server:
        async with await server.connect() as wire:
            client = "{}:{}".format(*wire.sock.getsockname())
            await wire.send(raw + SMUGGLED)
            answer = await wire.answer()
            assert (answer.status, answer.one("connection")) == (400, "close")
            assert await wire.rest() == b""
        assert (await server.get("/next")).body == b"/next"
    assert paths == ["/next"]
    (line,) = [each for each in server.log.lines("hoopsnake.error") if "Refused" in each]
    assert line.startswith(f"Refused a request of {client}: ")
    assert reason in line


@pytest.mark.parametrize(
    "lengths", [["Content-Length: 5", CHUNKED], [CHUNKED, "Content-Length: 5"]]
)
async def test_with_two_kinds_of_length_the_chunks_count_and_the_connection_ends(
    lengths: list[str],
) -> None:
    paths: list[str] = []
    headers: list[bytes] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers.extend(name for name, _ in scope["headers"])
        await recording(paths)(scope, receive, send)

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(request("POST /both HTTP/1.1", *lengths, body=LAST_CHUNK) + SMUGGLED)
            answer = await wire.answer()
            # RFC 9112 section 6.1 lets a server answer, if it then closes.
            assert (answer.status, answer.one("connection")) == (200, "close")
            assert await wire.rest() == b""
    assert paths == ["/both"]
    assert b"content-length" not in headers, "nobody behind the server is misled"


@pytest.mark.parametrize("name", MALFORMED)
async def test_a_malformed_request_is_refused_and_the_last_on_its_connection(name: str) -> None:
    paths: list[str] = []
    async with served(recording(paths), lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(MALFORMED[name] + SMUGGLED)
            answer = await wire.answer()
            assert 400 <= answer.status <= 505
            assert b"HTTP/1" not in await wire.rest()
        assert (await server.get("/next")).body == b"/next"
    assert paths == ["/next"]


@pytest.mark.parametrize("name", BAD_CHUNKS)
async def test_chunks_that_are_no_chunks_end_the_connection(name: str) -> None:
    paths: list[str] = []
    async with served(recording(paths), lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(request("POST /upload HTTP/1.1", CHUNKED) + BAD_CHUNKS[name] + SMUGGLED)
            answered = await wire.rest()
        assert (await server.get("/next")).body == b"/next"
    assert b"/upload" not in answered
    assert paths in (["/upload", "/next"], ["/next"])


@pytest.mark.parametrize(
    "host",
    ["a", "a:80", "127.0.0.1:8000", "[::1]", "[::1]:80", "", "a_b.example", "xn--caf-dma.example"],
)
async def test_every_proper_host_is_taken(host: str) -> None:
    async with served(hello, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(request("GET / HTTP/1.1", f"Host: {host}"))
            assert (await wire.answer()).status == 200


async def test_an_old_client_need_not_name_a_host() -> None:
    async with served(hello, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(b"GET / HTTP/1.0\r\n\r\n")
            assert (await wire.answer()).status == 200


@pytest.mark.parametrize(
    "raw",
    [
        request("GET / HTTP/1.1", *(f"X-{each}: 1" for each in range(1000))),
        request("GET / HTTP/1.1", "X-Large: " + "a" * 600_000),
        request(f"GET /{'a' * 200_000} HTTP/1.1"),
    ],
    ids=["headers", "header", "target"],
)
async def test_a_head_without_measure_is_refused(raw: bytes) -> None:
    paths: list[str] = []
    async with served(recording(paths), lifespan="off") as server:
        async with await server.connect() as wire:
            wire.writer.write(raw)
            first = await wire.reader.readline()
            assert re.match(rb"HTTP/1\.1 (400|414|431) ", first), first
        assert (await server.get("/next")).body == b"/next"
    assert paths == ["/next"]
