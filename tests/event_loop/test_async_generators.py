"""Asynchronous generators: half-used ones are closed on the loop, the rest at its end."""

from __future__ import annotations

import asyncio
import gc
import sys
from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator

import pytest
from loop_under_test import Reports


async def count(closed: list[str], name: str = "counter") -> AsyncIterator[int]:
    try:
        for number in range(100):
            await asyncio.sleep(0)
            yield number
    finally:
        await asyncio.sleep(0)
        closed.append(name)


def test_shutdown_closes_the_half_used(loop: AbstractEventLoop) -> None:
    closed: list[str] = []
    counters = [count(closed, str(number)) for number in range(3)]

    async def begin() -> None:
        for counter in counters:
            assert await anext(counter) == 0

    loop.run_until_complete(begin())
    assert closed == []
    loop.run_until_complete(loop.shutdown_asyncgens())
    assert sorted(closed) == ["0", "1", "2"]


def test_one_that_is_dropped_is_closed_by_a_task_of_the_loop(loop: AbstractEventLoop) -> None:
    closed: list[str] = []

    async def begin_and_drop() -> None:
        async for _ in count(closed):
            break
        gc.collect()
        while not closed:
            await asyncio.sleep(0)

    loop.run_until_complete(asyncio.wait_for(begin_and_drop(), 20))
    assert closed == ["counter"]


def test_one_that_fails_to_close_is_reported(loop: AbstractEventLoop, reports: Reports) -> None:
    async def fail_to_close() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            raise LookupError("while closing")

    generator = fail_to_close()

    async def begin() -> int:
        return await anext(generator)

    assert loop.run_until_complete(begin()) == 1
    loop.run_until_complete(loop.shutdown_asyncgens())
    report = reports.pop()
    assert str(report["exception"]) == "while closing"
    assert report["asyncgen"] is generator


def test_one_begun_after_the_shutdown_brings_a_warning(loop: AbstractEventLoop) -> None:
    generator = count([])

    async def begin() -> None:
        await anext(generator)
        await generator.aclose()  # type: ignore[attr-defined]

    loop.run_until_complete(loop.shutdown_asyncgens())
    with pytest.warns(ResourceWarning, match="after loop.shutdown_asyncgens"):
        loop.run_until_complete(begin())


def test_the_hooks_of_before_are_put_back(loop: AbstractEventLoop) -> None:
    before = sys.get_asyncgen_hooks()
    inside: list[object] = []
    loop.call_soon(lambda: inside.append(sys.get_asyncgen_hooks()))
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert sys.get_asyncgen_hooks() == before
    assert inside[0] != before


def test_run_closes_them_before_it_returns() -> None:
    import hoopsnake

    closed: list[str] = []
    counter = count(closed)

    async def main() -> int:
        return await anext(counter)

    assert hoopsnake.run(main()) == 0
    assert closed == ["counter"]
