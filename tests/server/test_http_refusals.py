"""Requests that two servers on the way might read differently are refused, not guessed at."""

from __future__ import annotations

import asyncio
import re

import pytest
from applications import hello
from served import Application, Receive, Scope, Send, served
from wire import request

SMUGGLED = request("GET /smuggled HTTP/1.1")
CHUNKED = "Transfer-Encoding: chunked"
LAST_CHUNK = b"0\r\n\r\n"

# Each request is followed by another one that nobody may take for a request: what the client gets,
# and what the log says of it.
REFUSED = {
    # Two lengths, or one that two readers might read differently (attack class 1).
    "length, then chunks": (
        request("POST / HTTP/1.1", "Content-Length: 5", CHUNKED, body=LAST_CHUNK),
        400,
        "both Transfer-Encoding and Content-Length",
    ),
    "chunks, then length": (
        request("POST / HTTP/1.1", CHUNKED, "Content-Length: 5", body=LAST_CHUNK),
        400,
        "both Transfer-Encoding and Content-Length",
    ),
    "chunked in HTTP/1.0": (
        request("POST / HTTP/1.0", CHUNKED, body=LAST_CHUNK),
        400,
        "Transfer-Encoding needs HTTP/1.1",
    ),
    "gzip, chunked": (
        request("POST / HTTP/1.1", "Transfer-Encoding: gzip, chunked"),
        501,
        "coding other than chunked",
    ),
    **{
        f"coding {coding!r}": (
            request("POST / HTTP/1.1", f"Transfer-Encoding: {coding}"),
            400,
            'not just "chunked"',
        )
        for coding in (
            "xchunked",
            "chunkedx",
            "chunked, chunked",
            "chunked, gzip",
            "identity",
            "chunked, identity",
            ",chunked",
            "chunked;a=b",
            '"chunked"',
            "",
        )
    },
    "two codings": (request("POST / HTTP/1.1", CHUNKED, CHUNKED), 400, 'not just "chunked"'),
    "coding with a vertical tab": (
        request("POST / HTTP/1.1", "Transfer-Encoding:\x0bchunked"),
        400,
        "value has control characters",
    ),
    "coding in a space's name": (
        request("POST / HTTP/1.1", "Transfer-Encoding : chunked"),
        400,
        "name is malformed",
    ),
    **{
        f"length {length!r}": (
            request("POST / HTTP/1.1", f"Content-Length: {length}"),
            400,
            "Content-Length is not one number",
        )
        for length in ("+5", "-5", "0x5", "five", "", "5, 5", "5 5", "5.0", "1" * 20)
    },
    "two lengths": (
        request("POST / HTTP/1.1", "Content-Length: 5", "Content-Length: 6"),
        400,
        "not one number",
    ),
    "the same length twice": (
        request("POST / HTTP/1.1", "Content-Length: 5", "Content-Length: 5"),
        400,
        "not one number",
    ),
    # Lines that do not end as lines do (attack class 2).
    "line feed alone in the head": (
        b"GET / HTTP/1.1\r\nHost: a\nX-A: b\r\n\r\n",
        400,
        "without a carriage return",
    ),
    "line feeds alone": (b"GET / HTTP/1.1\nHost: a\n\n", 400, "without a carriage return"),
    "an end of head by a line feed": (
        b"GET / HTTP/1.1\r\nHost: a\r\n\n",
        400,
        "without a carriage return",
    ),
    "carriage return in a value": (request("GET / HTTP/1.1", "X-A: a\rb"), 400, "control"),
    "carriage return in the first line": (b"GET / HTTP/1.1\r\r\n\r\n", 400, "request line"),
    "a continued line": (request("GET / HTTP/1.1", "X-A: 1", " continued"), 400, "white space"),
    "a space ahead of the first header": (
        b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        400,
        "white space",
    ),
    "two empty lines ahead": (b"\r\n\r\n" + request("GET / HTTP/1.1"), 400, "request line"),
    # Host and target (attack class 3).
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400, "exactly one Host"),
    "two hosts": (request("GET / HTTP/1.1", "Host: a", "Host: b"), 400, "exactly one Host"),
    "the same host twice": (request("GET / HTTP/1.1", "Host: a", "Host: a"), 400, "one Host"),
    **{
        f"host {host!r}": (
            request("GET / HTTP/1.1", f"Host: {host}"),
            400,
            "Host header is malformed",
        )
        for host in ("a/b", "a@b", "a b", "a?b", "a,b", "a:b", "a:1:2", "[::1", "::1", "[a]b")
    },
    "authority as target": (request("GET example.org:80 HTTP/1.1"), 400, "target is malformed"),
    "a relative target": (request("GET relative HTTP/1.1"), 400, "target is malformed"),
    "an asterisk for GET": (request("GET * HTTP/1.1"), 400, "target is malformed"),
    "a path for CONNECT": (request("CONNECT /a HTTP/1.1"), 400, "target is malformed"),
    "a user in the target": (request("GET http://a@b/ HTTP/1.1"), 400, "target is malformed"),
    "a fragment in the target": (request("GET /a#b HTTP/1.1"), 400, "target is malformed"),
    "no target": (request("GET HTTP/1.1"), 400, "request line"),
    "two spaces": (request("GET  / HTTP/1.1"), 400, "request line"),
    "space in the target": (request("GET /a b HTTP/1.1"), 400, "request line"),
    "no such minor version": (request("GET / HTTP/1.7"), 505, "neither 1.0 nor 1.1"),
    "HTTP/0.9": (b"GET /\r\n\r\n", 400, "request line"),
    # Bytes that have no place where they are (attack class 4).
    "NUL in a value": (request("GET / HTTP/1.1", "X-A: a\0b"), 400, "control characters"),
    "NUL in a name": (request("GET / HTTP/1.1", "X\0A: b"), 400, "name is malformed"),
    "NUL in the target": (request("GET /\0 HTTP/1.1"), 400, "target is malformed"),
    "DEL in a value": (request("GET / HTTP/1.1", "X-A: \x7f"), 400, "control characters"),
    "a tab in the target": (request("GET /\ta HTTP/1.1"), 400, "target is malformed"),
    "no token for a method": (request("G(T / HTTP/1.1"), 400, "request line"),
    "space before the colon": (request("GET / HTTP/1.1", "X-A : 1"), 400, "name is malformed"),
    "space in a name": (request("GET / HTTP/1.1", "X A: 1"), 400, "name is malformed"),
    "no colon": (request("GET / HTTP/1.1", "nonsense"), 400, "name is malformed"),
    "no name": (request("GET / HTTP/1.1", ": 1"), 400, "name is malformed"),
    "not HTTP": (b"\x00\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "request line"),
}

