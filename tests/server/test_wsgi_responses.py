"""What a WSGI application answers (PEP 3333), and what becomes of one that breaks the rules."""

from __future__ import annotations

import asyncio
import io
import sys
import threading
import wsgiref.util
import wsgiref.validate
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from frames import handshake
from wire import request
from wsgi_applications import TEXT, Environ, StartResponse, hello, served_in_threads

from hoopsnake import ClientDisconnected


async def test_the_validator_of_the_standard_library_finds_nothing() -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        data = environ["wsgi.input"].read(1000) if environ["REQUEST_METHOD"] == "POST" else b""
        start_response("200 OK", TEXT)
        return [b"first", b"", data]

    async with served_in_threads(wsgiref.validate.validator(app)) as server:
        async with await server.connect() as wire:
            await wire.get("/a?b=c")
            assert (await wire.answer()).body == b"first"
            await wire.get("/", method="HEAD")
            assert (await wire.answer("HEAD")).status == 200
            await wire.send(request("POST / HTTP/1.1", "Content-Length: 4", body=b"data"))
            assert (await wire.answer()).body == b"firstdata"


@pytest.mark.parametrize("pieces", [[], [b""], [b"one"], [b"one", b"", b"two"]], ids=str)
@pytest.mark.parametrize("kind", [list, tuple, iter])
async def test_any_iterable_is_a_body(kind: Any, pieces: list[bytes]) -> None:
    def app(environ: Environ, start_response: StartResponse) -> Any:
        cookies = [("Set-Cookie", "a"), ("Set-Cookie", "b")]
        start_response("201 Made", [("X-Accent", "crème"), *cookies])
        return kind(pieces)

    async with served_in_threads(app) as server:
        answer = await server.get()
    assert (answer.status, answer.body) == (201, b"".join(pieces))
    assert answer.one("x-accent") == "crème"
    assert answer.all("set-cookie") == ["a", "b"]


async def test_a_piece_is_sent_before_the_next_is_made() -> None:
    proceed = threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"first"
        proceed.wait()
        yield b"second"

    async with served_in_threads(app) as server, await server.connect() as wire:
        await wire.get()
        head = await wire.head()
        assert head.one("transfer-encoding") == "chunked"
        chunks = wire.chunks()
        assert await anext(chunks) == b"first"
        proceed.set()
        assert [chunk async for chunk in chunks] == [b"second"]


async def test_a_declared_length_ends_the_response_before_the_iterable() -> None:
    proceed, closed = threading.Event(), threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [*TEXT, ("Content-Length", "10")])
        try:
            yield b"first"
            yield b"after"
            proceed.wait()
        finally:
            closed.set()

    async with served_in_threads(app) as server:
        assert (await server.get()).body == b"firstafter"
        assert not closed.is_set()
        proceed.set()
        await asyncio.to_thread(closed.wait)


async def test_what_write_was_given_comes_first() -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        write = start_response("200 OK", TEXT)
        write(b"one ")
        write(b"two ")
        return [b"three"]

    async with served_in_threads(app) as server:
        assert (await server.get()).body == b"one two three"


