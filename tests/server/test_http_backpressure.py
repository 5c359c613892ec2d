"""Backpressure: neither a slow application nor a slow client makes the server hoard a body."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable

from applications import body, hello, start
from served import Receive, Scope, Send, served
from wire import Wire, request

MEGABYTE = 1024 * 1024
TOTAL = 48 * MEGABYTE
# What the kernel's own socket buffers on both sides may swallow, and some room.
KERNEL = 16 * MEGABYTE


async def standstill(progress: Callable[[], int]) -> int:
    """Wait until a number stays as it is. That nothing happens is no event, so this looks."""
    before, still = progress(), 0
    while still < 5:
        await asyncio.sleep(0.03)
        now = progress()
        still = still + 1 if now == before else 0
        before = now
    return before


async def test_an_upload_waits_for_a_slow_application() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    digest = hashlib.sha256()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        more = True
        while more:
            event = await receive()
            digest.update(event["body"])
            more = event["more_body"]
            begun.set()
            await go_on.wait()
        await hello(scope, receive, send)

    piece = bytes(range(256)) * 256
    given = 0

    async def upload(wire: Wire) -> None:
        nonlocal given
        await wire.send(request("POST / HTTP/1.1", f"Content-Length: {TOTAL}"))
        while given < TOTAL:
            await wire.send(piece)
            given += len(piece)

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            uploading = asyncio.create_task(upload(wire))
            await begun.wait()
            assert await standstill(lambda: given) < KERNEL, "the client is held up"
            go_on.set()
            assert (await wire.answer()).status == 200
            await uploading
    assert digest.digest() == hashlib.sha256(piece * (TOTAL // len(piece))).digest()


async def test_an_upload_that_nobody_reads_is_not_taken_in() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        begun.set()
        await go_on.wait()
        await hello(scope, receive, send)

    given = 0

    async def upload(wire: Wire) -> None:
        nonlocal given
        await wire.send(request("POST / HTTP/1.1", f"Content-Length: {TOTAL}"))
        with contextlib.suppress(ConnectionError):
            while given < TOTAL:
                await wire.send(bytes(65536))
                given += 65536

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            uploading = asyncio.create_task(upload(wire))
            await begun.wait()
            assert await standstill(lambda: given) < KERNEL
            go_on.set()
            uploading.cancel()


async def test_an_answer_before_the_end_of_an_upload_reaches_the_client() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(413))
        await send(body(b"too large"))

    async def upload(wire: Wire) -> None:
        with contextlib.suppress(ConnectionError):
            for _ in range(64):
                await wire.send(bytes(65536))

    async with served(app, lifespan="off") as server:
        for _ in range(5):
            async with await server.connect() as wire:
                await wire.send(request("POST / HTTP/1.1", f"Content-Length: {4 * MEGABYTE}"))
                uploading = asyncio.create_task(upload(wire))
                answer = await wire.answer()
                assert (answer.status, answer.body) == (413, b"too large")
                uploading.cancel()


async def test_a_download_waits_for_a_slow_client() -> None:
    taken = 0
    finished = asyncio.Event()
    piece = bytes(range(256)) * 256

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal taken
        await send(start())
        while taken < TOTAL:
            await send(body(piece, True))
            taken += len(piece)
        await send(body())
        finished.set()

    async with served(app, lifespan="off") as server:
        async with await server.connect(receive_buffer=8192, read_ahead=8192) as wire:
            await wire.get()
            await wire.head()
            assert await standstill(lambda: taken) < KERNEL, "send() waits"
            assert not finished.is_set()
            digest = hashlib.sha256()
            async for chunk in wire.chunks():
                digest.update(chunk)
            await finished.wait()
    assert digest.digest() == hashlib.sha256(piece * (TOTAL // len(piece))).digest()


async def test_the_server_goes_on_while_a_client_is_slow() -> None:
    waits = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != "/large":
            return await hello(scope, receive, send)
        await send(start())
        while True:
            sending = asyncio.ensure_future(send(body(bytes(65536), True)))
            done, _ = await asyncio.wait([sending], timeout=0.2)
            if not done:
                waits.set()
                await sending

    async with served(app, lifespan="off", graceful_timeout=0) as server:
        async with await server.connect(receive_buffer=8192, read_ahead=8192) as wire:
            await wire.get("/large")
            await waits.wait()
            for _ in range(10):
                assert (await server.get("/small")).body == b"/small"


async def test_a_send_that_waits_may_be_cancelled_and_the_stream_goes_on() -> None:
    interrupted = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        sent = 0
        while not interrupted.is_set():
            sent += 65536
            try:
                await asyncio.wait_for(send(body(bytes(65536), True)), 0.2)
            except TimeoutError:
                # The piece was taken; it is only the waiting that was given up.
                interrupted.set()
        await send(body(b"%d" % sent))

    async with served(app, lifespan="off") as server:
        async with await server.connect(receive_buffer=8192, read_ahead=8192) as wire:
            await wire.get()
            await interrupted.wait()
            answer = await wire.answer()
    zeros = answer.body.rstrip(b"0123456789")
    assert len(zeros) == int(answer.body[len(zeros) :])


async def test_one_piece_larger_than_every_buffer_arrives_whole() -> None:
    data = bytes(range(256)) * (TOTAL // 256)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(data))

    async with served(app, lifespan="off") as server:
        assert (await server.get()).body == data
