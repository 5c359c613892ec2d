"""How much is at work at once: pipelined requests, connections, requests in the application."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path

import pytest
from applications import HeldStream, hello
from program import serving
from served import Receive, Scope, Send, served
from wire import request

from hoopsnake import ServerLimits


class Works:
    """An application whose requests wait until they are let go, and that counts them."""

    def __init__(self) -> None:
        self.at_work = 0
        self.most = 0
        self.entered: asyncio.Queue[str] = asyncio.Queue()
        self.proceed = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        await self.entered.put(scope["path"])
        try:
            if scope["path"] != "/quick":
                await self.proceed.wait()
        finally:
            self.at_work -= 1
        await hello(scope, receive, send)


@pytest.mark.parametrize("depth", [1, 2, 32, 0, None])
async def test_a_flood_of_pipelined_requests_is_answered_in_order(depth: int | None) -> None:
    limits = ServerLimits(pipelined_requests=depth)
    count = 1000
    async with served(hello, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire:
            flood = b"".join(request(f"GET /{number} HTTP/1.1") for number in range(count))
            sending = asyncio.create_task(wire.send(flood))
            for number in range(count):
                assert (await wire.answer()).body == f"/{number}".encode()
            await sending


async def test_a_flood_behind_a_slow_request_is_not_taken_in() -> None:
    app = Works()
    limits = ServerLimits(pipelined_requests=2)
    async with served(app, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.get("/slow")
            assert await app.entered.get() == "/slow"
            flood = request("GET /quick HTTP/1.1") * 200_000
            sending = asyncio.create_task(wire.send(flood))
            # Another client is served meanwhile.
            assert (await server.get("/quick")).body == b"/quick"
            assert not sending.done(), "the flood waits with its sender"
            app.proceed.set()
            assert (await wire.answer()).body == b"/slow"
            for _ in range(1000):
                assert (await wire.answer()).body == b"/quick"
            sending.cancel()


async def test_a_client_that_leaves_a_held_up_flood_is_noticed_when_its_turn_comes() -> None:
    app = Works()
    limits = ServerLimits(pipelined_requests=1)
    async with served(app, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.send(request("GET /1 HTTP/1.1") + request("GET /2 HTTP/1.1"))
            assert await app.entered.get() == "/1"
            wire.vanish()
        app.proceed.set()
        assert (await server.get("/quick")).status == 200


async def test_an_idle_connection_makes_room_for_a_new_one() -> None:
    limits = ServerLimits(connections=3)
    async with served(hello, limits=limits, lifespan="off") as server:
        async with contextlib.AsyncExitStack() as stack:
            idle = []
            for number in range(3):
                wire = await stack.enter_async_context(await server.connect())
                await wire.get(f"/{number}")
                assert (await wire.answer()).body == f"/{number}".encode()
                idle.append(wire)
            for number in range(5):
                assert (await server.get(f"/new{number}")).body == f"/new{number}".encode()
            ended = [wire for wire in idle if wire.reader.at_eof()]
            assert 1 <= len(ended) <= 3
            assert [await wire.rest() for wire in ended] == [b""] * len(ended), "without a word"


async def test_a_health_check_gets_through_a_flood_of_idle_connections() -> None:
    limits = ServerLimits(connections=10)
    async with served(hello, limits=limits, lifespan="off") as server:
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(100):
                wire = await stack.enter_async_context(await server.connect())
                await wire.get("/")
            assert (await server.get("/health")).body == b"/health"


FEW_DESCRIPTORS = """
import resource

