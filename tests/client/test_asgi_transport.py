"""ASGI applications that answer a client in its own process."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

import hoopsnake
from hoopsnake import ASGITransport, Client
from hoopsnake.web import App, BackgroundTasks

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
HTML = [(b"content-type", b"text/html")]


def client_of(app: Any, **options: Any) -> Client:
    options.setdefault("lifespan", "off")
    return Client(transport=ASGITransport(app, **options), base_url="http://shop")


async def body_of(receive: Receive) -> list[bytes]:
    pieces = []
    while True:
        message = await receive()
        pieces.append(message["body"])
        if not message["more_body"]:
            return pieces


async def start(send: Send, status: int = 200, headers: Any = HTML, **more: Any) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers, **more})


async def piece(send: Send, body: bytes, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def test_an_application_is_told_what_a_server_tells_it() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        assert await body_of(receive) == [b"bytes"]
        await start(send, 201)
        await piece(send, b"<p>")

    async with client_of(app, root_path="/root", client=("10.0.0.1", 4)) as client:
        got = await client.post("/a%20b?c=%3d", content=b"bytes", headers={"X-Mine": "1"})
    assert (got.status_code, got.text, got.headers["content-type"]) == (201, "<p>", "text/html")
    (scope,) = seen
    assert (scope["type"], scope["method"], scope["scheme"]) == ("http", "POST", "http")
    assert (scope["path"], scope["raw_path"]) == ("/a b", b"/a%20b")
    assert (scope["query_string"], scope["root_path"]) == (b"c=%3d", "/root")
    assert (scope["client"], scope["server"]) == (("10.0.0.1", 4), ("shop", 80))
    headers = dict(scope["headers"])
    assert headers[b"host"] == b"shop"
    assert headers[b"x-mine"] == b"1"
    assert headers[b"content-length"] == b"5"


async def test_the_web_framework_answers() -> None:
    app = App()
    done: list[str] = []

    @app.get("/items/{number}")
    async def item(number: int) -> dict[str, int]:
        return {"number": number}

    @app.post("/later")
    async def later(tasks: BackgroundTasks) -> str:
        async def work() -> None:
            await asyncio.sleep(0)
            done.append("done")

        tasks.add_task(work)
        return "later"

    async with client_of(app) as client:
        assert (await client.get("/items/3")).json() == {"number": 3}
        assert (await client.get("/items/x")).status_code == 422
        assert (await client.post("/later")).json() == "later"


async def test_what_an_application_does_after_its_response_is_waited_for() -> None:
    done: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send)
        await piece(send, b"here")
        await asyncio.sleep(0)
        done.append("done")

    async with client_of(app) as client:
        assert (await client.get("/")).text == "here"
        assert done == ["done"]


async def test_a_response_is_there_before_the_application_has_ended() -> None:
    going_on = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send)
        await piece(send, b"one", more=True)
        await going_on.wait()
        await piece(send, b"two")

    async with client_of(app) as client, client.stream("GET", "/") as got:
        pieces = got.aiter_bytes()
        assert await anext(pieces) == b"one"
        going_on.set()
        assert [piece async for piece in pieces] == [b"two"]


async def test_an_application_hears_that_its_client_has_gone() -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await body_of(receive)
        await start(send)
        await piece(send, b"one", more=True)
        heard.put_nowait((await receive())["type"])
        try:
            await piece(send, b"two", more=True)
        except hoopsnake.ClientDisconnected:
            heard.put_nowait("disconnected")
            raise

    async with client_of(app) as client:
        async with client.stream("GET", "/") as got:
            assert await anext(got.aiter_bytes()) == b"one"
        assert [await heard.get(), await heard.get()] == ["http.disconnect", "disconnected"]


async def test_a_cancelled_request_is_a_client_that_has_gone() -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await body_of(receive)
        heard.put_nowait("began")
        heard.put_nowait((await receive())["type"])

    async with client_of(app) as client:
        asking = asyncio.create_task(client.get("/"))
        assert await heard.get() == "began"
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await heard.get() == "http.disconnect"


async def test_an_application_does_not_run_ahead_of_its_reader() -> None:
    sent = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal sent
        await start(send)
        for _ in range(100):
            await piece(send, b"x" * 16384, more=True)
            sent += 1
        await piece(send, b"")

    async with client_of(app) as client, client.stream("GET", "/") as got:
        pieces = got.aiter_bytes()
        total = len(await anext(pieces))
        for _ in range(20):
            await asyncio.sleep(0)
        assert 0 < sent < 10
        async for each in pieces:
            total += len(each)
        assert (total, sent) == (100 * 16384, 100)


async def test_a_body_streams_into_an_application_as_it_asks() -> None:
    made: list[int] = []

    async def pieces() -> AsyncIterator[bytes]:
        for number in range(3):
            made.append(number)
            yield b"%d" % number

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (b"transfer-encoding", b"chunked") in scope["headers"]
        assert (await receive())["body"] == b"0"
        assert made == [0]
        assert await body_of(receive) == [b"1", b"2", b""]
        await start(send)
        await piece(send, b"taken")

    async with client_of(app) as client:
        assert (await client.post("/", content=pieces())).text == "taken"


async def test_what_an_application_raises_is_raised() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/late":
            await start(send)
            await piece(send, b"one", more=True)
        if scope["path"] == "/after":
            await start(send)
            await piece(send, b"one")
        raise LookupError(scope["path"])

    async with client_of(app) as client:
        for path in ("/early", "/late", "/after"):
            with pytest.raises(LookupError, match=path):
                await client.get(path)
    async with client_of(app, raise_app_exceptions=False) as client:
        assert (await client.get("/early")).status_code == 500
        with pytest.raises(hoopsnake.RemoteProtocolError, match="before its response was complete"):
            await client.get("/late")
        assert (await client.get("/after")).text == "one"


async def test_an_application_that_does_not_answer_is_an_error() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        pass

    async with client_of(app) as client:
        with pytest.raises(hoopsnake.RemoteProtocolError, match="returned without a response"):
            await client.get("/")


@pytest.mark.parametrize(
    ("messages", "complaint"),
    [
        ([{"type": "http.response.body"}], "'http.response.start' was due"),
        ([{"type": "http.response.start", "status": 200}] * 2, "'http.response.body' was due"),
        (
            [
                {"type": "http.response.start", "status": 200},
                {"type": "http.response.body"},
                {"type": "http.response.body"},
            ],
            "its response was complete",
        ),
    ],
)
async def test_messages_out_of_turn_are_refused(messages: list[Any], complaint: str) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    async with client_of(app) as client:
        with pytest.raises(RuntimeError, match=complaint):
            await client.get("/")


async def test_trailers_and_packed_bodies_come_through() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send, headers=[(b"content-encoding", b"gzip")], trailers=True)
        await piece(send, gzip.compress(b"packed" * 50))
        await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"9")]})

    async with client_of(app) as client:
        got = await client.get("/")
        assert got.content == b"packed" * 50
        assert got.trailers["x-sum"] == "9"


async def test_the_answer_to_head_has_no_body() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send)
        await piece(send, b"body")

    async with client_of(app) as client:
        assert (await client.head("/")).content == b""


async def test_a_lifespan_begins_and_ends_with_the_client() -> None:
    events: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            scope["state"]["shelf"] = ["tea"]
            for stage in ("startup", "shutdown"):
                events.append((await receive())["type"])
                await send({"type": f"lifespan.{stage}.complete"})
            return
        events.append(scope["state"]["shelf"][0])
        await start(send)
        await piece(send, b"")

    async with client_of(app, lifespan="auto") as client:
        assert events == ["lifespan.startup"]
        await client.get("/")
    assert events == ["lifespan.startup", "tea", "lifespan.shutdown"]

    events.clear()
    client = client_of(app, lifespan="on")
    await asyncio.gather(client.get("/"), client.get("/"))
    await client.aclose()
    assert events == ["lifespan.startup", "tea", "tea", "lifespan.shutdown"]


async def test_a_lifespan_that_fails_or_is_missing() -> None:
    async def failing(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    with pytest.raises(hoopsnake.LifespanError, match="no database"):
        async with client_of(failing, lifespan="auto"):
            pass

    async def without(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(scope["type"])
        await start(send)
        await piece(send, b"here")

    async with client_of(without, lifespan="auto") as client:
        assert (await client.get("/")).text == "here"
    with pytest.raises(hoopsnake.LifespanError, match="does not support"):
        async with client_of(without, lifespan="on"):
            pass


async def test_what_is_at_work_as_the_client_closes_is_cancelled() -> None:
    cancelled = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send)
        await piece(send, b"one", more=True)
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            cancelled.set()

    async with client_of(app) as client, client.stream("GET", "/") as got:
        assert await anext(got.aiter_bytes()) == b"one"
    assert cancelled.is_set()


def test_it_works_on_any_loop() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send)
        await piece(send, b"anywhere")

    async def fetch() -> str:
        async with client_of(app) as client:
            return (await client.get("/")).text

    assert asyncio.run(fetch()) == "anywhere"
