"""The exception handler: the default one, custom ones, one that fails itself."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from asyncio import AbstractEventLoop
from typing import Any

import pytest
from loop_under_test import NewLoop

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


def fail(reason: str = "mine") -> None:
    raise LookupError(reason)


def run_once(loop: AbstractEventLoop) -> None:
    loop.call_soon(loop.stop)
    loop.run_forever()


def test_the_default_handler_logs_the_traceback(
    new_loop: NewLoop, caplog: pytest.LogCaptureFixture
) -> None:
    loop = new_loop()
    loop.call_soon(fail, "logged")
    run_once(loop)
    (record,) = caplog.records
    assert record.name == "asyncio" and record.levelno == logging.ERROR
    text = caplog.text
    assert "Exception in callback fail(" in text
    assert "Traceback" in text and "raise LookupError(reason)" in text
    assert "LookupError: logged" in text
    # The handle is shown with what it ran.
    assert "<Handle fail(" in text


def test_the_default_handler_logs_a_timer_as_such(
    new_loop: NewLoop, caplog: pytest.LogCaptureFixture
) -> None:
    loop = new_loop()
    loop.call_later(0, fail)
    loop.call_later(0.001, loop.stop)
    loop.run_forever()
    assert "<TimerHandle when=" in caplog.text


def test_a_custom_handler_is_called_instead(
    new_loop: NewLoop, caplog: pytest.LogCaptureFixture
) -> None:
    loop = new_loop()
    calls: list[tuple[AbstractEventLoop, dict[str, Any]]] = []

    def handler(owner: AbstractEventLoop, context: dict[str, Any]) -> None:
        calls.append((owner, context))

    loop.set_exception_handler(handler)
    assert loop.get_exception_handler() is handler
    handle = loop.call_soon(fail)
    run_once(loop)
    ((owner, context),) = calls
    assert owner is loop
    assert context["handle"] is handle
    assert str(context["exception"]) == "mine"
    assert caplog.records == []
    loop.set_exception_handler(None)
    loop.call_soon(fail)
    run_once(loop)
    assert len(calls) == 1 and len(caplog.records) == 1


def test_a_handler_that_fails_does_not_stop_the_loop(
    new_loop: NewLoop, caplog: pytest.LogCaptureFixture
) -> None:
    loop = new_loop()
    loop.set_exception_handler(lambda *_: fail("in the handler"))
    ran: list[str] = []
    loop.call_soon(fail, "first")
    loop.call_soon(ran.append, "next")
    run_once(loop)
    assert ran == ["next"]
    assert "Unhandled error in exception handler" in caplog.text
    assert "in the handler" in caplog.text


def test_a_handler_may_leave_the_loop(new_loop: NewLoop) -> None:
    loop = new_loop()

    def leave(*_: object) -> None:
        raise SystemExit(3)

    loop.set_exception_handler(leave)
    loop.call_soon(fail)
    with pytest.raises(SystemExit) as left:
        loop.run_forever()
    assert left.value.code == 3
    assert not loop.is_running()


def test_what_is_no_handler_is_refused(loop: AbstractEventLoop) -> None:
    with pytest.raises(TypeError, match="A callable object or None is expected"):
        loop.set_exception_handler("handler")  # type: ignore[arg-type]


def test_the_handler_runs_in_the_context_of_a_failed_callback(new_loop: NewLoop) -> None:
    import sys

    loop = new_loop()
    seen: list[str] = []
    loop.set_exception_handler(lambda *_: seen.append(variable.get()))
    context = contextvars.copy_context()
    context.run(variable.set, "of the callback")
    loop.call_soon(fail, context=context)
    run_once(loop)
    # Python 3.12 began to run the handler there.
    assert seen == ["of the callback" if sys.version_info >= (3, 12) else "unset"]


def test_the_exception_keeps_its_cause_and_traceback(new_loop: NewLoop) -> None:
    loop = new_loop()
    contexts: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: contexts.append(context))

    def fail_twice() -> None:
        try:
            fail("cause")
        except LookupError as error:
            raise ValueError("effect") from error

    loop.call_soon(fail_twice)
    run_once(loop)
    exception = contexts[0]["exception"]
    assert isinstance(exception, ValueError)
    assert str(exception.__cause__) == "cause"
    names: list[str] = []
    traceback = exception.__traceback__
    while traceback is not None:
        names.append(traceback.tb_frame.f_code.co_name)
        traceback = traceback.tb_next
    assert names[-1] == "fail_twice"


def test_an_exception_that_is_no_exception_class_of_ours_is_reported(new_loop: NewLoop) -> None:
    class Odd(BaseException): ...

    loop = new_loop()
    contexts: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: contexts.append(context))

    def fail_oddly() -> None:
        raise Odd

    def cancel() -> None:
        raise asyncio.CancelledError

    loop.call_soon(fail_oddly)
    loop.call_soon(cancel)
    run_once(loop)
    assert [type(context["exception"]) for context in contexts] == [Odd, asyncio.CancelledError]
