"""What may be served: every kind of async callable; and what an application is not."""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import Awaitable
from typing import Any

import pytest
from applications import hello, start
from served import Receive, Scope, Send, served


class Instance:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await hello(scope, receive, send)

    async def method(self, scope: Scope, receive: Receive, send: Send) -> None:
        await hello(scope, receive, send)


def returning_a_coroutine(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
    return hello(scope, receive, send)


@pytest.mark.parametrize(
    "application",
    [hello, Instance(), Instance().method, functools.partial(hello), returning_a_coroutine],
    ids=["function", "instance", "method", "partial", "plain function"],
)
async def test_any_callable_that_gives_a_coroutine_is_an_application(application: Any) -> None:
    async with served(application, lifespan="off") as server:
        assert (await server.get("/x")).body == b"/x"


def no_coroutine(scope: Scope, receive: Receive, send: Send) -> None:
    return None


def raising_at_once(scope: Scope, receive: Receive, send: Send) -> None:
    raise LookupError("before there is a coroutine")


async def takes_too_little(scope: Scope) -> None:
    raise AssertionError("is never entered")


async def generator(scope: Scope, receive: Receive, send: Send) -> Any:
    yield


@pytest.mark.parametrize(
    ("application", "complaint"),
    [
        (no_coroutine, r"TypeError: .*coroutine.*None"),
        (raising_at_once, r"LookupError: before there is a coroutine"),
        (takes_too_little, r"TypeError: takes_too_little\(\) takes 1 positional argument but 3"),
        (generator, r"TypeError: .*coroutine.*async_generator"),
        ("module:app", r"TypeError: 'str' object is not callable"),
    ],
    ids=["no coroutine", "raises", "arguments", "generator", "not callable"],
)
async def test_what_is_no_application_answers_500_and_says_why(
    application: Any, complaint: str
) -> None:
    async with served(application, faulty=True, lifespan="off") as server:
        async with await server.connect() as wire:
            for _ in range(2):
                await wire.get()
                assert (await wire.answer()).status == 500
        await server.log.wait_for(complaint)
        assert len(server.log.faults) == 2


async def test_context_variables_do_not_leak_between_requests() -> None:

    mark = contextvars.ContextVar("mark", default=0)
    seen: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(mark.get())
        mark.set(mark.get() + 1)
        await hello(scope, receive, send)
        if scope["path"] == "/slow":
            await asyncio.sleep(0)

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            for path in ("/", "/slow", "/"):
                await wire.get(path)
                await wire.answer()
    assert seen == [0, 0, 0]


async def test_the_application_runs_as_a_task_of_the_loop() -> None:
    tasks: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        tasks.append(asyncio.current_task())
        async with asyncio.timeout(5):
            await asyncio.sleep(0)
        assert asyncio.current_task() is tasks[-1]
        await hello(scope, receive, send)

    async with served(app, lifespan="off") as server:
        await server.get()
        await server.get()
    assert all(isinstance(task, asyncio.Task) for task in tasks)
    assert tasks[0] is not tasks[1]


async def test_an_application_that_cancels_itself_is_a_fault_and_not_a_hang() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/well":
            return await hello(scope, receive, send)
        await send(start())
        raise asyncio.CancelledError("of its own")

    async with served(app, faulty=True, lifespan="off") as server:
        assert (await server.get()).status == 500
        assert "CancelledError: of its own" in server.log.text
        assert (await server.get("/well")).status == 200


async def test_many_concurrent_requests_wait_beside_each_other() -> None:
    waiting = 0
    all_there = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal waiting
        waiting += 1
        if waiting == 200:
            all_there.set()
        await all_there.wait()
        await hello(scope, receive, send)

    async with served(app, lifespan="off") as server:
        answers = await asyncio.gather(*(server.get(f"/{each}") for each in range(200)))
    assert [answer.body for answer in answers] == [b"/%d" % each for each in range(200)]
