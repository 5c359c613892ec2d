"""A client that has ended its side of the connection (FIN) still gets what it asked for."""

from __future__ import annotations

import asyncio

import pytest
from applications import HeldStream, echo, hello
from served import Receive, Scope, Send, served
from wire import request


class Slow:
    """Answers once its client's end is known to have been seen."""

    def __init__(self) -> None:
        self.proceed = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != "/clock":
            await self.proceed.wait()
        await hello(scope, receive, send)


async def test_an_answer_that_is_there_at_once() -> None:
    async with served(hello, lifespan="off") as server, await server.connect() as wire:
        await wire.get("/asked")
        wire.writer.write_eof()
        assert (await wire.answer()).body == b"/asked"
        assert await wire.rest() == b""


async def test_an_answer_to_a_body() -> None:
    async with served(echo, lifespan="off") as server, await server.connect() as wire:
        await wire.send(request("POST / HTTP/1.1", "Content-Length: 4", body=b"four"))
        wire.writer.write_eof()
        assert (await wire.answer()).body == b"four"
        assert await wire.rest() == b""


async def test_answers_that_take_their_time_and_all_of_them() -> None:
    app = Slow()
    async with served(app, lifespan="off") as server, await server.connect() as wire:
        await wire.send(b"".join(request(f"GET /{number} HTTP/1.1") for number in range(3)))
        wire.writer.write_eof()
        for _ in range(3):
            # By now the end has been read.
            assert (await server.get("/clock")).status == 200
        app.proceed.set()
        for number in range(3):
            assert (await wire.answer()).body == f"/{number}".encode()
        assert await wire.rest() == b""


async def test_a_stream() -> None:
    app = HeldStream()
    async with served(app, lifespan="off") as server, await server.connect() as wire:
        await wire.get("/stream")
        wire.writer.write_eof()
        await wire.head()
        assert await wire.reader.readuntil(b"first") == b"5\r\nfirst"
        assert (await server.get("/other")).status == 200
        app.proceed.set()
        assert (await wire.rest()).endswith(b"last\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    "ahead", [b"", request("GET /first HTTP/1.1")], ids=["alone", "behind one"]
)
async def test_half_a_head_is_no_request(ahead: bytes) -> None:
    async with served(hello, lifespan="off") as server, await server.connect() as wire:
        await wire.send(ahead + b"GET /half HTTP/1.1\r\nHost:")
        wire.writer.write_eof()
        rest = await wire.rest()
        assert rest.count(b"HTTP/1.1 200") == (1 if ahead else 0)
        assert b"/half" not in rest


async def test_an_application_that_waits_for_its_client_to_leave_is_told_so() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"until you leave", "more_body": True})
        assert await receive() == {"type": "http.disconnect"}
        with pytest.raises(OSError):
            await send({"type": "http.response.body", "body": b"are you there?"})

    async with served(app, lifespan="off") as server, await server.connect() as wire:
        await wire.get()
        wire.writer.write_eof()
        assert b"until you leave" in await wire.rest()
