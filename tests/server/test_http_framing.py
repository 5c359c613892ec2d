"""Where a response ends and whether the connection stays: RFC 9112, as seen on the wire."""

from __future__ import annotations

import asyncio
import email.utils
from typing import Any

import pytest
from applications import body, echo, hello, start
from served import Receive, Scope, Send, served
from wire import Answer, request


async def replying(
    messages: list[dict[str, Any]], raw: bytes, method: str = "GET"
) -> tuple[Answer, bytes]:
    """How the wire looks when an application sends these messages; and what comes after."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/next":
            return await hello(scope, receive, send)
        for message in messages:
            await send(message)

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(raw + request("GET /next HTTP/1.1", "Connection: close"))
            return await wire.answer(method), await wire.rest()


async def test_a_body_in_one_piece_declares_its_length() -> None:
    answer, rest = await replying([start(), body(b"hello")], request("GET / HTTP/1.1"))
    assert (answer.version, answer.status, answer.reason) == ("HTTP/1.1", 200, "OK")
    assert (answer.one("content-length"), answer.one("transfer-encoding")) == ("5", None)
    assert answer.body == b"hello"
    assert email.utils.parsedate_to_datetime(answer.one("date") or "").tzinfo is not None
    assert rest.endswith(b"/next"), "the connection stays open for the next request"


async def test_an_empty_body_has_length_zero() -> None:
    answer, rest = await replying([start(), body()], request("GET / HTTP/1.1"))
    assert (answer.one("content-length"), answer.one("transfer-encoding")) == ("0", None)
    assert rest.endswith(b"/next")


async def test_a_body_in_several_pieces_is_chunked() -> None:
    pieces = [start(), body(b"one", True), body(b"", True), body(b"three", True), body(b"4")]
    answer, rest = await replying(pieces, request("GET / HTTP/1.1"))
    assert (answer.one("content-length"), answer.one("transfer-encoding")) == (None, "chunked")
    assert answer.body == b"onethree4"
    assert rest.endswith(b"/next")


async def test_a_streamed_body_of_declared_length_is_not_chunked() -> None:
    pieces = [start(200, [(b"Content-Length", b"8")]), body(b"four", True), body(b"more")]
    answer, rest = await replying(pieces, request("GET / HTTP/1.1"))
    assert (answer.one("content-length"), answer.one("transfer-encoding")) == ("8", None)
    assert answer.body == b"fourmore"
    assert rest.endswith(b"/next")


async def test_a_transfer_encoding_of_the_applications_is_not_added_to() -> None:
    pieces = [start(200, [(b"transfer-encoding", b"chunked")]), body(b"one", True), body(b"two")]
    answer, rest = await replying(pieces, request("GET / HTTP/1.1"))
    assert answer.one("transfer-encoding") == "chunked"
    assert answer.body == b"onetwo"
    assert rest.endswith(b"/next")


async def test_head_has_the_headers_of_get_and_no_body() -> None:
    answer, rest = await replying([start(), body(b"hello")], request("HEAD / HTTP/1.1"), "HEAD")
    assert answer.one("content-length") == "5"
    assert rest.startswith(b"HTTP/1.1 200 OK\r\n"), "no byte of a body stands between"


async def test_head_may_declare_a_length_that_nobody_sends() -> None:
    pieces = [start(200, [(b"content-length", b"1000")]), body()]
    answer, rest = await replying(pieces, request("HEAD / HTTP/1.1"), "HEAD")
    assert answer.one("content-length") == "1000"
    assert rest.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("status", [204, 304])
async def test_a_status_without_a_body_has_none(status: int) -> None:
    answer, rest = await replying([start(status), body(b"unseen")], request("GET / HTTP/1.1"))
    assert answer.status == status
    assert answer.one("transfer-encoding") is None
    if status == 204:
        assert answer.one("content-length") is None, "RFC 9110 section 8.6"
    assert rest.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    "raw",
    [request("HEAD / HTTP/1.1"), request("GET / HTTP/1.1", "If-None-Match: x")],
    ids=["head", "304"],
)
async def test_an_application_that_streams_where_no_body_goes_runs_to_its_end(raw: bytes) -> None:
    endings: asyncio.Queue[str] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send(start(200 if scope["method"] == "HEAD" else 304))
            for _ in range(10):
                await send(body(bytes(10_000), True))
                await asyncio.sleep(0)
            await send(body(b""))
        except OSError as error:
            endings.put_nowait(repr(error))
        else:
            endings.put_nowait("sent all")

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            for _ in range(2):
                await wire.send(raw)
                assert (await wire.answer("HEAD")).one("content-length") is None
                assert await endings.get() == "sent all"


async def test_headers_go_out_in_order_with_duplicates() -> None:
    cookies = [(b"set-cookie", b"a=1"), (b"X-Latin", b"caf\xe9"), (b"set-cookie", b"b=2")]
    answer, _ = await replying([start(200, cookies), body()], request("GET / HTTP/1.1"))
    assert answer.all("set-cookie") == ["a=1", "b=2"]
    assert answer.one("x-latin") == "caf\xe9"


@pytest.mark.parametrize("status", [200, 299, 404, 418, 503, 599, 999])
async def test_any_final_status_is_sent(status: int) -> None:
    answer, _ = await replying([start(status), body()], request("GET / HTTP/1.1"))
    assert answer.status == status


async def test_messages_may_leave_out_what_has_a_default() -> None:
    pieces = [{"type": "http.response.start", "status": 200}, {"type": "http.response.body"}]
    answer, _ = await replying(pieces, request("GET / HTTP/1.1"))
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(
    "data", [bytearray(b"bytes"), memoryview(b"bytes"), memoryview(b"s b y t e s"[2::2])]
)
async def test_a_body_may_be_any_kind_of_bytes(data: Any) -> None:
    answer, _ = await replying([start(), body(data)], request("GET / HTTP/1.1"))
    assert answer.body == bytes(data)


async def test_what_an_application_changes_after_sending_is_not_sent() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        data = bytearray(b"a" * 5000)
        await send(start())
        await send(body(data, True))
        data[:] = b"b" * 5000
        await send(body(data))

    async with served(app, lifespan="off") as server:
        answer = await server.get()
    assert answer.body == b"a" * 5000 + b"b" * 5000


async def test_many_requests_share_a_connection() -> None:
    async with served(echo, lifespan="off") as server:
        async with await server.connect() as wire:
            for number in range(100):
                data = b"%d" % number * number
                length = f"Content-Length: {len(data)}"
                await wire.send(request("POST / HTTP/1.1", length, body=data))
                assert (await wire.answer()).body == data


async def test_pipelined_requests_are_answered_in_order() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # The earlier, the slower.
        for _ in range(20 - int(scope["path"][1:])):
            await asyncio.sleep(0)
        await hello(scope, receive, send)

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(b"".join(request(f"GET /{each} HTTP/1.1") for each in range(20)))
            answers = [(await wire.answer()).body for _ in range(20)]
    assert answers == [b"/%d" % each for each in range(20)]


async def test_a_pipelined_request_is_not_begun_before_the_one_ahead_is_answered() -> None:
    begun: list[str] = []
    go_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        begun.append(scope["path"])
        if scope["path"] == "/1":
            await go_on.wait()
        await hello(scope, receive, send)

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(request("GET /1 HTTP/1.1") + request("GET /2 HTTP/1.1"))
            # Another connection's request comes through: the server is not asleep.
            assert (await server.get("/other")).status == 200
            assert begun == ["/1", "/other"]
            go_on.set()
            assert [(await wire.answer()).body for _ in range(2)] == [b"/1", b"/2"]


@pytest.mark.parametrize(
    ("line", "headers", "stays"),
    [
        ("GET / HTTP/1.1", [], True),
        ("GET / HTTP/1.1", ["Connection: close"], False),
        ("GET / HTTP/1.0", [], False),
        ("GET / HTTP/1.0", ["Connection: keep-alive"], True),
    ],
)
async def test_the_client_decides_whether_the_connection_stays(
    line: str, headers: list[str], stays: bool
) -> None:
    async with served(hello, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(request(line, *headers))
            answer = await wire.answer()
            assert answer.body == b"/"
            if stays:
                await wire.send(request(line, *headers))
                assert (await wire.answer()).body == b"/"
            else:
                assert await wire.rest() == b""


async def test_an_application_may_close_the_connection() -> None:
    messages = [start(200, [(b"connection", b"close")]), body(b"bye")]
    answer, rest = await replying(messages, request("GET / HTTP/1.1"))
    assert (answer.one("connection"), answer.body, rest) == ("close", b"bye", b"")


async def test_a_stream_to_an_old_client_ends_with_the_connection() -> None:
    pieces = [start(), body(b"one", True), body(b"two")]
    answer, rest = await replying(pieces, request("GET / HTTP/1.0"))
    assert answer.one("transfer-encoding") is None
    assert (answer.body, rest) == (b"onetwo", b"")