BAD_CHUNKS = {
    "size of letters": (b"xyz\r\nabc\r\n" + LAST_CHUNK, "a chunk is malformed"),
    "size with a sign": (b"+3\r\nabc\r\n" + LAST_CHUNK, "a chunk is malformed"),
    "size with 0x": (b"0x3\r\nabc\r\n" + LAST_CHUNK, "a chunk is malformed"),
    "size too large": (b"f" * 17 + b"\r\nabc\r\n" + LAST_CHUNK, "a chunk is malformed"),
    "size that overflows": (b"8" + b"0" * 15 + b"\r\nabc\r\n", "a chunk is malformed"),
    "no size": (b"\r\nabc\r\n" + LAST_CHUNK, "a chunk is malformed"),
    "space behind a size": (b"3 \r\nabc\r\n" + LAST_CHUNK, "a chunk is malformed"),
    "chunk longer than its size": (b"3\r\nabcdef\r\n" + LAST_CHUNK, "a chunk is malformed"),
    "chunk without its end": (b"3\r\nabc0\r\n\r\n", "a chunk is malformed"),
    "line feed alone after a chunk": (b"3\r\nabc\n" + LAST_CHUNK, "a chunk is malformed"),
    "line feed alone after a size": (b"3\nabc\r\n" + LAST_CHUNK, "without a carriage return"),
    "line feed in an extension": (b"3;a\nb\r\nabc\r\n", "without a carriage return"),
    "NUL in an extension": (b"3;a=\0\r\nabc\r\n", "a chunk is malformed"),
    "a long extension": (b"3;" + b"e" * 300 + b"\r\nabc\r\n", "extensions are too long"),
    "an extension without end": (b"3;" + b"e" * 9000, "extensions are too long"),
    "many extensions": ((b"1;" + b"e" * 200 + b"\r\na\r\n") * 50, "extensions are too long"),
    "a length among the trailers": (b"0\r\nContent-Length: 5\r\n\r\n", "only the head"),
    "a broken trailer": (b"0\r\nX A: 5\r\n\r\n", "name is malformed"),
    "a line feed among the trailers": (b"0\r\nX-A: 5\n\r\n", "without a carriage return"),
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


async def hello_after_body(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await hello(scope, receive, send)


@pytest.mark.parametrize("name", REFUSED)
async def test_an_ambiguous_request_is_refused_logged_and_the_last_on_its_connection(
    name: str,
) -> None:
    raw, status, reason = REFUSED[name]
    paths: list[str] = []
    async with served(recording(paths), lifespan="off") as server:
        async with await server.connect() as wire:
            client = "{}:{}".format(*wire.sock.getsockname())
            await wire.send(raw + SMUGGLED)
            answer = await wire.answer()
            assert (answer.status, answer.one("connection")) == (status, "close")
            assert await wire.rest() == b""
        assert (await server.get("/next")).body == b"/next"
    assert paths == ["/next"]
    (line,) = [each for each in server.log.lines("hoopsnake.error") if "Refused" in each]
    assert line.startswith(f"Refused a request of {client}: ")
    assert reason in line


@pytest.mark.parametrize("name", BAD_CHUNKS)
async def test_chunks_that_are_no_chunks_are_refused_and_end_the_connection(name: str) -> None:
    chunks, reason = BAD_CHUNKS[name]
    told: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (event := await receive())["type"] == "http.request" and event["more_body"]:
            pass
        told.append(event["type"])
        if event["type"] == "http.request":
            await hello(scope, receive, send)

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(request("POST /upload HTTP/1.1", CHUNKED) + chunks + SMUGGLED)
            answer = await wire.answer()
            assert (answer.status, answer.one("connection")) == (400, "close")
            assert await wire.rest() == b""
        assert (await server.get("/next")).status == 200
    assert told in (["http.disconnect", "http.request"], ["http.request"]), "never a whole body"
    (line,) = [each for each in server.log.lines("hoopsnake.error") if "Refused" in each]
    assert reason in line


async def test_more_trailers_than_headers_are_allowed_are_refused() -> None:
    async with served(hello_after_body, lifespan="off") as server:
        async with await server.connect() as wire:
            trailers = b"0\r\n" + b"X-A: 1\r\n" * 101 + b"\r\n"
            await wire.send(request("POST /upload HTTP/1.1", CHUNKED) + trailers)
            assert (await wire.answer()).status == 431


async def test_a_body_that_breaks_off_tells_the_application_and_answers_nobody() -> None:
    told: asyncio.Queue[str] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (event := await receive())["type"] == "http.request":
            await told.put("part")
        await told.put(event["type"])

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(request("POST /upload HTTP/1.1", CHUNKED) + b"3\r\nabc\r\n")
            assert await told.get() == "part"
            wire.leave()
            assert await told.get() == "http.disconnect"
            assert await wire.rest() == b""


async def test_requests_ahead_of_a_refused_one_are_answered_first() -> None:
    proceed = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await proceed.wait()
        await hello(scope, receive, send)

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            bad, _, _ = REFUSED["NUL in a value"]
            await wire.send(
                request("GET /1 HTTP/1.1") + request("GET /2 HTTP/1.1") + bad + SMUGGLED
            )
            await asyncio.sleep(0)
            proceed.set()
            answers = [await wire.answer() for _ in range(3)]
            assert [each.status for each in answers] == [200, 200, 400]
            assert [each.body for each in answers[:2]] == [b"/1", b"/2"]
            assert await wire.rest() == b""


async def test_a_head_that_is_refused_for_head_has_no_body() -> None:
    async with served(hello, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(request(f"HEAD /{'a' * 20_000} HTTP/1.1"))
            answer = await wire.answer("HEAD")
            assert (answer.status, await wire.rest()) == (414, b"")


@pytest.mark.parametrize("size", [1, 2, 7])
async def test_a_request_in_small_pieces_is_the_same_request(size: int) -> None:
    raw = request("POST /pieces HTTP/1.1", CHUNKED) + b"3;a=b\r\nabc\r\n0\r\nX-A: 1\r\n\r\n"
    paths: list[str] = []
    async with served(recording(paths), lifespan="off") as server:
        async with await server.connect() as wire:
            for start in range(0, len(raw), size):
                await wire.send(raw[start : start + size])
                await asyncio.sleep(0)
            assert (await wire.answer()).status == 200
            await wire.get("/next")
            assert (await wire.answer()).body == b"/next"
    assert paths == ["/pieces", "/next"]


async def test_a_connection_that_ends_within_a_head_is_just_closed() -> None:
    async with served(hello, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(b"GET / HTTP/1.1\r\nHo")
            wire.leave()
            assert await wire.rest() == b""


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
