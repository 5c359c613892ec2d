"""`gather`, `as_completed` and `map_concurrent`."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import Any, Literal, TypeVar, overload

from hoopsnake._gather._crew import Crew
from hoopsnake._gather._outcome import Outcome
from hoopsnake._gather._progress import ProgressOption
from hoopsnake._gather._results import Results
from hoopsnake._gather._source import source_of

__all__ = ["as_completed", "gather", "map_concurrent"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_First = TypeVar("_First")
_Second = TypeVar("_Second")
_Third = TypeVar("_Third")
_Fourth = TypeVar("_Fourth")
_Fifth = TypeVar("_Fifth")


@overload
async def gather(
    first: Awaitable[_First],
    /,
    *,
    limit: int | None = None,
    collect: Literal[False] = False,
    progress: ProgressOption = None,
) -> tuple[_First]: ...
@overload
async def gather(
    first: Awaitable[_First],
    second: Awaitable[_Second],
    /,
    *,
    limit: int | None = None,
    collect: Literal[False] = False,
    progress: ProgressOption = None,
) -> tuple[_First, _Second]: ...
@overload
async def gather(
    first: Awaitable[_First],
    second: Awaitable[_Second],
    third: Awaitable[_Third],
    /,
    *,
    limit: int | None = None,
    collect: Literal[False] = False,
    progress: ProgressOption = None,
) -> tuple[_First, _Second, _Third]: ...
@overload
async def gather(
    first: Awaitable[_First],
    second: Awaitable[_Second],
    third: Awaitable[_Third],
    fourth: Awaitable[_Fourth],
    /,
    *,
    limit: int | None = None,
    collect: Literal[False] = False,
    progress: ProgressOption = None,
) -> tuple[_First, _Second, _Third, _Fourth]: ...
@overload
async def gather(
    first: Awaitable[_First],
    second: Awaitable[_Second],
    third: Awaitable[_Third],
    fourth: Awaitable[_Fourth],
    fifth: Awaitable[_Fifth],
    /,
    *,
    limit: int | None = None,
    collect: Literal[False] = False,
    progress: ProgressOption = None,
) -> tuple[_First, _Second, _Third, _Fourth, _Fifth]: ...
@overload
async def gather(
    *awaitables: Awaitable[_Result],
    limit: int | None = None,
    collect: Literal[False] = False,
    progress: ProgressOption = None,
) -> tuple[_Result, ...]: ...
@overload
async def gather(
    awaitables: Iterable[Awaitable[_Result]] | AsyncIterable[Awaitable[_Result]],
    /,
    *,
    limit: int | None = None,
    collect: Literal[False] = False,
    progress: ProgressOption = None,
) -> list[_Result]: ...
@overload
async def gather(
    first: Awaitable[_First],
    /,
    *,
    limit: int | None = None,
    collect: Literal[True],
    progress: ProgressOption = None,
) -> tuple[Outcome[_First]]: ...
@overload
async def gather(
    first: Awaitable[_First],
    second: Awaitable[_Second],
    /,
    *,
    limit: int | None = None,
    collect: Literal[True],
    progress: ProgressOption = None,
) -> tuple[Outcome[_First], Outcome[_Second]]: ...
@overload
async def gather(
    first: Awaitable[_First],
    second: Awaitable[_Second],
    third: Awaitable[_Third],
    /,
    *,
    limit: int | None = None,
    collect: Literal[True],
    progress: ProgressOption = None,
) -> tuple[Outcome[_First], Outcome[_Second], Outcome[_Third]]: ...
@overload
async def gather(
    first: Awaitable[_First],
    second: Awaitable[_Second],
    third: Awaitable[_Third],
    fourth: Awaitable[_Fourth],
    /,
    *,
    limit: int | None = None,
    collect: Literal[True],
    progress: ProgressOption = None,
) -> tuple[Outcome[_First], Outcome[_Second], Outcome[_Third], Outcome[_Fourth]]: ...
@overload
async def gather(
    first: Awaitable[_First],
    second: Awaitable[_Second],
    third: Awaitable[_Third],
    fourth: Awaitable[_Fourth],
    fifth: Awaitable[_Fifth],
    /,
    *,
    limit: int | None = None,
    collect: Literal[True],
    progress: ProgressOption = None,
) -> tuple[
    Outcome[_First], Outcome[_Second], Outcome[_Third], Outcome[_Fourth], Outcome[_Fifth]
]: ...
@overload
async def gather(
    *awaitables: Awaitable[_Result],
    limit: int | None = None,
    collect: Literal[True],
    progress: ProgressOption = None,
) -> tuple[Outcome[_Result], ...]: ...
@overload
async def gather(
    awaitables: Iterable[Awaitable[_Result]] | AsyncIterable[Awaitable[_Result]],
    /,
    *,
    limit: int | None = None,
    collect: Literal[True],
    progress: ProgressOption = None,
) -> list[Outcome[_Result]]: ...
async def gather(
    *awaitables: Any,
    limit: int | None = None,
    collect: bool = False,
    progress: ProgressOption = None,
) -> Any:
    """Await many at once, at most `limit` of them, and return their results in order.

    The first that fails ends the others: they are cancelled, waited for, and then its error is
    raised as it is. If `gather` itself is cancelled, so are all of them. What one raises because it
    was cancelled goes to the loop's exception handler.

    Args:
        *awaitables: several awaitables; or one iterable or async iterable of them, which is pulled
            only as far as there is room, so a generator of a million calls is fine.
        limit: how many may be at work at once; None: all.
        collect: return an `Outcome` of each instead, whether it succeeded or failed.
        progress: True or a title draws a bar, by rich where that is installed; a function is told
            how many are done and how many there are (None if nobody knows).

    Returns:
        A tuple for several awaitables, a list for an iterable.

    Raises:
        ValueError: for a limit below 1.
    """
    first: Any = awaitables[0] if len(awaitables) == 1 else None
    of_one = len(awaitables) == 1 and not inspect.isawaitable(first)
    source = source_of(first if of_one else awaitables)
    crew = Crew(
        source,
        None,
        limit=limit,
        ordered=False,
        collect=collect,
        progress=progress,
        title="gather",
    )
    results: dict[int, Any] = {}
    try:
        while (ready := await crew.take()) is not None:
            index, future = ready
            results[index] = Outcome.of(index, future) if collect else future.result()
    finally:
        await crew.end()
    in_order = [results[index] for index in range(len(results))]
    return in_order if of_one else tuple(in_order)


@overload
def as_completed(
    awaitables: Iterable[Awaitable[_Result]] | AsyncIterable[Awaitable[_Result]],
    *,
    limit: int | None = None,
    collect: Literal[False] = False,
    progress: ProgressOption = None,
) -> Results[_Result]: ...
@overload
def as_completed(
    awaitables: Iterable[Awaitable[_Result]] | AsyncIterable[Awaitable[_Result]],
    *,
    limit: int | None = None,
    collect: Literal[True],
    progress: ProgressOption = None,
) -> Results[Outcome[_Result]]: ...
def as_completed(
    awaitables: Iterable[Awaitable[_Result]] | AsyncIterable[Awaitable[_Result]],
    *,
    limit: int | None = None,
    collect: bool = False,
    progress: ProgressOption = None,
) -> Results[Any]:
    """Return the results of many as they come, at most `limit` at work at once.

    Called inside of a running loop; `async for result in as_completed(…, limit=10):`. The first
    failure is raised there, once all others were cancelled and have ended.

    Args:
        awaitables: an iterable or async iterable of them, pulled as far as there is room. What is
            done and not taken takes room too.
        limit: how many there is room for; None: all.
        collect: give an `Outcome` of each instead, which has its place among them.
        progress: as for `gather`.

    Raises:
        ValueError: for a limit below 1.
        RuntimeError: without a running loop.
    """
    crew = Crew(
        source_of(awaitables),
        None,
        limit=limit,
        ordered=False,
        collect=collect,
        progress=progress,
        title="as_completed",
    )
    return Results(crew, collect)


@overload
def map_concurrent(
    function: Callable[[_Item], Awaitable[_Result]],
    items: Iterable[_Item] | AsyncIterable[_Item],
    *,
    limit: int,
    ordered: bool = False,
    collect: Literal[False] = False,
    progress: ProgressOption = None,
) -> Results[_Result]: ...
@overload
def map_concurrent(
    function: Callable[[_Item], Awaitable[_Result]],
    items: Iterable[_Item] | AsyncIterable[_Item],
    *,
    limit: int,
    ordered: bool = False,
    collect: Literal[True],
    progress: ProgressOption = None,
) -> Results[Outcome[_Result]]: ...
def map_concurrent(
    function: Callable[[_Item], Awaitable[_Result]],
    items: Iterable[_Item] | AsyncIterable[_Item],
    *,
    limit: int,
    ordered: bool = False,
    collect: bool = False,
    progress: ProgressOption = None,
) -> Results[Any]:
    """Call an async function for each item, at most `limit` at once; return the results.

    `async for result in map_concurrent(fetch, urls, limit=10):`. Items are pulled as far as there
    is room, and what is done and not taken takes room too: a slow loop holds a fast source back.
    The first failure is raised in the loop, once all others were cancelled and have ended. A
    generator that gives the items is closed at the end, however that comes.

    Args:
        function: an async function of an item.
        items: an iterable or async iterable.
        limit: how many there is room for.
        ordered: give the results in the order of the items, and not as they come.
        collect: give an `Outcome` of each instead, which has its place among them.
        progress: as for `gather`.

    Raises:
        ValueError: for a limit below 1.
        RuntimeError: without a running loop.
    """
    crew = Crew(
        source_of(items),
        function,
        limit=limit,
        ordered=ordered,
        collect=collect,
        progress=progress,
        title="map_concurrent",
    )
    return Results(crew, collect)
