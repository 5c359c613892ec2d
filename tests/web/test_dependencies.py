"""Dependencies: who is called when, once or more, and what follows a `yield`."""

import threading
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import pytest
from asgi_client import get

from hoopsnake.web import App, Depends, HTTPException, Query, Router, WebError

LOG: list[str] = []


@pytest.fixture(autouse=True)
def empty_log() -> None:
    LOG.clear()


async def first(x: int = 1) -> int:
    LOG.append("first")
    return x


def second(first: Annotated[int, Depends(first)]) -> int:
    LOG.append("second")
    return first + 1


async def test_each_is_called_once_however_many_ask_for_it() -> None:
    app = App()

    @app.get("/")
    async def handler(
        a: Annotated[int, Depends(first)],
        b: Annotated[int, Depends(second)],
        c: Annotated[int, Depends(first, use_cache=False)],
    ) -> list[int]:
        return [a, b, c]

    assert (await get(app, "/?x=5")).json() == [5, 6, 5]
    assert LOG == ["first", "second", "first"]


async def test_what_follows_a_yield_runs_after_the_response_in_reverse_order() -> None:
    app = App()

    async def outer() -> AsyncIterator[str]:
        LOG.append("outer in")
        yield "o"
        LOG.append("outer out")

    def inner(outer: Annotated[str, Depends(outer)]) -> Iterator[str]:
        LOG.append("inner in")
        yield outer + "i"
        LOG.append("inner out")

    @app.get("/")
    async def handler(value: Annotated[str, Depends(inner)]) -> str:
        LOG.append("handler")
        return value

    assert (await get(app, "/")).json() == "oi"
    assert LOG == ["outer in", "inner in", "handler", "inner out", "outer out"]


async def test_a_dependency_sees_the_exception_of_the_handler() -> None:
    app = App()

    def session() -> Iterator[None]:
        try:
            yield
        except HTTPException as error:
            LOG.append(f"rolled back: {error}")
            raise

    @app.get("/")
    def handler(_: Annotated[None, Depends(session)]) -> None:
        raise HTTPException(409, "taken")

    answer = await get(app, "/")
    assert (answer.status_code, answer.json()) == (409, {"detail": "taken"})
    assert LOG == ["rolled back: 409: taken"]


async def test_a_dependency_may_answer_with_another_exception() -> None:
    app = App()

    async def transaction(keep: bool = False) -> AsyncIterator[None]:
        try:
            yield
        except HTTPException as error:
            LOG.append("rolled back")
            if keep:
                return
            raise HTTPException(409, "again") from error

    @app.get("/")
    async def handler(_: Annotated[None, Depends(transaction)]) -> None:
        raise HTTPException(403, "no")

    assert (await get(app, "/")).json() == {"detail": "again"}
    # One that keeps the exception to itself has not answered either.
    assert (await get(app, "/?keep=1")).status_code == 403
    assert LOG == ["rolled back"] * 2


async def test_functions_that_do_not_wait_run_on_one_thread_together() -> None:
    app = App()
    threads: list[int] = []

    def one() -> Iterator[None]:
        threads.append(threading.get_ident())
        yield

    @app.get("/")
    def handler(_: Annotated[None, Depends(one)]) -> None:
        threads.append(threading.get_ident())

    assert (await get(app, "/")).json() is None
    assert threads[0] == threads[1] != threading.get_ident()


async def test_a_class_is_a_dependency() -> None:
    class Page:
        def __init__(self, number: int = 1, size: Annotated[int, Query(le=50)] = 10) -> None:
            self.start = (number - 1) * size

    app = App()

    @app.get("/")
    async def handler(page: Annotated[Page, Depends()]) -> int:
        return page.start

    assert (await get(app, "/?number=3&size=20")).json() == 40
    assert (await get(app, "/?size=51")).status_code == 422


async def test_an_override_takes_its_place_until_it_is_taken_back() -> None:
    app = App()

    @app.get("/")
    async def handler(value: Annotated[int, Depends(second)]) -> int:
        return value

    app.dependency_overrides[first] = lambda: 41
    assert (await get(app, "/")).json() == 42
    app.dependency_overrides.clear()
    assert (await get(app, "/")).json() == 2


async def test_those_of_application_and_router_are_called_before_the_handler() -> None:
    def note(text: str) -> Any:
        return Depends(lambda: LOG.append(text))

    router = Router(prefix="/r", dependencies=[note("router")])

    @router.get("/", dependencies=[note("route")])
    async def handler() -> None:
        LOG.append("handler")

    app = App(dependencies=[note("app")])
    app.include_router(router, dependencies=[note("include")])
    assert (await get(app, "/r/")).status_code == 200
    assert LOG == ["app", "include", "router", "route", "handler"]


async def test_what_cannot_be_filled_is_told_at_startup() -> None:
    app = App()

    @app.get("/{a}")
    async def handler(*others: int) -> None: ...

    with pytest.raises(WebError, match=r"handler: the parameter \*others: int cannot be filled"):
        app.openapi()
