"""Requests inside of a deadline: they take no longer than their caller has, and can say so."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from scripted_server import ScriptedServer, answering, response, scripted

import hoopsnake
from hoopsnake.limits import Deadline
from hoopsnake.web import App, JSONResponse, StreamingResponse, TestClient
from hoopsnake.web.middleware import TimeoutMiddleware


@contextlib.asynccontextmanager
async def silent() -> AsyncIterator[ScriptedServer]:
    """A server that takes requests and says nothing."""

    async def handle(server, reader, writer):  # type: ignore[no-untyped-def]
        await server.head(reader)
        await asyncio.Event().wait()

    async with scripted(handle) as server:
        yield server


@pytest.mark.parametrize("way", ["plain", "options", "policies", "websocket"])
async def test_a_request_takes_no_longer_than_its_caller_has(way: str) -> None:
    retries = hoopsnake.Retries(5) if way == "policies" else None

    async def ask(url: str) -> float | None:
        # A task that the deadline does not cancel, but which knows of it.
        with pytest.raises(hoopsnake.TotalTimeout) as caught:
            if way == "websocket":
                await client.websocket(url).__aenter__()
            await (client.get(url, headers={"a": "b"}) if way == "options" else client.get(url))
        return caught.value.elapsed

    async with silent() as server, hoopsnake.Client(timeout=60, retries=retries) as client:
        with contextlib.suppress(TimeoutError):
            async with Deadline(0.05):
                asking = asyncio.create_task(ask(server.url))
                await asyncio.Event().wait()
        elapsed = await asking
        assert elapsed is not None and elapsed < 20


async def test_a_shorter_time_of_its_own_still_counts() -> None:
    async with silent() as server, hoopsnake.Client() as client, Deadline(60):
        with pytest.raises(hoopsnake.TotalTimeout, match="30ms"):
            await client.get(server.url, timeout=hoopsnake.Timeout(total=0.03))


@pytest.mark.parametrize("retries", [None, 2])
async def test_a_client_can_be_told_not_to_heed_it(retries: int | None) -> None:
    asked = asyncio.Event()
    over = asyncio.Event()

    async def handle(server, reader, writer):  # type: ignore[no-untyped-def]
        await server.head(reader)
        asked.set()
        await over.wait()
        writer.write(response())

    async with (
        scripted(handle) as server,
        hoopsnake.Client(heed_deadline=False, retries=retries) as client,
    ):
        with contextlib.suppress(TimeoutError):
            async with Deadline(0.02):
                asking = asyncio.create_task(client.get(server.url))
                await asked.wait()
                await asyncio.Event().wait()
        assert Deadline.left() is None
        over.set()
        assert (await asking).content == b"hello"


@pytest.mark.parametrize("retries", [None, 2])
async def test_a_header_says_how_much_is_left(retries: int | None) -> None:
    busy = response(b"", "retry-after: 1", status="503 Service Unavailable")
    answers = answering(response()) if retries is None else answering(busy, response())
    async with (
        scripted(answers) as server,
        hoopsnake.Client(retries=retries, deadline_header="X-Time-Left") as client,
    ):
        async with Deadline(30):
            assert (await client.get(server.url)).status_code == 200
        told = [
            int(head.lower().partition(b"x-time-left: ")[2].partition(b"\r\n")[0])
            for head in server.requests
        ]
        assert 20_000 < told[0] <= 30_000
        if retries is not None:
            assert told[1] <= told[0] - 900
        await client.get(server.url)
        assert b"x-time-left" not in server.requests[-1].lower()


async def test_no_attempt_begins_after_the_deadline() -> None:
    busy = response(b"", "retry-after: 9", status="503 Service Unavailable")
    async with scripted(answering(busy)) as server, hoopsnake.Client(retries=3) as client:
        async with Deadline(5):
            got = await client.get(server.url)
        assert (got.status_code, len(got.extensions["attempts"])) == (503, 1)


def test_a_route_s_timeout_is_the_time_that_its_requests_have() -> None:
    app = App()

    @app.get("/heeding", timeout=0.2)
    async def heeding() -> str:
        async with silent() as server, hoopsnake.Client(timeout=60) as client:
            await client.get(server.url)
        return "never"

    @app.get("/left", timeout=5)
    async def left() -> bool:
        return 0 < (Deadline.left() or 0) <= 5

    @app.get("/any")
    async def any_time() -> bool:
        return Deadline.left() is None

    with TestClient(app) as client:
        assert client.get("/left").json() is True
        assert client.get("/any").json() is True
        assert client.get("/heeding").status_code == 504


def test_the_middleware_s_deadline_is_withdrawn_when_the_answer_begins() -> None:
    app = App()
    app.add_middleware(TimeoutMiddleware, seconds=20)
    seen: list[bool] = []

    @app.get("/")
    async def begins() -> StreamingResponse:
        async def body() -> AsyncIterator[bytes]:
            yield b"begun, "
            seen.append(Deadline.left() is None)
            yield b"ended"

        seen.append(0 < (Deadline.left() or 0) <= 20)
        return StreamingResponse(body())

    @app.get("/whole")
    async def whole() -> JSONResponse:
        return JSONResponse({"left": Deadline.left() is not None})

    with TestClient(app) as client:
        assert client.get("/").text == "begun, ended"
        assert client.get("/whole").json() == {"left": True}
    assert seen == [True, True]
