"""Handles: what they say of themselves, cancellation, identity, weak references."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from asyncio import AbstractEventLoop

import pytest


def callback(*args: object) -> None: ...


def test_handles_are_asyncio_handles(loop: AbstractEventLoop) -> None:
    assert isinstance(loop.call_soon(callback), asyncio.Handle)
    timer = loop.call_later(1, callback)
    assert isinstance(timer, asyncio.TimerHandle)
    assert isinstance(timer, asyncio.Handle)
    assert not isinstance(loop.call_soon(callback), asyncio.TimerHandle)


def test_cancelled_tells_whether_it_was_cancelled(loop: AbstractEventLoop) -> None:
    for handle in (loop.call_soon(callback), loop.call_later(1, callback)):
        assert not handle.cancelled()
        handle.cancel()
        handle.cancel()
        assert handle.cancelled()


def test_a_handle_that_ran_is_not_cancelled_but_may_be(loop: AbstractEventLoop) -> None:
    handle = loop.call_soon(callback)
    loop.run_until_complete(asyncio.sleep(0))
    assert not handle.cancelled()
    handle.cancel()
    assert handle.cancelled()


def test_the_representation_names_the_callback_and_its_line(loop: AbstractEventLoop) -> None:
    text = repr(loop.call_soon(callback, 1, "two"))
    line = callback.__code__.co_firstlineno
    # Whether the arguments are shown depends on the version of Python.
    assert text.startswith("<Handle callback(")
    assert text.endswith(f") at {__file__}:{line}>")


def test_the_representation_of_a_timer_tells_when(loop: AbstractEventLoop) -> None:
    line = callback.__code__.co_firstlineno
    for when in (1.5, 2.0, 1e9, float("inf")):
        text = repr(loop.call_at(when, callback))
        assert text == f"<TimerHandle when={when} callback() at {__file__}:{line}>"


def test_the_representation_tells_of_a_cancellation(loop: AbstractEventLoop) -> None:
    handle, timer = loop.call_soon(callback), loop.call_at(1.5, callback)
    handle.cancel()
    timer.cancel()
    assert repr(handle) == "<Handle cancelled>"
    assert repr(timer) == "<TimerHandle cancelled when=1.5>"


def test_a_callback_that_cannot_be_represented_does_no_harm(loop: AbstractEventLoop) -> None:
    class Shy:
        def __call__(self) -> None: ...

        def __repr__(self) -> str:
            raise LookupError("shy")

    handle = loop.call_soon(Shy())
    with pytest.raises(LookupError, match="shy"):
        repr(handle)
    loop.run_until_complete(asyncio.sleep(0))


def test_when_is_the_deadline_on_the_clock_of_the_loop(loop: AbstractEventLoop) -> None:
    assert loop.call_at(12.5, callback).when() == 12.5
    before = loop.time()
    when = loop.call_later(10, callback).when()
    assert before + 10 <= when <= loop.time() + 10


def test_timers_compare_by_deadline(loop: AbstractEventLoop) -> None:
    early, late = loop.call_at(1, callback), loop.call_at(2, callback)
    assert early < late and late > early and early <= late and late >= early
    assert early != late and early == early
    assert sorted([late, early]) == [early, late]
    assert len({early, late, early}) == 2


def test_handles_can_be_referred_to_weakly(loop: AbstractEventLoop) -> None:
    handle, timer = loop.call_soon(callback), loop.call_later(0, callback)
    watched = [weakref.ref(handle), weakref.ref(timer)]
    assert [reference() for reference in watched] == [handle, timer]
    del handle, timer
    loop.run_until_complete(asyncio.sleep(0.001))
    gc.collect()
    assert [reference() for reference in watched] == [None, None]


def test_a_handle_may_be_dropped_before_its_callback_runs(loop: AbstractEventLoop) -> None:
    ran: list[int] = []
    for number in range(100):
        loop.call_soon(ran.append, number)
    gc.collect()
    loop.run_until_complete(asyncio.sleep(0))
    assert ran == list(range(100))


def test_a_cancelled_handle_drops_its_arguments_at_once(loop: AbstractEventLoop) -> None:
    class Argument: ...

    arguments = [Argument(), Argument()]
    watched = [weakref.ref(argument) for argument in arguments]
    handles = [
        loop.call_soon(callback, arguments[0]),
        loop.call_later(1000, callback, arguments[1]),
    ]
    del arguments
    gc.collect()
    assert all(reference() is not None for reference in watched)
    for handle in handles:
        handle.cancel()
    gc.collect()
    assert [reference() for reference in watched] == [None, None]


def test_arguments_are_dropped_in_a_destructor_that_calls_the_loop(
    loop: AbstractEventLoop,
) -> None:
    ran: list[str] = []

    class Argument:
        def __del__(self) -> None:
            loop.call_soon(ran.append, "from the destructor")

    handle = loop.call_later(1000, callback, Argument())
    handle.cancel()
    loop.call_soon(callback, Argument())
    loop.run_until_complete(asyncio.sleep(0.001))
    assert ran == ["from the destructor"] * 2


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Handle.get_context came with Python 3.12")
def test_a_handle_tells_its_context(loop: AbstractEventLoop) -> None:
    import contextvars

    context = contextvars.copy_context()
    assert loop.call_soon(callback, context=context).get_context() is context
    assert loop.call_later(1, callback, context=context).get_context() is context


def test_a_handle_that_the_program_keeps_serves_no_other_callback(loop: AbstractEventLoop) -> None:
    kept = [loop.call_soon(callback) for _ in range(10)]
    loop.run_until_complete(asyncio.sleep(0))
    ran: list[int] = []
    later = [loop.call_soon(ran.append, number) for number in range(20)]
    assert not {id(handle) for handle in kept} & {id(handle) for handle in later}
    for handle in kept:
        handle.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    assert ran == list(range(20))


def test_a_weak_reference_to_a_handle_that_ran_stays_dead(loop: AbstractEventLoop) -> None:
    watched = [weakref.ref(loop.call_soon(callback)) for _ in range(10)]
    loop.run_until_complete(asyncio.sleep(0))
    assert [watch() for watch in watched] == [None] * 10
    new = [loop.call_soon(callback) for _ in range(20)]
    assert [watch() for watch in watched] == [None] * 10
    loop.run_until_complete(asyncio.sleep(0))
    assert not any(handle.cancelled() for handle in new)


def test_a_callback_runs_whatever_became_of_the_handles_before_it(loop: AbstractEventLoop) -> None:
    ran: list[int] = []
    for round_ in range(50):
        for number in range(20):
            handle = loop.call_soon(ran.append, round_)
            if number % 2:
                handle.cancel()
        del handle
        loop.run_until_complete(asyncio.sleep(0))
    assert ran == [round_ for round_ in range(50) for _ in range(10)]
