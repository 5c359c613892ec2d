"""run_forever, run_until_complete, stop and close, and in which order they may be called."""

from __future__ import annotations

import asyncio
import socket
from asyncio import AbstractEventLoop

import pytest
from loop_under_test import NewLoop, Reports

import hoopsnake


def test_run_until_complete_returns_the_result_of_a_coroutine_or_future(
    loop: AbstractEventLoop,
) -> None:
    async def answer() -> int:
        await asyncio.sleep(0)
        return 42

    assert loop.run_until_complete(answer()) == 42
    future = loop.create_future()
    loop.call_soon(future.set_result, "set")
    assert loop.run_until_complete(future) == "set"


def test_run_until_complete_raises_what_the_coroutine_raises(loop: AbstractEventLoop) -> None:
    async def fail() -> None:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        loop.run_until_complete(fail())


def test_run_until_complete_says_when_it_was_stopped_early(loop: AbstractEventLoop) -> None:
    future = loop.create_future()
    loop.call_soon(loop.stop)
    with pytest.raises(RuntimeError, match="stopped before Future completed"):
        loop.run_until_complete(future)


def test_stop_lets_the_turn_finish_but_begins_no_other(loop: AbstractEventLoop) -> None:
    ran: list[str] = []
    loop.call_soon(lambda: (ran.append("first"), loop.call_soon(ran.append, "next turn")))
    loop.call_soon(loop.stop)
    loop.call_soon(ran.append, "behind stop")
    loop.run_forever()
    assert ran == ["first", "behind stop"]
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert ran == ["first", "behind stop", "next turn"]


def test_a_loop_that_was_stopped_beforehand_runs_one_turn(loop: AbstractEventLoop) -> None:
    ran: list[str] = []
    loop.call_soon(lambda: (ran.append("ready"), loop.call_soon(ran.append, "added")))
    loop.stop()
    loop.run_forever()
    assert ran == ["ready"]
    loop.stop()
    loop.run_forever()
    assert ran == ["ready", "added"]


def test_a_loop_that_was_stopped_beforehand_still_looks_at_io(loop: AbstractEventLoop) -> None:
    left, right = socket.socketpair()
    ran: list[bytes] = []
    with left, right:
        loop.add_reader(right, lambda: ran.append(right.recv(10)))
        left.send(b"waiting")
        loop.stop()
        loop.run_forever()
        loop.remove_reader(right)
    assert ran == [b"waiting"]


def test_a_loop_runs_again_after_it_stopped(loop: AbstractEventLoop) -> None:
    for number in range(50):
        assert loop.run_until_complete(asyncio.sleep(0, number)) == number
        assert not loop.is_running()


def test_a_running_loop_is_known_and_only_then(loop: AbstractEventLoop) -> None:
    seen: list[tuple[bool, bool]] = []
    loop.call_soon(lambda: seen.append((asyncio.get_running_loop() is loop, loop.is_running())))
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert seen == [(True, True)]
    assert asyncio._get_running_loop() is None
    assert not loop.is_running()


def test_a_running_loop_refuses_to_run_again(loop: AbstractEventLoop) -> None:
    async def nest() -> None:
        waiting = loop.create_future()
        with pytest.raises(RuntimeError, match="already running"):
            loop.run_until_complete(waiting)
        waiting.cancel()

    loop.run_until_complete(nest())


@pytest.mark.ours  # CPython 3.13.0 forgets that it runs when it is asked this.
def test_a_running_loop_refuses_to_run_for_ever_as_well(loop: AbstractEventLoop) -> None:
    async def nest() -> None:
        for _ in range(2):
            with pytest.raises(RuntimeError, match="already running"):
                loop.run_forever()
        assert asyncio.get_running_loop() is loop
        await asyncio.sleep(0)

    loop.run_until_complete(nest())


@pytest.mark.ours  # CPython 3.13.0 refuses as well, but forgets which loop runs.
def test_no_other_loop_runs_inside_a_running_one(
    loop: AbstractEventLoop, new_loop: NewLoop
) -> None:
    other = new_loop()

    async def nest() -> None:
        with pytest.raises(RuntimeError, match="another loop is running"):
            other.run_forever()
        assert asyncio.get_running_loop() is loop

    loop.run_until_complete(nest())
    assert other.run_until_complete(asyncio.sleep(0, "fine")) == "fine"


def test_a_running_loop_refuses_to_close(loop: AbstractEventLoop) -> None:
    async def close() -> None:
        with pytest.raises(RuntimeError, match="Cannot close a running event loop"):
            loop.close()
        assert not loop.is_closed()

    loop.run_until_complete(close())


def test_another_loop_may_be_made_and_closed_inside_a_running_one(
    loop: AbstractEventLoop, new_loop: NewLoop
) -> None:
    async def make_and_close() -> bool:
        other = new_loop()
        other.call_soon(print)
        other.close()
        return other.is_closed()

    assert loop.run_until_complete(make_and_close())


def test_a_closed_loop_refuses_everything(loop: AbstractEventLoop) -> None:
    loop.close()
    loop.close()
    assert loop.is_closed()
    coroutine = asyncio.sleep(0)
    for refused in (
        lambda: loop.call_soon(print),
        lambda: loop.call_soon_threadsafe(print),
        lambda: loop.call_later(0, print),
        lambda: loop.call_at(0, print),
        lambda: loop.run_forever(),
        lambda: loop.create_task(coroutine),
        lambda: loop.run_in_executor(None, print),
    ):
        with pytest.raises(RuntimeError, match="Event loop is closed"):
            refused()
    coroutine.close()


def test_close_forgets_what_was_queued(loop: AbstractEventLoop, reports: Reports) -> None:
    class Held:
        def __del__(self) -> None:
            dropped.append(True)

    dropped: list[bool] = []
    loop.call_soon(print, Held())
    loop.call_later(1000, print, Held())
    loop.close()
    assert dropped == [True, True]
    assert reports == []


def test_run_gives_the_result_and_leaves_no_loop_behind() -> None:
    async def main() -> asyncio.AbstractEventLoop:
        forgotten = asyncio.ensure_future(asyncio.sleep(1000))
        await asyncio.sleep(0)
        assert not forgotten.done()
        return asyncio.get_running_loop()

    used = hoopsnake.run(main())
    assert isinstance(used, hoopsnake.EventLoop)
    assert used.is_closed()
    with pytest.raises(ValueError, match="coroutine"):
        hoopsnake.run(42)  # type: ignore[arg-type]


@pytest.mark.ours
def test_run_refuses_to_nest(loop: AbstractEventLoop) -> None:
    async def nest() -> None:
        coroutine = asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="cannot be called from a running event loop"):
            hoopsnake.run(coroutine)
        coroutine.close()

    loop.run_until_complete(nest())
