"""Requests that are too large are refused before they cost anything, and their connection ends."""

from __future__ import annotations

import asyncio

import pytest
from applications import body, echo, hello, read_all, start
from served import Receive, Scope, Send, served
from wire import Wire, request

from hoopsnake import ServerError, ServerLimits

LIMITS = ServerLimits(body_size=100, head_size=1000, header_count=5, target_size=50)
CHUNKED = "Transfer-Encoding: chunked"


async def refused(wire: Wire, status: int) -> None:
    answer = await wire.answer()
    assert (answer.status, answer.one("connection")) == (status, "close")
    assert await wire.rest() == b""


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (request(f"GET /{'a' * 50} HTTP/1.1"), 414),
        (f"GET /{'a' * 5000}".encode(), 414),
        (request("GET / HTTP/1.1", *["X-A: 1"] * 5), 431),
        (request("GET / HTTP/1.1", f"X-A: {'a' * 1000}"), 431),
        (request("GET / HTTP/1.1", f"X-A: {'a' * 5000}")[:3000], 431),
        (request("POST / HTTP/1.1", "Content-Length: 101"), 413),
        (request("POST / HTTP/1.1", "Content-Length: 9223372036854775807"), 413),
        (request("POST / HTTP/1.1", "Content-Length: 101", "Expect: 100-continue"), 413),
    ],
    ids=[
        "target",
        "target without end",
        "count",
        "head",
        "head without end",
        "length",
        "length beyond all measure",
        "length that is asked about",
    ],
)
async def test_a_head_that_is_too_much_is_refused_before_the_application(
    raw: bytes, status: int
) -> None:
    entered: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        entered.append(scope["path"])
        await hello(scope, receive, send)

    async with served(app, limits=LIMITS, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(raw)
            await refused(wire, status)
        assert (await server.get("/next")).body == b"/next"
    assert entered == ["/next"]


async def test_what_is_just_not_too_much_is_served() -> None:
    async with served(echo, limits=LIMITS, lifespan="off") as server:
        async with await server.connect() as wire:
            line = f"POST /{'a' * 49} HTTP/1.1"
            head = request(line, "Content-Length: 100", "X-A: 1", "X-A: 1", "X-A: ")[:-4]
            filling = b"a" * (1000 - len(head) - 4)
            await wire.send(head + filling + b"\r\n\r\n" + b"b" * 100)
            assert (await wire.answer()).body == b"b" * 100
            await wire.send(request("POST / HTTP/1.1", CHUNKED))
            await wire.send(
                b"32\r\n" + b"a" * 50 + b"\r\n32;x=y\r\n" + b"b" * 50 + b"\r\n0\r\n\r\n"
            )
            assert (await wire.answer()).body == b"a" * 50 + b"b" * 50


async def test_a_chunked_body_that_grows_too_large_is_refused_while_it_streams() -> None:
    told: asyncio.Queue[bytes | str] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (event := await receive())["type"] == "http.request":
            await told.put(event["body"])
        await told.put(event["type"])

    async with served(app, limits=LIMITS, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(request("POST / HTTP/1.1", CHUNKED) + b"64\r\n" + b"a" * 100 + b"\r\n")
            assert await told.get() == b"a" * 100
            await wire.send(b"1\r\nb\r\n")
            await refused(wire, 413)
        assert await told.get() == "http.disconnect"


async def test_an_answer_that_has_begun_goes_on_when_the_body_grows_too_large() -> None:
    begun, disconnected = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(200, [(b"content-length", b"6")]))
        await send(body(b"abc", more=True))
        begun.set()
        while (await receive())["type"] == "http.request":
            pass
        disconnected.set()

    async with served(app, limits=LIMITS, lifespan="off", faulty=True) as server:
        async with await server.connect() as wire:
            await wire.send(request("POST / HTTP/1.1", CHUNKED) + b"1\r\na\r\n")
            assert (await wire.head()).status == 200
            await begun.wait()
            await wire.send(b"64\r\n" + b"a" * 100 + b"\r\n")
            await disconnected.wait()
            assert await wire.rest() == b"abc", "no second answer"


async def test_zero_and_none_take_the_limits_away() -> None:
    limits = ServerLimits(body_size=0, head_size=None, header_count=0, target_size=None)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        size = len(await read_all(receive))
        await send(start())
        await send(body(f"{len(scope['path'])} {len(scope['headers'])} {size}".encode()))

    async with served(app, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire:
            headers = [f"X-{number}: {'a' * 1000}" for number in range(1000)]
            line = f"POST /{'a' * 60_000} HTTP/1.1"
            await wire.send(request(line, *headers, "Content-Length: 5") + b"12345")
            assert (await wire.answer()).body == b"60001 1002 5"


async def test_a_head_without_a_limit_ends_at_16_mib() -> None:
    limits = ServerLimits(head_size=None)
    async with served(hello, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: " + b"a" * (16 * 1024 * 1024))
            answer = await wire.answer()
    assert answer.status == 431


async def test_limits_that_cannot_be_meant_are_refused() -> None:
    for wrong in ({"body_size": -1}, {"header_timeout": float("nan")}, {"queue": None}):
        with pytest.raises(ServerError, match=next(iter(wrong))):
            ServerLimits(**wrong)  # type: ignore[arg-type]
