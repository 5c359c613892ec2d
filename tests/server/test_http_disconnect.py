"""A client that goes away: how the application learns it, whatever it is doing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from applications import body, hello, start
from served import Application, Message, Receive, Scope, Send, served
from wire import Wire, request

from hoopsnake import ClientDisconnected

DISCONNECT = {"type": "http.disconnect"}
Leaving = Callable[[Wire], None]
leavings = pytest.mark.parametrize("leave", [Wire.leave, Wire.vanish], ids=["fin", "rst"])


@leavings
async def test_a_client_that_leaves_before_the_answer_is_told_to_a_waiting_receive(
    leave: Leaving,
) -> None:
    waiting = asyncio.Event()
    told: asyncio.Queue[Message] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        waiting.set()
        told.put_nowait(await receive())
        told.put_nowait(await receive())

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.get()
            await waiting.wait()
            leave(wire)
            assert await told.get() == DISCONNECT
            assert await told.get() == DISCONNECT, "as often as it asks"


@leavings
async def test_a_client_that_leaves_in_mid_upload_is_told_to_a_waiting_receive(
    leave: Leaving,
) -> None:
    begun = asyncio.Event()
    told: asyncio.Queue[Message] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["more_body"]
        begun.set()
        told.put_nowait(await receive())

    async with served(app, lifespan="off", graceful_timeout=40) as server:
        async with await server.connect() as wire:
            await wire.send(request("POST / HTTP/1.1", "Content-Length: 100", body=b"half"))
            await begun.wait()
            leave(wire)
            assert await told.get() == DISCONNECT
        # The connection ends with the request, so that a stop need not wait for it.
        server.stop()
        async with asyncio.timeout(8):
            await server.ended()


@leavings
async def test_a_client_that_leaves_in_mid_stream_is_told_to_a_waiting_receive(
    leave: Leaving,
) -> None:
    told: asyncio.Queue[Message] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "http.request"
        await send(start())
        await send(body(b"first", True))
        told.put_nowait(await receive())

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.get()
            await wire.head()
            leave(wire)
            assert await told.get() == DISCONNECT


@leavings
async def test_sending_on_to_a_client_that_has_left_raises(leave: Leaving) -> None:
    raised: asyncio.Queue[BaseException] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        try:
            while True:
                await send(body(bytes(10_000), True))
                await asyncio.sleep(0)
        except BaseException as error:
            raised.put_nowait(error)
            raise

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.get("/stream")
            await wire.head()
            leave(wire)
            error = await raised.get()
            assert isinstance(error, ClientDisconnected)
            assert isinstance(error, OSError), "ASGI spec 2.4 asks for an OSError"
            assert "GET /stream" in str(error)
        # `served` checks that nobody calls this the application's fault.


@leavings
async def test_a_send_that_waits_for_a_client_ends_when_it_leaves(leave: Leaving) -> None:
    waiting = asyncio.Event()
    raised: asyncio.Queue[BaseException] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        try:
            while True:
                sending = asyncio.ensure_future(send(body(bytes(100_000), True)))
                done, _ = await asyncio.wait([sending], timeout=0.2)
                if not done:
                    waiting.set()
                await sending
        except BaseException as error:
            raised.put_nowait(error)
            raise

    async with served(app, lifespan="off") as server:
        async with await server.connect(receive_buffer=8192, read_ahead=8192) as wire:
            await wire.get()
            await waiting.wait()
            leave(wire)
            assert isinstance(await raised.get(), ClientDisconnected)


async def test_an_answer_that_comes_too_late_raises() -> None:
    gone = asyncio.Event()
    raised: asyncio.Queue[BaseException] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/gone":
            gone.set()
        await receive()
        await receive()
        try:
            await hello(scope, receive, send)
        except BaseException as error:
            raised.put_nowait(error)
            raise

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.get("/gone")
            await gone.wait()
        assert isinstance(await raised.get(), ClientDisconnected)


async def test_an_error_that_comes_of_a_disconnect_is_no_fault_and_another_is() -> None:
    begun = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        begun.set()
        await receive()
        try:
            await hello(scope, receive, send)
        except ClientDisconnected as error:
            if scope["path"] == "/wrapped":
                raise RuntimeError("could not answer") from error
        if scope["path"] == "/unrelated":
            raise ValueError("a fault of its own")

    async with served(app, faulty=True, lifespan="off", log_level="debug") as server:
        for path in ("/wrapped", "/unrelated"):
            async with await server.connect() as wire:
                begun.clear()
                await wire.get(path)
                await begun.wait()
            await server.log.wait_for(f"GET {path}")
    (fault,) = server.log.faults
    assert "/unrelated" in fault
    assert "a fault of its own" in fault


async def test_after_a_complete_answer_receive_tells_a_disconnect() -> None:
    told: asyncio.Queue[Message] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        waiting = asyncio.ensure_future(receive())
        await hello(scope, receive, send)
        told.put_nowait(await waiting)
        told.put_nowait(await receive())

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            for _ in range(2):
                await wire.get()
                assert (await wire.answer()).status == 200
                assert [await told.get() for _ in range(2)] == [DISCONNECT, DISCONNECT]


async def test_clients_that_leave_at_any_moment_leave_nothing_behind() -> None:
    def app_of(turns: int) -> Application:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            for _ in range(turns):
                await asyncio.sleep(0)
            await hello(scope, receive, send)

        return app

    for turns in (0, 3, 10):
        async with served(app_of(turns), lifespan="off") as server:
            for number in range(40):
                async with await server.connect() as wire:
                    await wire.get("/x")
                    for _ in range(number % 8):
                        await asyncio.sleep(0)
                    wire.vanish()
            assert (await server.get("/last")).body == b"/last"
            server.stop()
            await server.ended()
            assert "Cancelling" not in server.log.text
