"""SystemExit and KeyboardInterrupt leave run_forever at once, and the loop can be used on."""

from __future__ import annotations

import asyncio
import gc
import socket
from asyncio import AbstractEventLoop
from collections.abc import Callable

import pytest
from loop_under_test import Reports
from recording_protocol import connected_pair

LEAVING = pytest.mark.parametrize("leaving", [SystemExit, KeyboardInterrupt])
Leaving = type[BaseException]


def raiser(leaving: Leaving) -> Callable[..., None]:
    def leave(*_: object) -> None:
        raise leaving("now")

    return leave


def still_works(loop: AbstractEventLoop) -> bool:
    assert not loop.is_running()
    assert asyncio._get_running_loop() is None
    return loop.run_until_complete(asyncio.sleep(0.001, True))


@LEAVING
def test_a_callback_leaves(loop: AbstractEventLoop, leaving: Leaving) -> None:
    loop.call_soon(raiser(leaving))
    with pytest.raises(leaving, match="now"):
        loop.run_forever()
    assert still_works(loop)


@LEAVING
def test_the_rest_of_the_turn_runs_when_the_loop_does(
    loop: AbstractEventLoop, leaving: Leaving
) -> None:
    ran: list[int] = []
    loop.call_soon(ran.append, 1)
    loop.call_soon(raiser(leaving))
    loop.call_soon(ran.append, 2)
    loop.call_soon(ran.append, 3)
    with pytest.raises(leaving):
        loop.run_forever()
    assert ran == [1]
    assert still_works(loop)
    assert ran == [1, 2, 3]


@LEAVING
def test_a_timer_leaves(loop: AbstractEventLoop, leaving: Leaving) -> None:
    loop.call_later(0.001, raiser(leaving))
    with pytest.raises(leaving):
        loop.run_forever()
    assert still_works(loop)


@LEAVING
def test_a_task_leaves(loop: AbstractEventLoop, leaving: Leaving) -> None:
    async def leave() -> None:
        await asyncio.sleep(0)
        raise leaving("now")

    with pytest.raises(leaving, match="now"):
        loop.run_until_complete(leave())
    assert still_works(loop)
    gc.collect()


@LEAVING
def test_a_reader_leaves(loop: AbstractEventLoop, leaving: Leaving) -> None:
    left, right = socket.socketpair()
    with left, right:
        left.send(b"ready")
        loop.add_reader(right, raiser(leaving))
        with pytest.raises(leaving):
            loop.run_forever()
        loop.remove_reader(right)
        assert still_works(loop)


@LEAVING
@pytest.mark.parametrize("method", ["data_received", "eof_received", "connection_lost"])
def test_a_protocol_leaves(
    loop: AbstractEventLoop, reports: Reports, leaving: Leaving, method: str
) -> None:
    pair = loop.run_until_complete(connected_pair())
    setattr(pair.server, method, raiser(leaving))
    pair.client.transport.write(b"data")
    pair.client.transport.close()
    with pytest.raises(leaving, match="now"):
        loop.run_forever()
    delattr(pair.server, method)
    pair.server.transport.abort()
    assert still_works(loop)
    assert reports == []


@LEAVING
def test_no_handler_is_told(loop: AbstractEventLoop, reports: Reports, leaving: Leaving) -> None:
    loop.call_soon(raiser(leaving))
    with pytest.raises(leaving):
        loop.run_forever()
    assert reports == []


@LEAVING
def test_run_until_complete_leaves_the_main_task_pending(
    loop: AbstractEventLoop, leaving: Leaving
) -> None:
    main = loop.create_task(asyncio.sleep(0.01, "finished"))
    loop.call_soon(raiser(leaving))
    with pytest.raises(leaving):
        loop.run_until_complete(main)
    assert not main.done()
    assert loop.run_until_complete(main) == "finished"
