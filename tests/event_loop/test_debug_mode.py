"""Debug mode: slow callbacks are named, wrong threads refused, origins remembered."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import subprocess
import sys
import threading
import time
from asyncio import AbstractEventLoop
from typing import Any

import pytest
from loop_under_test import NewLoop, Reports

# A test that is run by itself may be the first to import what makes a callback slow.
SLOW = 0.05


@pytest.fixture
def debugged(loop: AbstractEventLoop) -> AbstractEventLoop:
    loop.set_debug(True)
    return loop


def be_slow() -> None:
    # A callback that blocks is what this mode is there to find.
    time.sleep(SLOW * 1.2)


def run_once(loop: AbstractEventLoop) -> None:
    loop.call_soon(loop.stop)
    loop.run_forever()


def test_debug_is_off_unless_asked_for(loop: AbstractEventLoop) -> None:
    assert not loop.get_debug()
    loop.set_debug(True)
    assert loop.get_debug()
    loop.set_debug(False)
    assert not loop.get_debug()


def test_the_environment_turns_debug_on() -> None:
    program = "import hoopsnake; print(hoopsnake.new_event_loop().get_debug())"
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONASYNCIODEBUG": "1"},
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert ran.stdout == "True\n"


def test_run_turns_debug_on_and_off() -> None:
    import hoopsnake

    async def ask() -> bool:
        return asyncio.get_running_loop().get_debug()

    assert hoopsnake.run(ask(), debug=True)
    assert not hoopsnake.run(ask(), debug=False)


def test_a_slow_callback_is_named(
    debugged: AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    debugged.slow_callback_duration = SLOW
    debugged.call_soon(be_slow)
    run_once(debugged)
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    (said,) = [each.getMessage() for each in warnings if "be_slow" in each.getMessage()]
    assert re.search(r"took \d+\.\d+ seconds", said)


def test_a_slow_timer_is_named(
    debugged: AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    debugged.slow_callback_duration = SLOW
    debugged.call_later(0, be_slow)
    debugged.call_later(0.001, debugged.stop)
    debugged.run_forever()
    assert "be_slow" in caplog.text


def test_a_slow_task_is_named(
    debugged: AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    async def slow_step() -> None:
        await asyncio.sleep(0)
        be_slow()

    debugged.slow_callback_duration = SLOW
    debugged.run_until_complete(slow_step())
    assert re.search(r"slow_step.*took \d+\.\d+ seconds", caplog.text)


def test_a_quick_callback_is_not_named(
    debugged: AbstractEventLoop, caplog: pytest.LogCaptureFixture
) -> None:
    debugged.slow_callback_duration = 10
    debugged.call_soon(str)
    run_once(debugged)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_another_thread_is_refused(debugged: AbstractEventLoop) -> None:
    refused: list[RuntimeError] = []

    def from_outside() -> None:
        calls: list[Any] = [
            lambda: debugged.call_soon(print),
            lambda: debugged.call_later(0, print),
            lambda: debugged.call_at(0, print),
        ]
        for call in calls:
            with pytest.raises(RuntimeError, match="Non-thread-safe operation") as refusal:
                call()
            refused.append(refusal.value)
        debugged.call_soon_threadsafe(debugged.stop)

    thread = threading.Thread(target=from_outside)
    debugged.call_soon(thread.start)
    debugged.run_forever()
    thread.join()
    assert len(refused) == 3


@pytest.mark.parametrize("method", ["call_soon", "call_soon_threadsafe"])
def test_a_coroutine_is_no_callback(debugged: AbstractEventLoop, method: str) -> None:
    async def coroutine() -> None: ...

    made = coroutine()
    for wrong in (made, coroutine):
        with pytest.raises(TypeError, match=f"coroutines cannot be used with {method}"):
            getattr(debugged, method)(wrong)
    made.close()
    with pytest.raises(TypeError, match="a callable object was expected"):
        getattr(debugged, method)(42)


def test_a_coroutine_is_no_timer_callback(debugged: AbstractEventLoop) -> None:
    async def coroutine() -> None: ...

    for queue in (debugged.call_later, debugged.call_at):
        with pytest.raises(TypeError, match="coroutines cannot be used with call_"):
            queue(0, coroutine)  # type: ignore[operator]


def test_a_handle_tells_where_it_was_made(debugged: AbstractEventLoop) -> None:
    for handle in (debugged.call_soon(print), debugged.call_later(1, print)):
        assert f"created at {__file__}" in repr(handle)
        handle.cancel()


def test_a_report_tells_where_the_callback_was_queued(
    debugged: AbstractEventLoop, reports: Reports
) -> None:
    def fail() -> None:
        raise LookupError

    debugged.call_soon(fail)
    run_once(debugged)
    origin = reports.pop()["source_traceback"][-1]
    assert origin.filename == __file__
    assert origin.line == "debugged.call_soon(fail)"


def test_a_task_tells_where_it_was_made(debugged: AbstractEventLoop) -> None:
    async def main() -> str:
        task = debugged.create_task(asyncio.sleep(0))
        text = repr(task)
        await task
        return text

    assert f"created at {__file__}" in debugged.run_until_complete(main())


def test_a_coroutine_that_is_never_awaited_tells_where_it_was_made(
    debugged: AbstractEventLoop,
) -> None:
    async def forget() -> None:
        asyncio.sleep(0)

    with pytest.warns(RuntimeWarning, match=r"(?s)never awaited.*Coroutine created at"):
        debugged.run_until_complete(forget())


def test_cancellation_and_contexts_work_as_without_debug(new_loop: NewLoop) -> None:
    import contextvars

    variable = contextvars.ContextVar("variable", default="unset")
    loop = new_loop()
    loop.set_debug(True)
    context = contextvars.copy_context()
    context.run(variable.set, "named")
    seen: list[str] = []
    loop.call_soon(seen.append, "cancelled").cancel()
    loop.call_later(0, seen.append, "cancelled").cancel()
    loop.call_soon(lambda: seen.append(variable.get()), context=context)
    loop.call_later(0, lambda: seen.append(variable.get()), context=context)
    loop.call_later(0.001, loop.stop)
    loop.run_forever()
    assert seen == ["named", "named"]


def test_exceptions_leave_a_debugged_loop_too(debugged: AbstractEventLoop) -> None:
    def leave() -> None:
        raise SystemExit(5)

    debugged.call_soon(leave)
    with pytest.raises(SystemExit):
        debugged.run_forever()


def test_debug_may_be_turned_on_while_the_loop_runs(loop: AbstractEventLoop) -> None:
    async def main() -> str:
        loop.set_debug(True)
        await asyncio.sleep(0.001)
        loop.set_debug(False)
        return await asyncio.sleep(0.001, "both ways")

    assert loop.run_until_complete(main()) == "both ways"
