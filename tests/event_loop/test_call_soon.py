"""call_soon and call_soon_threadsafe: order, arguments, contexts, cancellation, errors."""

from __future__ import annotations

import contextvars
import inspect
from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import Any

import pytest
from loop_under_test import Reports

from hoopsnake import EventLoop

METHODS = pytest.mark.parametrize("method", ["call_soon", "call_soon_threadsafe"])
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


def run_once(loop: AbstractEventLoop) -> None:
    loop.call_soon(loop.stop)
    loop.run_forever()


@METHODS
def test_callbacks_run_in_the_order_in_which_they_were_queued(
    loop: AbstractEventLoop, method: str
) -> None:
    ran: list[int] = []
    for number in range(1000):
        getattr(loop, method)(ran.append, number)
    run_once(loop)
    assert ran == list(range(1000))


@METHODS
@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_arguments_are_passed_on(loop: AbstractEventLoop, method: str, count: int) -> None:
    seen: list[tuple[int, ...]] = []
    getattr(loop, method)(lambda *args: seen.append(args), *range(count))
    run_once(loop)
    assert seen == [tuple(range(count))]


def test_the_only_argument_may_itself_be_a_tuple(loop: AbstractEventLoop) -> None:
    seen: list[Any] = []
    loop.call_soon(seen.append, (1, 2))
    loop.call_soon(seen.append, None)
    run_once(loop)
    assert seen == [(1, 2), None]


def test_a_callback_that_queues_itself_waits_for_the_next_turn(loop: AbstractEventLoop) -> None:
    ran: list[str] = []

    def again(left: int) -> None:
        ran.append("again")
        if left:
            loop.call_soon(again, left - 1)

    loop.call_soon(again, 2)
    loop.call_soon(ran.append, "other")
    loop.call_later(0, lambda: None)
    loop.call_soon(
        lambda: loop.call_soon(lambda: loop.call_soon(lambda: loop.call_soon(loop.stop)))
    )
    loop.run_forever()
    assert ran == ["again", "other", "again", "again"]


@METHODS
def test_a_cancelled_callback_does_not_run(loop: AbstractEventLoop, method: str) -> None:
    ran: list[str] = []
    queue: Callable[..., Any] = getattr(loop, method)
    first = queue(ran.append, "cancelled beforehand")
    second_handles: list[Any] = []
    queue(lambda: second_handles[0].cancel())
    second_handles.append(queue(ran.append, "cancelled in the same turn"))
    queue(ran.append, "kept")
    first.cancel()
    run_once(loop)
    assert ran == ["kept"]


@METHODS
def test_a_callback_runs_in_a_copy_of_the_context_that_queued_it(
    loop: AbstractEventLoop, method: str
) -> None:
    seen: list[str] = []

    def look_and_change() -> None:
        seen.append(variable.get())
        variable.set("changed inside")

    token = variable.set("when queued")
    try:
        getattr(loop, method)(look_and_change)
        variable.set("afterwards")
        getattr(loop, method)(look_and_change)
        run_once(loop)
        assert seen == ["when queued", "afterwards"]
        assert variable.get() == "afterwards"
    finally:
        variable.reset(token)


@METHODS
def test_a_callback_runs_in_the_context_that_is_named(loop: AbstractEventLoop, method: str) -> None:
    context = contextvars.Context()
    seen: list[str] = []

    def look_and_change() -> None:
        seen.append(variable.get())
        variable.set(f"change {len(seen)}")

    getattr(loop, method)(look_and_change, context=context)
    getattr(loop, method)(look_and_change, context=context)
    getattr(loop, method)(look_and_change, context=None)
    run_once(loop)
    # One context, not a copy each: the second callback sees what the first one did.
    assert seen == ["unset", "change 1", "unset"]
    assert context[variable] == "change 2"


def test_an_error_is_reported_and_the_next_callback_runs(
    loop: AbstractEventLoop, reports: Reports
) -> None:
    def fail(reason: str) -> None:
        raise LookupError(reason)

    ran: list[str] = []
    handle = loop.call_soon(fail, "mine")
    loop.call_soon(ran.append, "next")
    run_once(loop)
    assert ran == ["next"]
    report = reports.pop()
    assert isinstance(report["exception"], LookupError)
    assert report["exception"].__traceback__.tb_frame is not None
    assert "Exception in callback" in report["message"] and "fail" in report["message"]
    assert report["handle"] is handle


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda loop: loop.call_soon(), TypeError),
        (lambda loop: loop.call_soon_threadsafe(), TypeError),
        (lambda loop: loop.call_soon(print, unknown=1), TypeError),
        (lambda loop: loop.call_later(), TypeError),
        (lambda loop: loop.call_later(1), TypeError),
        (lambda loop: loop.call_at(1), TypeError),
    ],
)
def test_wrong_calls_are_refused(
    loop: AbstractEventLoop, call: Callable[[Any], object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        call(loop)


def test_what_cannot_be_called_is_reported(loop: AbstractEventLoop, reports: Reports) -> None:
    loop.call_soon(None)  # type: ignore[arg-type]
    loop.call_soon(print, context="no context")  # type: ignore[call-overload]
    run_once(loop)
    assert len(reports) == 2
    reports.clear()


@METHODS
def test_every_way_to_pass_arguments_is_understood(loop: AbstractEventLoop, method: str) -> None:
    queue: Any = getattr(loop, method)
    ran: list[tuple[Any, ...]] = []

    def note(*arguments: Any) -> None:
        ran.append((*arguments, variable.get()))

    context = contextvars.copy_context()
    context.run(variable.set, "named")
    # The name of the keyword made anew, as C code does it that interns no names.
    made = {"".join(["con", "text"]): context}
    queue(callback=note)
    queue(callback=note, context=context)
    queue(note, context=None)
    queue(note, 1, **made)
    queue(note, 1, 2, context=context)
    queue(note, *range(10))
    run_once(loop)
    assert ran == [
        ("unset",),
        ("named",),
        ("unset",),
        (1, "named"),
        (1, 2, "named"),
        (*range(10), "unset"),
    ]
    for wrong in (lambda: queue(note, callback=note), lambda: queue(context=context)):
        with pytest.raises(TypeError):
            wrong()


@pytest.mark.ours
def test_call_soon_says_what_it_takes() -> None:
    assert str(inspect.signature(EventLoop.call_soon)) == "(self, /, callback, *args, context=None)"
    assert EventLoop.call_soon.__doc__
    with pytest.raises(TypeError, match="descriptor 'call_soon'"):
        EventLoop.call_soon(object(), print)  # type: ignore[call-overload]
