"""What a route allows, and what becomes of a handler whose client has gone."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import pytest
from asgi_client import client_of, get, request
from asgi_messages import Answer, scope_of

from hoopsnake.web import App, Body, Depends, HTTPException, RateLimit, Request, Router, Turnstile
from hoopsnake.web._departure import while_the_client_is_there


async def test_a_handler_that_takes_too_long_is_cancelled() -> None:
    app, seen = App(), []

    async def session() -> AsyncIterator[None]:
        try:
            yield
        except Exception as error:
            seen.append(type(error).__name__)
            raise

    @app.get("/", timeout=0.3)
    async def slow(_: Annotated[None, Depends(session)]) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            seen.append("cancelled")

    @app.get("/own", timeout=20)
    async def own() -> None:
        raise TimeoutError

    answer = await get(app, "/")
    assert (answer.status_code, answer.json()) == (504, {"detail": "The answer took too long"})
    assert seen == ["cancelled", "HTTPException"]
    assert (await get(app, "/own")).status_code == 500


async def test_what_a_thread_uses_is_left_after_it_and_not_under_it() -> None:
    app, log = App(), []
    started, cancelled, go_on = threading.Event(), asyncio.Event(), threading.Event()

    async def watch() -> AsyncIterator[None]:
        try:
            yield
        finally:
            log.append("request over")

    def session(_: Annotated[None, Depends(watch)]) -> Iterator[None]:
        try:
            yield
        except asyncio.CancelledError:
            log.append("cancelled")
            raise
        except HTTPException:
            log.append("left")
            raise

    @app.get("/", timeout=1)
    def slow(_: Annotated[None, Depends(session)]) -> None:
        started.set()
        go_on.wait(20)
        log.append("thread over")

    @app.middleware("http")
    async def look(request: Request, call_next: Any) -> Any:
        # The deadline, seen from outside.
        asyncio.get_running_loop().call_later(1.5, cancelled.set)
        return await call_next(request)

    asked = asyncio.ensure_future(get(app, "/"))
    await asyncio.to_thread(started.wait, 20)
    await cancelled.wait()
    assert (asked.done(), log) == (False, [])
    go_on.set()
    assert (await asked).status_code == 504
    assert log == ["thread over", "left", "request over"]


async def test_a_body_may_be_as_large_as_the_route_says() -> None:
    app = App()

    @app.post("/", max_body=10)
    async def handler(request: Request) -> int:
        return len(await request.body())

    @app.post("/json", max_body=10)
    async def json(body: Annotated[list[int], Body()]) -> int:
        return len(body)

    async def pieces(*given: bytes) -> AsyncIterator[bytes]:
        for each in given:
            yield each

    async with client_of(app) as client:
        assert (await client.post("/", content=b"x" * 10)).json() == 10
        refused = await client.post("/", content=b"x" * 11)
        assert (refused.status_code, refused.json()) == (
            413,
            {"detail": "the body has more than 10 bytes"},
        )
        assert (await client.post("/", content=pieces(b"x" * 5, b"x" * 5))).json() == 10
        assert (await client.post("/", content=pieces(b"x" * 5, b"x" * 6))).status_code == 413
        assert (await client.post("/json", content=b"[1, 2]")).json() == 2
        assert (await client.post("/json", content=b"[1, 2, 3, 4]")).status_code == 413


async def test_a_rate_is_shared_by_the_routes_that_share_it() -> None:
    limit = RateLimit("2/hour", key=lambda connection: connection.headers.get("x-key"))
    app, router = App(), Router()

    @router.get("/one", limit=limit)
    async def one() -> int:
        return 1

    @router.get("/two", limit=limit)
    async def two() -> int:
        return 2

    app.include_router(router)
    async with client_of(app) as client:
        first = await client.get("/one", headers={"x-key": "a"})
        assert first.headers["ratelimit-policy"] == '"default";q=2;w=3600'
        assert (await client.get("/two", headers={"x-key": "a"})).json() == 2
        refused = await client.get("/one", headers={"x-key": "a"})
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1800")
        assert (await client.get("/one", headers={"x-key": "b"})).json() == 1


async def test_so_many_are_at_work_and_as_many_wait() -> None:
    app, go_on, inside, entered = App(), asyncio.Event(), [], asyncio.Event()

    @app.get("/", concurrency=1)
    async def handler() -> None:
        inside.append(1)
        entered.set()
        await go_on.wait()

    (route,) = app.routes
    turnstile = getattr(route, "concurrency", None)
    assert isinstance(turnstile, Turnstile)
    async with client_of(app) as client:
        asked = [asyncio.ensure_future(client.get("/"))]
        await entered.wait()
        asked.append(asyncio.ensure_future(client.get("/")))
        while turnstile.waiting == 0:
            await asyncio.sleep(0.001)
        refused = await client.get("/")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert len(inside) == 1
        go_on.set()
        assert [each.status_code for each in await asyncio.gather(*asked)] == [200, 200]
    assert (turnstile.inside, turnstile.waiting) == (0, 0)


# The client's leaving.


class Client:
    """A client that sends what it is told to, and leaves when it is told to."""

    def __init__(self, app: Any, method: str = "GET", path: str = "/") -> None:
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.asked = 0
        self.answer = Answer()
        self.task = asyncio.ensure_future(
            app(scope_of(method, path), self._receive, self.answer.hear)
        )

    async def _receive(self) -> dict[str, Any]:
        self.asked += 1
        return await self._events.get()

    def send(self, body: bytes = b"", more: bool = False) -> None:
        self._events.put_nowait({"type": "http.request", "body": body, "more_body": more})

    def leave(self) -> None:
        self._events.put_nowait({"type": "http.disconnect"})


async def test_a_handler_whose_client_has_gone_is_cancelled() -> None:
    app, log, entered = App(), [], asyncio.Event()

    async def session() -> AsyncIterator[None]:
        try:
            yield
        except Exception as error:
            log.append(f"rolled back: {type(error).__name__}")
            raise

    @app.get("/")
    async def handler(_: Annotated[None, Depends(session)]) -> None:
        entered.set()
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    client = Client(app)
    client.send()
    await entered.wait()
    client.leave()
    await client.task
    assert log == ["cancelled", "rolled back: ClientDisconnected"]
    assert client.answer.messages == []


async def test_a_handler_may_be_left_to_finish() -> None:
    app, go_on, entered = App(), asyncio.Event(), asyncio.Event()

    @app.get("/", cancel_on_disconnect=False)
    async def handler() -> int:
        entered.set()
        await go_on.wait()
        return 7

    client = Client(app)
    client.send()
    client.leave()
    await entered.wait()
    go_on.set()
    await client.task
    assert client.answer.body == b"7"


async def test_a_handler_that_answers_at_once_is_not_watched() -> None:
    app = App()

    @app.get("/")
    async def handler() -> int:
        return 7

    client = Client(app)
    await client.task
    assert (client.asked, client.answer.body) == (0, b"7")


async def test_the_watch_takes_no_byte_from_a_handler_that_waits_before_it_reads() -> None:
    app, entered, go_on = App(), asyncio.Event(), asyncio.Event()

    @app.post("/")
    async def handler(request: Request) -> str:
        entered.set()
        await go_on.wait()
        return (await request.body()).decode()

    client = Client(app, "POST")
    for piece in (b"one ", b"two ", b"three "):
        client.send(piece, more=True)
    await entered.wait()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    # One piece ahead, however many are there.
    assert client.asked == 1
    go_on.set()
    client.send(b"four")
    await client.task
    assert client.answer.body == b'"one two three four"'


async def test_a_handler_may_ask_whether_its_client_has_gone() -> None:
    app, entered = App(), asyncio.Event()
    told: list[bool] = []

    @app.get("/", cancel_on_disconnect=False)
    async def handler(request: Request) -> None:
        await request.body()
        assert not await request.is_disconnected()
        entered.set()
        while not await request.is_disconnected():
            await asyncio.sleep(0)
        told.append(True)

    client = Client(app)
    client.send()
    await entered.wait()
    client.leave()
    await client.task
    assert told == [True]


async def test_a_cancellation_from_elsewhere_stays_one() -> None:
    app, entered = App(), asyncio.Event()

    @app.get("/")
    async def handler() -> None:
        entered.set()
        await asyncio.get_running_loop().create_future()

    client = Client(app)
    client.send()
    await entered.wait()
    client.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await client.task


async def test_what_is_watched_raises_and_returns_what_it_would() -> None:
    async def receive() -> dict[str, Any]:
        raise OSError("a server that fails")

    async def work(ends_well: bool) -> int:
        for _ in range(3):
            await asyncio.sleep(0)
        try:
            async with asyncio.timeout(0.001):
                await asyncio.get_running_loop().create_future()
        except TimeoutError:
            pass
        if not ends_well:
            raise LookupError("x")
        return 5

    assert await while_the_client_is_there(work(True), Request(scope_of(), receive)) == 5
    with pytest.raises(LookupError):
        await while_the_client_is_there(work(False), Request(scope_of(), receive))


async def test_what_was_taken_ahead_can_be_read_by_what_follows_the_handler() -> None:
    app = App()

    @app.post("/")
    async def handler(request: Request) -> Any:
        await asyncio.sleep(0.001)
        return request.app.title

    answer = await request(app, "POST", "/", content=b"never read")
    assert answer.json() == "hoopsnake"