resource.setrlimit(resource.RLIMIT_NOFILE, (40, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"well"})
"""


async def test_a_health_check_gets_through_when_idle_connections_hold_all_descriptors(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, FEW_DESCRIPTORS) as server:
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(100):
                wire = await stack.enter_async_context(await server.connect())
                await wire.get("/")
            await server.wait_for("Cannot accept connections")
            async with await server.connect() as wire:
                await wire.get("/health")
                assert (await wire.answer()).body == b"well"
        server.signal(signal.SIGTERM)
        assert await server.ended() == 0


async def test_with_all_connections_busy_a_new_one_waits_for_the_first_to_become_idle() -> None:
    app = Works()
    limits = ServerLimits(connections=2)
    async with served(app, limits=limits, lifespan="off") as server:
        async with (
            await server.connect() as one,
            await server.connect() as two,
            await server.connect() as new,
        ):
            for wire in (one, two):
                await wire.get("/slow")
                assert await app.entered.get() == "/slow"
            await new.get("/quick")
            waiting = asyncio.create_task(new.answer())
            app.proceed.set()
            assert (await waiting).body == b"/quick"
            assert (await one.answer()).body == b"/slow"
            assert (await two.answer()).body == b"/slow"
            assert await one.rest() == b"", "the first to be idle made room"
        assert app.entered.qsize() == 1


async def test_without_a_limit_idle_connections_stay() -> None:
    limits = ServerLimits(connections=0)
    async with served(hello, limits=limits, lifespan="off") as server:
        async with contextlib.AsyncExitStack() as stack:
            wires = [await stack.enter_async_context(await server.connect()) for _ in range(50)]
            for _ in range(2):
                for wire in wires:
                    await wire.get("/again")
                    assert (await wire.answer()).body == b"/again"


async def test_more_requests_than_places_wait_and_more_than_the_queue_get_a_503() -> None:
    app = Works()
    limits = ServerLimits(concurrency=2, queue=1)
    async with served(app, limits=limits, lifespan="off") as server:
        async with contextlib.AsyncExitStack() as stack:
            wires = [await stack.enter_async_context(await server.connect()) for _ in range(3)]
            for number, wire in enumerate(wires[:2]):
                await wire.get(f"/{number}")
                assert await app.entered.get() == f"/{number}"
            await wires[2].get("/queued")
            refused = await stack.enter_async_context(await server.connect())
            # The queued one and this one may be read in either order: ask until one is refused.
            await refused.get("/refused")
            answer = asyncio.create_task(refused.answer())
            queued = asyncio.create_task(wires[2].answer())
            done, _ = await asyncio.wait([answer, queued], return_when=asyncio.FIRST_COMPLETED)
            (first,) = done
            assert first.result().status == 503
            assert first.result().one("retry-after") == "1"
            assert app.entered.empty(), "the application knows nothing of it"
            app.proceed.set()
            (other,) = {answer, queued} - done
            assert (await other).status == 200
            for wire in wires[:2]:
                assert (await wire.answer()).status == 200
            # The refused client may go on, on the same connection.
            wire = refused if first is answer else wires[2]
            await wire.get("/quick")
            assert (await wire.answer()).body == b"/quick"
        await server.log.wait_for("Refused 1 requests: too many are at work already")
    assert app.most == 2


async def test_who_leaves_the_queue_does_not_get_a_place() -> None:
    app = Works()
    limits = ServerLimits(concurrency=1, queue=10)
    async with served(app, limits=limits, lifespan="off") as server:
        async with await server.connect() as first, await server.connect() as last:
            await first.get("/slow")
            assert await app.entered.get() == "/slow"
            for _ in range(5):
                async with await server.connect() as impatient:
                    await impatient.get("/impatient")
            async with await server.connect() as refused:
                # Answered beside the queue; what came before it has been seen by now.
                await refused.send("GET / HTTP/1.1\r\n\r\n")
                assert (await refused.answer()).status == 400
            await last.get("/last")
            app.proceed.set()
            assert (await first.answer()).body == b"/slow"
            assert (await last.answer()).body == b"/last"
            assert await app.entered.get() == "/last"
    assert app.most == 1


async def test_a_stream_that_has_begun_takes_no_place() -> None:
    limits = ServerLimits(concurrency=1, queue=0)
    app = HeldStream()

    async with served(app, limits=limits, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.get("/stream")
            await wire.head()
            assert (await server.get("/quick")).body == b"/quick"
            app.proceed.set()
            assert [chunk async for chunk in wire.chunks()] == [b"first", b"last"]


@pytest.mark.parametrize("off", [0, None])
async def test_without_a_limit_all_requests_enter(off: int | None) -> None:
    app = Works()
    limits = ServerLimits(concurrency=off, queue=0)
    async with served(app, limits=limits, lifespan="off") as server:
        async with contextlib.AsyncExitStack() as stack:
            wires = [await stack.enter_async_context(await server.connect()) for _ in range(50)]
            for wire in wires:
                await wire.get("/slow")
            for _ in wires:
                await app.entered.get()
            app.proceed.set()
            for wire in wires:
                assert (await wire.answer()).status == 200
    assert app.most == 50
