"""Dependencies: scopes of `yield`, limits, functions that run inline, and the threads of others."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import pytest
from asgi_client import get

from hoopsnake._exposition import exposition
from hoopsnake._metrics import _of_handler_threads
from hoopsnake.web import App, Depends, WebError, handler_threads, inline
from hoopsnake.web._turnstile import Full, Turnstile


async def test_a_dependency_of_the_handlers_scope_ends_before_the_response_is_sent() -> None:
    log: list[str] = []

    async def whole() -> AsyncIterator[None]:
        yield
        log.append("request over")

    def short(_: Annotated[None, Depends(whole)]) -> Iterator[str]:
        yield "s"
        log.append("handler over")

    app = App()

    @app.get("/")
    async def handler(value: Annotated[str, Depends(short, scope="function")]) -> str:
        log.append("handler")
        return value

    async def send(message: Any) -> None:
        log.append(message["type"])

    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    await app(scope, None, send)  # type: ignore[arg-type]
    assert log == [
        "handler",
        "handler over",
        "http.response.start",
        "http.response.body",
        "request over",
    ]


async def test_what_lasts_longer_cannot_depend_on_what_ends_sooner() -> None:
    def short() -> Iterator[None]:
        yield

    def long(_: Annotated[None, Depends(short, scope="function")]) -> Iterator[None]:
        yield

    app = App()

    @app.get("/")
    async def handler(_: Annotated[None, Depends(long)]) -> None: ...

    with pytest.raises(WebError, match="cannot have scope='function'"):
        app.openapi()
    with pytest.raises(ValueError, match="a scope is"):
        Depends(short, scope="session")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["async", "thread"])
async def test_a_limited_dependency_lets_so_many_in_until_its_end(kind: str) -> None:
    inside, most, entered = 0, 0, asyncio.Event()
    go_on = asyncio.Event()

    async def of_loop() -> AsyncIterator[None]:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        yield
        inside -= 1

    def of_thread() -> Iterator[None]:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        yield
        inside -= 1

    connection = Depends(of_loop if kind == "async" else of_thread, limit=2)
    app = App()

    @app.get("/")
    async def handler(_: Annotated[None, connection]) -> None:
        if inside == 2:
            entered.set()
        await go_on.wait()

    asked = [asyncio.ensure_future(get(app, "/")) for _ in range(5)]
    await entered.wait()
    turnstile = connection.turnstile
    assert turnstile is not None
    assert turnstile.inside == 2
    go_on.set()
    assert [each.status_code for each in await asyncio.gather(*asked)] == [200] * 5
    assert (most, inside, turnstile.inside, turnstile.waiting) == (2, 0, 0, 0)


async def test_a_limited_dependency_that_fails_gives_its_place_back() -> None:
    def broken() -> Iterator[None]:
        raise LookupError
        yield

    limited = Depends(broken, limit=1)
    app = App()

    @app.get("/")
    async def handler(_: Annotated[None, limited]) -> None: ...

    for _ in range(3):
        assert (await get(app, "/")).status_code == 500
    assert limited.turnstile is not None
    assert limited.turnstile.inside == 0


async def test_a_turnstile_keeps_the_order_and_forgets_whoever_leaves() -> None:
    turnstile, order = Turnstile(1, queue=3), []
    await turnstile.enter()

    async def wait(name: str) -> None:
        async with turnstile:
            order.append(name)

    tasks = [asyncio.ensure_future(wait(name)) for name in "abc"]
    await asyncio.sleep(0)
    with pytest.raises(Full):
        await turnstile.enter()
    tasks[1].cancel()
    await asyncio.wait([tasks[1]])
    assert turnstile.waiting == 2
    # Cancelled in the turn in which the place is given: it goes on to the next.
    turnstile.leave()
    tasks[0].cancel()
    await asyncio.wait(tasks)
    assert order == ["c"]
    assert (turnstile.inside, turnstile.waiting) == (0, 0)


async def test_a_turnstile_has_nobody_wait_too_long() -> None:
    turnstile = Turnstile(1, wait=0.001)
    async with turnstile:
        with pytest.raises(Full):
            await turnstile.enter()
    assert (turnstile.inside, turnstile.waiting) == (0, 0)


async def test_what_is_declared_inline_runs_where_the_loop_does() -> None:
    threads: list[int] = []

    @inline
    def setting() -> Iterator[int]:
        threads.append(threading.get_ident())
        yield 1
        threads.append(threading.get_ident())

    app = App()

    @app.get("/")
    @inline
    def handler(one: Annotated[int, Depends(setting)]) -> int:
        threads.append(threading.get_ident())
        return one

    assert (await get(app, "/")).json() == 1
    assert threads == [threading.get_ident()] * 3


async def test_the_threads_tell_what_they_are_at_and_refuse_what_is_too_much() -> None:
    before = handler_threads.stats()
    go_on, started = threading.Event(), threading.Semaphore(0)
    app = App(threads=2, thread_queue=1)

    @app.get("/")
    def handler() -> None:
        started.release()
        go_on.wait(20)

    try:
        asked = [asyncio.ensure_future(get(app, "/", served=False)) for _ in range(3)]
        for _ in range(2):
            await asyncio.to_thread(started.acquire, timeout=20)
        stats = handler_threads.stats()
        assert (stats.threads, stats.queue, stats.working, stats.waiting) == (2, 1, 2, 1)
        refused = await get(app, "/", served=False)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        asked[2].cancel()
        await asyncio.wait([asked[2]])
        assert handler_threads.stats().waiting == 0
    finally:
        go_on.set()
        handler_threads.configure(before.threads, before.queue)
    assert [each.status_code for each in await asyncio.gather(*asked[:2])] == [200, 200]
    assert handler_threads.stats().done == before.done + 2
    with pytest.raises(ValueError, match="cannot work"):
        handler_threads.configure(0)


def test_the_metrics_tell_of_the_threads() -> None:
    stats = handler_threads.stats()
    text = exposition([(None, _of_handler_threads())])
    assert f"hoopsnake_handler_threads {stats.threads}\n" in text
    assert f"hoopsnake_handler_calls_total {stats.done}\n" in text
    assert "# TYPE hoopsnake_handler_calls_waiting gauge" in text
