"""Clients that are too slow, and applications: each has its time, and then the connection is free.

No test sleeps: one limit that is short serves as the clock for another that must not be met.
"""

from __future__ import annotations

import asyncio

import pytest
from applications import HeldStream, body, hello, read_all, start
from served import Receive, Scope, Send, Served, served
from wire import Wire, request

from hoopsnake import ServerLimits

SHORT = 0.4
CHUNKED = "Transfer-Encoding: chunked"


async def a_while(server: Served) -> None:
    """Wait until the server has closed an idle connection, three times over."""
    for _ in range(3):
        async with await server.connect() as wire:
            await wire.get("/clock")
            assert (await wire.answer()).status == 200
            assert await wire.rest() == b""


async def test_a_head_that_trickles_in_gets_a_408() -> None:
    limits = ServerLimits(header_timeout=SHORT)
    async with served(hello, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
            trickle = asyncio.create_task(trickled(wire, b"X-A: b\r\n"))
            answer = await wire.answer()
            assert (answer.status, answer.one("connection")) == (408, "close")
            assert await wire.rest() == b""
            trickle.cancel()
        assert "the head did not arrive in time" in server.log.text


async def trickled(wire: Wire, piece: bytes) -> None:
    """Send the same again and again."""
    while True:
        await wire.send(piece)
        await asyncio.sleep(SHORT / 10)


async def test_who_connects_and_says_nothing_is_sent_away_without_a_word() -> None:
    limits = ServerLimits(header_timeout=SHORT)
    async with served(hello, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire:
            assert await wire.rest() == b""
        assert "Refused" not in server.log.text


async def test_an_idle_connection_is_closed_without_a_word() -> None:
    limits = ServerLimits(keep_alive_timeout=SHORT)
    async with served(hello, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire:
            for path in ("/1", "/2"):
                await wire.get(path)
                assert (await wire.answer()).body == path.encode()
            assert await wire.rest() == b""
        assert "Refused" not in server.log.text


async def test_a_second_head_has_its_own_time() -> None:
    limits = ServerLimits(header_timeout=SHORT)
    async with served(hello, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(request("GET /1 HTTP/1.1") + b"GET /2 HT")
            assert (await wire.answer()).body == b"/1"
            assert (await wire.answer()).status == 408


async def test_a_request_at_work_is_no_idle_connection() -> None:
    limits = ServerLimits(header_timeout=SHORT, keep_alive_timeout=SHORT)
    proceed = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/slow":
            await proceed.wait()
        await hello(scope, receive, send)

    async with served(app, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire:
            # What is behind it counts only when it is its turn.
            await wire.send(request("GET /slow HTTP/1.1") + b"GET /next HTTP/1.1\r\n")
            await a_while(server)
            proceed.set()
            assert (await wire.answer()).body == b"/slow"
            await wire.send(b"Host: a\r\n\r\n")
            assert (await wire.answer()).body == b"/next"


@pytest.mark.parametrize("framing", ["Content-Length: 1000", CHUNKED])
async def test_a_body_that_stops_gets_a_408(framing: str) -> None:
    limits = ServerLimits(body_rate=1000, body_grace=SHORT)
    told: asyncio.Queue[str] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while True:
            event = await receive()
            await told.put(event["type"])
            if event["type"] == "http.disconnect":
                return

    async with served(app, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(request("POST / HTTP/1.1", framing) + b"5\r\nabcde\r\n")
            answer = await wire.answer()
            assert (answer.status, answer.one("connection")) == (408, "close")
            assert await wire.rest() == b""
        assert [await told.get() for _ in range(2)] == ["http.request", "http.disconnect"]


async def test_a_body_that_trickles_below_the_rate_gets_a_408() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] == "http.request":
            pass

    limits = ServerLimits(body_rate=100_000, body_grace=SHORT)
    async with served(app, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(request("POST / HTTP/1.1", "Content-Length: 100000"))
            trickle = asyncio.create_task(trickled(wire, b"abc"))
            assert (await wire.answer()).status == 408
            trickle.cancel()


async def test_a_body_that_the_application_does_not_read_is_in_no_hurry() -> None:
    limits = ServerLimits(body_rate=1000, body_grace=SHORT, keep_alive_timeout=SHORT)
    proceed = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/upload":
            await proceed.wait()
            assert await read_all(receive) == b"abcde"
        await hello(scope, receive, send)

    async with served(app, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(request("POST /upload HTTP/1.1", "Content-Length: 5") + b"abc")
            await a_while(server)
            proceed.set()
            await wire.send(b"de")
            assert (await wire.answer()).body == b"/upload"


async def test_a_client_that_takes_nothing_is_dropped() -> None:
    limits = ServerLimits(send_timeout=SHORT)
    gone = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        try:
            while True:
                await send(body(b"x" * 100_000, more=True))
        finally:
            gone.set()

    async with served(app, limits=limits, lifespan="off") as server:
        async with await server.connect(receive_buffer=4096, read_ahead=1024) as wire:
            await wire.get("/")
            await gone.wait()


async def test_a_client_that_takes_a_little_now_and_then_is_kept() -> None:
    limits = ServerLimits(send_timeout=SHORT)
    size = 3_000_000

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"x" * size))

    async with served(app, limits=limits, lifespan="off") as server:
        async with await server.connect(receive_buffer=65536, read_ahead=1024) as wire:
            await wire.get("/")
            await wire.head()
            taken = 0
            while taken < size:
                taken += len(await wire.reader.readexactly(min(100_000, size - taken)))
                await asyncio.sleep(SHORT / 10)


async def test_an_application_that_does_not_answer_is_cancelled() -> None:
    limits = ServerLimits(response_timeout=SHORT)
    cancelled: asyncio.Queue[str] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/stuck":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError as reason:
                await cancelled.put(str(reason))
                raise
        await hello(scope, receive, send)

    async with served(app, limits=limits, lifespan="off", faulty=True) as server:
        async with await server.connect() as wire:
            await wire.get("/stuck")
            answer = await wire.answer()
            assert (answer.status, answer.body) == (504, b"Gateway Timeout")
            assert await cancelled.get() == "the response did not begin in time"
            await wire.get("/next")
            assert (await wire.answer()).body == b"/next"
        assert [each.splitlines()[0] for each in server.log.faults] == [
            f"GET /stuck: no response within {SHORT} seconds, cancelled"
        ]


async def test_what_an_overdue_application_still_sends_goes_nowhere() -> None:
    limits = ServerLimits(response_timeout=SHORT)
    outcome: asyncio.Queue[str] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
        assert (await receive())["type"] == "http.disconnect"
        try:
            await hello(scope, receive, send)
        except OSError as error:
            await outcome.put(type(error).__name__)

    async with served(app, limits=limits, lifespan="off", faulty=True) as server:
        assert (await server.get("/stuck")).status == 504
        assert await outcome.get() == "ClientDisconnected"


async def test_an_answer_that_has_begun_may_take_its_time() -> None:
    limits = ServerLimits(response_timeout=SHORT, keep_alive_timeout=SHORT)
    app = HeldStream()

    async with served(app, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.get("/stream")
            await wire.head()
            await a_while(server)
            app.proceed.set()
            assert [chunk async for chunk in wire.chunks()] == [b"first", b"last"]


async def test_waiting_for_the_body_is_not_the_applications_time() -> None:
    limits = ServerLimits(response_timeout=SHORT, keep_alive_timeout=SHORT, body_rate=0)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await read_all(receive)
        await hello(scope, receive, send)

    async with served(app, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(request("POST /upload HTTP/1.1", "Content-Length: 5") + b"abc")
            await a_while(server)
            await wire.send(b"de")
            assert (await wire.answer()).body == b"/upload"


async def test_zero_and_none_take_the_limits_away() -> None:
    # Only the idle limit is left, which is the clock.
    limits = ServerLimits(
        header_timeout=0,
        keep_alive_timeout=SHORT,
        body_rate=None,
        send_timeout=0,
        response_timeout=None,
    )
    proceed = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/slow":
            await proceed.wait()
        await read_all(receive)
        await hello(scope, receive, send)

    async with served(app, limits=limits, lifespan="off") as server:
        async with (
            await server.connect() as head,
            await server.connect() as upload,
            await server.connect() as slow,
        ):
            await head.send(b"GET /head HT")
            await upload.send(request("POST /upload HTTP/1.1", "Content-Length: 5") + b"abc")
            await slow.get("/slow")
            await a_while(server)
            await head.send(b"TP/1.1\r\nHost: a\r\n\r\n")
            await upload.send(b"de")
            proceed.set()
            for wire, path in ((head, b"/head"), (upload, b"/upload"), (slow, b"/slow")):
                assert (await wire.answer()).body == path


async def test_without_an_idle_limit_a_connection_stays() -> None:
    limits = ServerLimits(keep_alive_timeout=None, header_timeout=SHORT)
    async with served(hello, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.get("/1")
            assert (await wire.answer()).body == b"/1"
            for _ in range(3):
                async with await server.connect() as silent:
                    assert await silent.rest() == b""
            await wire.get("/2")
            assert (await wire.answer()).body == b"/2"


async def test_time_in_which_the_server_itself_was_held_up_does_not_count() -> None:
    limits = ServerLimits(header_timeout=SHORT, keep_alive_timeout=SHORT)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/hold":
            import time

            time.sleep(SHORT * 4)
        await hello(scope, receive, send)

    async with served(app, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire, await server.connect() as other:
            await wire.get("/1")
            assert (await wire.answer()).body == b"/1"
            # Both are sent at once, and the second is not read before the first is done.
            await other.get("/hold")
            await wire.get("/2")
            assert (await other.answer()).body == b"/hold"
            assert (await wire.answer()).body == b"/2"
