"""What lives as long as a loop, and that nothing lives longer."""

from __future__ import annotations

import asyncio
import gc
import os
import weakref
from asyncio import AbstractEventLoop

import pytest
from loop_under_test import Run, end, make_loop
from recording_protocol import RecordingProtocol, connected_pair


class Owner:
    """Something that holds a handle whose callback is its own."""

    handle: asyncio.Handle

    def callback(self) -> None: ...


def open_descriptors() -> int:
    # What the tests before left to the collector is closed at any time, else.
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def test_a_closed_loop_gives_back_its_descriptors() -> None:
    make_loop().close()
    before = open_descriptors()
    for _ in range(20):
        loop = make_loop()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
    assert open_descriptors() == before


def test_a_closed_loop_is_freed() -> None:
    loop = make_loop()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    watched = weakref.ref(loop)
    del loop
    gc.collect()
    assert watched() is None


def test_an_unclosed_loop_is_freed_with_a_warning() -> None:
    loop = make_loop()
    watched = weakref.ref(loop)
    with pytest.warns(ResourceWarning, match="unclosed event loop"):
        del loop
        gc.collect()
    assert watched() is None


def test_a_handle_that_ran_lets_go_of_its_owner(loop: AbstractEventLoop) -> None:
    owner = Owner()
    owner.handle = loop.call_soon(owner.callback)
    loop.run_until_complete(asyncio.sleep(0))
    watched = weakref.ref(owner)
    del owner
    gc.collect()
    assert watched() is None


def test_a_cancelled_timer_lets_go_of_its_owner(loop: AbstractEventLoop) -> None:
    owner = Owner()
    owner.handle = loop.call_later(1000, owner.callback)
    owner.handle.cancel()
    watched = weakref.ref(owner)
    del owner
    gc.collect()
    assert watched() is None


def test_a_timer_that_never_ran_lets_go_of_its_owner_when_the_loop_is_closed() -> None:
    loop = make_loop()
    owner = Owner()
    owner.handle = loop.call_later(1000, owner.callback)
    loop.close()
    watched = weakref.ref(owner)
    del owner
    gc.collect()
    assert watched() is None


def test_a_protocol_is_freed_after_its_connection(run: Run) -> None:
    async def connect_and_close() -> list[weakref.ref[RecordingProtocol]]:
        pair = await connected_pair()
        pair.client.transport.write(b"data")
        await pair.server.has_received(4)
        await pair.close()
        return [weakref.ref(pair.client), weakref.ref(pair.server)]

    watched = run(connect_and_close())
    gc.collect()
    assert [protocol() for protocol in watched] == [None, None]


def test_a_protocol_is_freed_when_its_loop_is_closed_under_it() -> None:
    loop = make_loop()

    async def connect() -> list[weakref.ref[RecordingProtocol]]:
        pair = await connected_pair()
        return [weakref.ref(pair.client), weakref.ref(pair.server)]

    watched = loop.run_until_complete(connect())
    with pytest.warns(ResourceWarning, match="unclosed"):
        end(loop)
        del loop
        gc.collect()
    assert [protocol() for protocol in watched] == [None, None]


def test_results_are_not_kept(loop: AbstractEventLoop) -> None:
    class Result: ...

    async def produce() -> Result:
        await asyncio.sleep(0)
        return Result()

    result = loop.run_until_complete(produce())
    watched = weakref.ref(result)
    del result
    gc.collect()
    assert watched() is None


def test_the_representation_tells_the_state() -> None:
    loop = make_loop()
    assert "running=False closed=False debug=False" in repr(loop)
    loop.close()
    assert "closed=True" in repr(loop)


@pytest.mark.ours
def test_an_unclosed_loop_with_an_open_connection_is_freed() -> None:
    loop = make_loop()

    async def connect() -> list[weakref.ref[RecordingProtocol]]:
        pair = await connected_pair()
        return [weakref.ref(pair.client), weakref.ref(pair.server)]

    watched = [weakref.ref(loop), *loop.run_until_complete(connect())]
    with pytest.warns(ResourceWarning, match="unclosed"):
        del loop
        gc.collect()
        gc.collect()
    assert [each() for each in watched] == [None, None, None]


def test_a_coroutine_of_which_no_task_was_made_is_let_go(loop: AbstractEventLoop) -> None:
    async def never_begun() -> None: ...

    coroutine = never_begun()
    with pytest.raises(TypeError):
        loop.create_task(coroutine, no_such_keyword=1)  # type: ignore[call-arg]
    watched = weakref.ref(coroutine)
    coroutine.close()
    del coroutine
    gc.collect()
    assert watched() is None
