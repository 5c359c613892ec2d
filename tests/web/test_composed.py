"""A handler and what it depends on, compiled into one coroutine function."""

import asyncio
import traceback
from typing import Annotated

from asgi_client import get

from hoopsnake.web import App, Depends, inline
from hoopsnake.web._composed import Call, Result, composed


async def one(a: int) -> int:
    return a + 1


def two(b: int, c: int) -> int:
    return b * c


async def test_results_and_arguments_go_where_they_belong() -> None:
    calls = [
        Call(one, True, {"a": 3}),
        Call(two, False, {"b": Result(0), "c": 1}),
        Call(one, True, {"a": Result(1)}),
    ]
    function, names, positions = composed(calls, "test")
    assert (names, positions) == (("a1", "a3"), [1, 3])
    assert await function(a1=10, a3=4) == 51


async def test_one_call_is_taken_as_it_is() -> None:
    assert composed([Call(one, True, {"a": 2})], "test") == (one, ("a",), [2])
    assert await composed([Call(two, False, {"b": 0, "c": 1})], "test").function(a0=2, a1=3) == 6


async def test_a_traceback_says_whose_calls_they_are() -> None:
    async def fails(a: int) -> int:
        raise LookupError

    calls = [Call(one, True, {"a": 0}), Call(fails, True, {"a": Result(0)})]
    try:
        await composed(calls, "shop.item").function(a0=1)
    except LookupError as error:
        assert "<dependencies of shop.item>" in "".join(traceback.format_exception(error))


async def test_each_is_called_once_a_request_whether_it_waits_or_not() -> None:
    app, called = App(), list[str]()

    async def waits(x: int = 1) -> int:
        called.append("waits")
        await asyncio.sleep(0)
        return x

    @inline
    def doubled(waited: Annotated[int, Depends(waits)]) -> int:
        called.append("doubled")
        return waited * 2

    @app.get("/")
    async def handler(
        a: Annotated[int, Depends(doubled)], b: Annotated[int, Depends(waits)], y: int = 0
    ) -> list[int]:
        return [a, b, y]

    assert (await get(app, "/?x=5&y=7")).json() == [10, 5, 7]
    assert (await get(app, "/?x=z")).status_code == 422
    assert called == ["waits", "doubled"]