class Closing:
    """An iterable that tells how often it was closed."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.pieces = pieces
        self.times_closed = 0
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        yield from self.pieces

    def close(self) -> None:
        self.times_closed += 1
        self.closed.set()


def breaking_off() -> Iterator[bytes]:
    yield b"some"
    raise LookupError("no more")


def failing() -> Iterator[bytes]:
    raise LookupError("nothing at all")
    yield b""


@pytest.mark.parametrize(
    ("pieces", "faulty"), [([b"a", b"b"], False), (breaking_off(), True), (failing(), True)]
)
async def test_an_iterable_is_closed_once_however_it_ends(
    pieces: Iterable[bytes], faulty: bool
) -> None:
    result = Closing(pieces)

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        return result

    async with served_in_threads(app, faulty=faulty) as server, await server.connect() as wire:
        await wire.get()
        await wire.head()
        await asyncio.to_thread(result.closed.wait)
    assert result.times_closed == 1


async def test_an_iterable_is_closed_when_the_client_leaves() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 1000

    result = Closing(endless())

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        return result

    async with served_in_threads(app) as server:
        async with await server.connect() as wire:
            await wire.get()
            await wire.head()
        await asyncio.to_thread(result.closed.wait)
    assert result.times_closed == 1


async def test_an_application_does_not_run_far_ahead_of_its_client() -> None:
    made = 0

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        nonlocal made
        start_response("200 OK", TEXT)
        if environ["PATH_INFO"] == "/short":
            return
        for _ in range(2000):
            made += 1
            yield bytes(100_000)

    async with served_in_threads(app) as server, await server.connect(receive_buffer=4096) as wire:
        await wire.get()
        await wire.head()
        for _ in range(50):
            await server.get("/short")
        # The system's buffers take some megabytes; the whole would be 200.
        assert made < 500
        total = 0
        async for chunk in wire.chunks():
            total += len(chunk)
        assert total == 200_000_000


async def test_a_head_request_has_no_body_and_the_connection_goes_on() -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [*TEXT, ("Content-Length", "5")])
        return iter([b"first"]) if environ["PATH_INFO"] == "/iterator" else [b"first"]

    async with served_in_threads(app) as server, await server.connect() as wire:
        for path in ("/", "/iterator"):
            await wire.get(path, method="HEAD")
            answer = await wire.answer("HEAD")
            assert (answer.status, answer.one("content-length")) == (200, "5")
        await wire.get()
        assert (await wire.answer()).body == b"first"


async def test_a_head_request_does_not_run_through_a_stream() -> None:
    closed = threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        try:
            while True:
                yield b"more"
        finally:
            closed.set()

    async with served_in_threads(app) as server, await server.connect() as wire:
        await wire.get(method="HEAD")
        answer = await wire.answer("HEAD")
        assert (answer.status, answer.one("content-length")) == (200, None)
        await asyncio.to_thread(closed.wait)


async def test_a_head_may_be_replaced_with_exc_info_until_it_was_sent() -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        try:
            raise LookupError("not found")
        except LookupError:
            start_response("404 Not Found", [("X-Why", "lost")], sys.exc_info())
        return [b"sorry"]

    async with served_in_threads(app) as server:
        answer = await server.get()
    assert (answer.status, answer.one("x-why"), answer.body) == (404, "lost", b"sorry")


async def test_after_the_head_was_sent_exc_info_breaks_the_response_off() -> None:
    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", TEXT)
        yield b"some"
        try:
            raise LookupError("too late")
        except LookupError:
            start_response("500 Oops", TEXT, sys.exc_info())
        raise AssertionError("start_response() has raised")

    async with served_in_threads(app, faulty=True) as server, await server.connect() as wire:
        await wire.get()
        with pytest.raises(asyncio.IncompleteReadError):
            await wire.answer()
        await server.log.wait_for("LookupError: too late")


def starts_twice(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", TEXT)
    start_response("200 OK", TEXT)
    return []


def never_starts(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    return [b"body"]


def never_starts_an_empty_one(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    return iter([])


def returns_text(environ: Environ, start_response: StartResponse) -> Any:
    start_response("200 OK", TEXT)
    return ["text"]


def returns_a_string(environ: Environ, start_response: StartResponse) -> Any:
    start_response("200 OK", TEXT)
    return "text"


def returns_nothing(environ: Environ, start_response: StartResponse) -> Any:
    start_response("200 OK", TEXT)


def has_no_status(environ: Environ, start_response: StartResponse) -> Any:
    start_response("OK", TEXT)


def closes_the_connection(environ: Environ, start_response: StartResponse) -> Any:
    start_response("200 OK", [("Connection", "close")])


def breaks_a_header(environ: Environ, start_response: StartResponse) -> Any:
    start_response("200 OK", [("X-A", "b\r\nX-C: d")])
    return [b"body"]


def sends_too_much(environ: Environ, start_response: StartResponse) -> Any:
    start_response("200 OK", [("Content-Length", "1")])
    return [b"body"]


def sends_too_little(environ: Environ, start_response: StartResponse) -> Any:
    start_response("200 OK", [("Content-Length", "100")])
    return [b"body"]


def raises(environ: Environ, start_response: StartResponse) -> Any:
    raise LookupError("the application's own")


@pytest.mark.parametrize(
    ("application", "complaint"),
    [
        (starts_twice, "AssertionError: start_response.. was called before"),
        (never_starts, "did not call start_response"),
        (never_starts_an_empty_one, "did not call start_response"),
        (returns_text, "TypeError: a piece of a WSGI response is bytes, not str"),
        (returns_a_string, "TypeError: a piece of a WSGI response is bytes, not str"),
        (returns_nothing, "TypeError: 'NoneType' object is not iterable"),
        (has_no_status, "ValueError: start_response.. wants a status such as '200 OK', not 'OK'"),
        (closes_the_connection, "ValueError: .*'Connection', which is the server's"),
        (breaks_a_header, "ValueError: header b'x-a'.*control character"),
        (sends_too_much, "4 bytes.*1|1 .*bytes"),
        (sends_too_little, "RuntimeError"),
        (raises, "LookupError: the application's own"),
    ],
)
async def test_a_fault_is_a_500_and_told_and_the_next_request_is_served(
    application: Any, complaint: str
) -> None:
    def app(environ: Environ, start_response: StartResponse) -> Any:
        kind = hello if environ["PATH_INFO"] == "/well" else application
        return kind(environ, start_response)

    async with served_in_threads(app, faulty=True) as server, await server.connect() as wire:
        await wire.get()
        assert (await wire.answer()).status == 500
        await wire.get("/well")
        assert (await wire.answer()).body == b"/well"
        await server.log.wait_for(complaint)
        assert len(server.log.faults) == 1


async def test_a_file_is_sent_from_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 4000)
    files = []

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        file = path.open("rb")
        file.read(int(environ["QUERY_STRING"]))
        files.append(file)
        body: Iterable[bytes] = environ["wsgi.file_wrapper"](file, 1024)
        return body

    async with served_in_threads(app) as server:
        for start in (0, 1000, 1_024_000):
            answer = await server.get(f"/?{start}")
            assert answer.body == path.read_bytes()[start:]
            # It went out by itself: its length was known.
            assert answer.one("content-length") == str(1_024_000 - start)
        async with await server.connect() as wire:
            await wire.get("/?24000", method="HEAD")
            assert (await wire.answer("HEAD")).one("content-length") == "1000000"
            await wire.get("/?1023999")
            assert (await wire.answer()).body == b"\xff"
    assert [file.closed for file in files] == [True] * 5


@pytest.mark.parametrize("wrapper", ["own", "wsgiref"])
async def test_what_only_looks_like_a_file_is_read(wrapper: str) -> None:
    file = io.BytesIO(bytes(100_000))

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", TEXT)
        kind = environ["wsgi.file_wrapper"] if wrapper == "own" else wsgiref.util.FileWrapper
        body: Iterable[bytes] = kind(file)
        return body

    async with served_in_threads(app) as server:
        assert (await server.get()).body == bytes(100_000)
    assert file.closed


async def test_a_file_is_cut_at_the_length_that_the_head_declares(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        start_response("206 Partial Content", [("Content-Length", "4")])
        body: Iterable[bytes] = environ["wsgi.file_wrapper"](path.open("rb"))
        return body

    async with served_in_threads(app) as server:
        assert (await server.get()).body == b"0123"


async def test_a_write_to_a_client_that_has_left_raises() -> None:
    seen: list[BaseException] = []
    over = threading.Event()

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        write = start_response("200 OK", TEXT)
        try:
            while True:
                write(bytes(10_000))
        except Exception as error:
            seen.append(error)
            raise
        finally:
            over.set()

    async with served_in_threads(app) as server:
        async with await server.connect() as wire:
            await wire.get()
            await wire.head()
            wire.vanish()
        await asyncio.to_thread(over.wait)
    assert [type(error) for error in seen] == [ClientDisconnected]


async def test_a_websocket_is_refused() -> None:
    async with served_in_threads(hello) as server, await server.connect() as wire:
        await wire.send(handshake())
        assert (await wire.answer()).status == 403
