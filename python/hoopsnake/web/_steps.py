"""The calls for a request, one after the other: awaited, in place, or on a thread together."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast

from hoopsnake.web._background import BackgroundTasks
from hoopsnake.web._composed import Result
from hoopsnake.web._concurrency import is_async, is_inline, run_in_thread
from hoopsnake.web._handler_threads import handler_threads
from hoopsnake.web._request import HTTPConnection
from hoopsnake.web._responses import Response
from hoopsnake.web._signature import Parameter
from hoopsnake.web._turnstile import Turnstile
from hoopsnake.web._validation import Validator

__all__ = ["BodyField", "Injected", "Source", "Step", "Taken", "kind_of", "run_steps"]

Kind = Literal["async", "sync", "async generator", "generator", "inline", "inline generator"]


@dataclass(slots=True)
class BodyField:
    """A parameter that is the body, or a part of it."""

    name: str
    index: int
    parameter: Parameter
    validator: Validator
    metadata: tuple[Any, ...]


Taken = int | Result | BodyField


@dataclass(slots=True)
class Injected:
    """What one request has beside its arguments, for those who ask for it."""

    request: HTTPConnection | None
    """None where nobody asks for it (`Plan.needs_request`)."""
    response: Response | None = None
    background: BackgroundTasks | None = None
    exits: contextlib.AsyncExitStack | None = None
    """What follows the `yield` of dependencies; None where there is none (`Plan.has_exits`)."""
    handler_exits: contextlib.AsyncExitStack | None = None
    """What follows it once the handler has returned; there if the plan asks for it."""


# Gets a value: of the arguments, of what was injected, of the results so far.
Source = Callable[[list[Any], Injected, list[Any]], Any]


@dataclass(slots=True)
class Step:
    """One call, and where its arguments come from."""

    call: Callable[..., Any]
    kind: Kind
    sources: dict[str, Source]
    taken: dict[str, Taken]
    """Those of the sources that are arguments and results, as which they are known."""
    turnstile: Turnstile | None = None
    is_of_handler: bool = False
    """Whether what follows its `yield` runs as soon as the handler has returned."""


async def run_steps(steps: list[Step], arguments: list[Any], injected: Injected) -> Any:
    """Make all calls; return the handler's result.

    Calls that are not `async` and follow each other go to a thread together.
    """
    results: list[Any] = []
    position = 0
    while position < len(steps):
        step = steps[position]
        if step.turnstile is not None:
            await _take_turn(step, arguments, injected, results)
            position += 1
            continue
        if step.kind not in _ON_THREADS:
            results.append(await _call(step, arguments, injected, results))
            position += 1
            continue
        end = position + 1
        while end < len(steps) and _may_follow_on_thread(steps[end]):
            end += 1
        await _hop(steps[position:end], arguments, injected, results)
        position = end
    return results[-1]


async def _take_turn(
    step: Step, arguments: list[Any], injected: Injected, results: list[Any]
) -> None:
    """Make a call that only so many may be in at once."""
    assert step.turnstile is not None
    async with contextlib.AsyncExitStack() as turn:
        await turn.enter_async_context(step.turnstile)
        if step.kind in _ON_THREADS:
            await _hop([step], arguments, injected, results, turn)
        else:
            results.append(await _call(step, arguments, injected, results, turn))
        if "generator" in step.kind:
            # The place is given back once what follows the `yield` is over.
            _exits(step, injected).push_async_exit(turn.pop_all())


async def _call(
    step: Step,
    arguments: list[Any],
    injected: Injected,
    results: list[Any],
    exits: contextlib.AsyncExitStack | None = None,
) -> Any:
    given = {name: get(arguments, injected, results) for name, get in step.sources.items()}
    if step.kind == "async":
        return await step.call(**given)
    if step.kind == "inline":
        return step.call(**given)
    exits = exits or _exits(step, injected)
    if step.kind == "inline generator":
        return exits.enter_context(contextlib.contextmanager(step.call)(**given))
    manager = contextlib.asynccontextmanager(step.call)(**given)
    return await exits.enter_async_context(manager)


_ON_THREADS = ("sync", "generator")


def _may_follow_on_thread(step: Step) -> bool:
    return step.kind in _ON_THREADS and step.turnstile is None


def _exits(step: Step, injected: Injected) -> contextlib.AsyncExitStack:
    if step.is_of_handler and injected.handler_exits is not None:
        return injected.handler_exits
    assert injected.exits is not None, "a plan with exits has a place for them"
    return injected.exits


async def _hop(
    steps: list[Step],
    arguments: list[Any],
    injected: Injected,
    results: list[Any],
    exits: contextlib.AsyncExitStack | None = None,
) -> None:
    """Make calls on one thread, one after the other."""

    def leave_later(outcome: asyncio.Future[Any]) -> None:
        # We are cancelled and the thread is not: what it uses is left after it, not under it.
        if exits is not None or injected.exits is not None:
            (exits or cast(Any, injected.exits)).push_async_exit(_leave_after(outcome))

    entered = await handler_threads.run(
        _call_all, steps, arguments, injected, results, abandoned=leave_later
    )
    for step, manager in entered:
        (exits or _exits(step, injected)).push_async_exit(_exit_in_thread(manager))


def _leave_after(outcome: asyncio.Future[Any]) -> Any:
    """Wait for a thread that nobody waited for, and leave what it has entered."""

    async def leave(*details: Any) -> None:
        for _, manager in reversed(await outcome or []):
            await run_in_thread(manager.__exit__, *details)

    return leave


def _call_all(
    steps: list[Step], arguments: list[Any], injected: Injected, results: list[Any]
) -> list[tuple[Step, contextlib.AbstractContextManager[Any]]]:
    """Make calls one after the other; return what is to be left again later."""
    entered: list[tuple[Step, contextlib.AbstractContextManager[Any]]] = []
    try:
        for step in steps:
            given = {name: get(arguments, injected, results) for name, get in step.sources.items()}
            if step.kind == "sync":
                results.append(step.call(**given))
            else:
                manager = contextlib.contextmanager(step.call)(**given)
                results.append(manager.__enter__())
                entered.append((step, manager))
    except BaseException as error:
        for _, manager in reversed(entered):
            if manager.__exit__(type(error), error, error.__traceback__):
                break
        raise
    return entered


def _exit_in_thread(manager: contextlib.AbstractContextManager[Any]) -> Any:
    async def leave(*details: Any) -> bool | None:
        left: bool | None = await run_in_thread(manager.__exit__, *details)
        return left

    return leave


def kind_of(call: Callable[..., Any]) -> Kind:
    inner = call if inspect.isroutine(call) or inspect.isclass(call) else call.__call__  # type: ignore[operator]
    if inspect.isasyncgenfunction(inner):
        return "async generator"
    if inspect.isgeneratorfunction(inner):
        return "inline generator" if is_inline(call) else "generator"
    if is_async(call):
        return "async"
    return "inline" if is_inline(call) else "sync"
