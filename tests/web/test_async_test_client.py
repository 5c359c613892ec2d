"""`AsyncTestClient`: the same client for tests that are coroutines, on our loop and on others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from client_application import events, make_application

import hoopsnake
from hoopsnake.web import App, AsyncTestClient, Request, WebSocket, WebSocketDisconnect

Run = Callable[[Coroutine[Any, Any, None]], Any]


@pytest.fixture(params=["hoopsnake", "asyncio"])
def run(request: pytest.FixtureRequest) -> Run:
    """What runs a test's coroutine."""
    events.clear()
    return hoopsnake.run if request.param == "hoopsnake" else asyncio.run


def test_requests_are_asked_and_awaited(run: Run) -> None:
    async def ask() -> None:
        async with AsyncTestClient(make_application(), headers={"x-own": "1"}) as client:
            told = (await client.post("/echo", json={"a": 1})).json()
            assert (told["method"], told["body"]) == ("POST", '{"a":1}')
            assert told["headers"]["x-own"] == "1"
            answers = await asyncio.gather(*(client.get(f"/echo?n={n}") for n in range(20)))
            assert [each.json()["query"] for each in answers] == [f"n={n}" for n in range(20)]
            with pytest.raises(ZeroDivisionError, match="/fails-late"):
                await client.get("/fails-late")
            await client.get("/works-on")
        assert events == ["startup", "worked on", "shutdown"]

    run(ask())


def test_a_stream_is_read_as_it_comes(run: Run) -> None:
    async def ask() -> None:
        async with AsyncTestClient(make_application()) as client:
            async with client.stream("GET", "/lines") as response:
                assert response.status_code == 200
                lines = response.aiter_lines()
                assert await anext(lines) == "first"
                await client.get("/go-on")
                assert [line async for line in lines] == ["second ü"]
            async with client.stream("GET", "/endless") as response:
                assert await anext(response.aiter_bytes())
            assert (await client.get("/ended")).text == "yes"

    run(ask())


def test_a_wait_for_a_websocket_that_is_cancelled_loses_nothing(run: Run) -> None:
    async def ask() -> None:
        async with AsyncTestClient(make_application()) as client:
            async with client.websocket_connect("/mirror", ["only"]) as websocket:
                assert websocket.accepted_subprotocol == "only"
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(websocket.receive(), 0.01)
                await websocket.send_json([1])
                assert await websocket.receive_json() == [1]
                await websocket.send_bytes(b"x" * 100_000)
                assert await websocket.receive_bytes() == b"x" * 100_000
                await websocket.send_text("close")
                for _ in range(2):
                    with pytest.raises(WebSocketDisconnect) as closed:
                        await websocket.receive()
                    assert closed.value.code == 4000
            with pytest.raises(KeyError, match="in a websocket"):
                async with client.websocket_connect("/fails"):
                    assert (await client.get("/echo")).status_code == 200
            with pytest.raises(WebSocketDisconnect, match="refused with 403"):
                async with client.websocket_connect("/refused"):
                    raise AssertionError("it was refused")

    run(ask())


def test_many_websockets_wait_at_once(run: Run) -> None:
    app = App()
    sockets: list[WebSocket] = []

    @app.websocket("/room")
    async def room(websocket: WebSocket) -> None:
        await websocket.accept()
        sockets.append(websocket)
        async for text in websocket.iter_text():
            for each in sockets:
                await each.send_text(text)

    async def one(client: AsyncTestClient, all_there: asyncio.Barrier) -> str:
        async with client.websocket_connect("/room") as websocket:
            if await all_there.wait() == 0:
                await websocket.send_text("to all")
            text = await websocket.receive_text()
            await all_there.wait()
            return text

    async def ask() -> None:
        async with AsyncTestClient(app) as client:
            all_there = asyncio.Barrier(40)
            assert (
                await asyncio.gather(*(one(client, all_there) for _ in range(40)))
                == ["to all"] * 40
            )

    run(ask())


def test_without_a_block_there_is_no_lifespan(run: Run) -> None:
    async def ask() -> None:
        client = AsyncTestClient(make_application())
        assert (await client.get("/echo")).status_code == 200
        await client.aclose()
        assert events == []

    run(ask())


def test_on_our_loop_application_and_test_share_it() -> None:
    app = App()
    shared: list[asyncio.Future[str]] = []

    @app.get("/wait")
    async def wait() -> str:
        return await shared[0]

    async def ask() -> None:
        shared.append(asyncio.get_running_loop().create_future())
        async with AsyncTestClient(app) as client:
            answer = asyncio.ensure_future(client.get("/wait"))
            while not shared[0]._callbacks:
                await asyncio.sleep(0)
            shared[0].set_result("from the test")
            assert (await answer).json() == "from the test"

    hoopsnake.run(ask())


def test_a_startup_that_fails_raises(run: Run) -> None:
    @asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[None]:
        raise LookupError("no database")
        yield

    async def ask() -> None:
        with pytest.raises(LookupError, match="no database"):
            async with AsyncTestClient(App(lifespan=lifespan)):
                raise AssertionError("it has started")

    run(ask())


def test_the_address_of_the_client_is_one_of_the_loopback(run: Run) -> None:
    app = App()

    @app.get("/")
    async def who(request: Request) -> str:
        return str(request.scope["client"][0])

    async def ask() -> None:
        async with AsyncTestClient(app) as client:
            assert (await client.get("/")).json() == "127.0.0.1"

    run(ask())
