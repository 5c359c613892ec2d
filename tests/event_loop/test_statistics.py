"""`loop.stats()`: what is counted, and that the figures are those of the loop."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from typing import cast

import pytest
from loop_under_test import NewLoop, Run
from recording_protocol import connected_pair

import hoopsnake

pytestmark = pytest.mark.ours


def own(loop: asyncio.AbstractEventLoop) -> hoopsnake.EventLoop:
    assert isinstance(loop, hoopsnake.EventLoop)
    return loop


def running() -> hoopsnake.EventLoop:
    return own(asyncio.get_running_loop())


def longest(delays: hoopsnake.DelayHistogram) -> float:
    """The bound of the last bucket in which something was counted."""
    return delays.quantile(1.0)


def test_a_new_loop_has_counted_nothing(new_loop: NewLoop) -> None:
    stats = own(new_loop()).stats()
    assert (stats.turns, stats.callbacks, stats.ready, stats.timers, stats.transports) == (0,) * 5
    assert stats.callback_seconds == stats.parked_seconds == stats.gil_seconds == 0.0
    assert stats.ready_delays.total == 0
    assert stats.ready_delays.quantile(0.5) == 0.0


def test_turns_and_callbacks_are_counted(loop: asyncio.AbstractEventLoop) -> None:
    for _ in range(5):
        loop.call_soon(int)
    assert own(loop).stats().ready == 5
    loop.call_soon(loop.stop)
    loop.run_forever()
    stats = own(loop).stats()
    assert (stats.turns, stats.callbacks, stats.ready) == (1, 6, 0)
    assert stats.ready_delays.total == 1


def test_a_chain_of_callbacks_takes_a_turn_each(run: Run) -> None:
    async def main() -> hoopsnake.LoopStats:
        before = running().stats()
        for _ in range(1000):
            await asyncio.sleep(0)
        return running().stats() - before

    stats = run(main())
    assert stats.turns == stats.callbacks == stats.ready_delays.total == 1000


def test_timers_and_transports_are_those_that_are_there(run: Run) -> None:
    async def main() -> None:
        before = running().stats()
        timers = [running().call_later(3600, int) for _ in range(3)]
        pair = await connected_pair()
        now = running().stats()
        assert now.timers - before.timers == 3
        assert now.transports - before.transports == 2
        timers[0].cancel()
        assert running().stats().timers - before.timers == 2
        await pair.close()
        assert running().stats().transports == before.transports
        for timer in timers:
            timer.cancel()
        assert running().stats().timers == before.timers

    run(main())


def test_what_blocks_the_loop_shows_as_delay_and_as_time_in_callbacks(run: Run) -> None:
    async def main() -> hoopsnake.LoopStats:
        before = running().stats()
        running().call_soon(time.sleep, 0.2)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return running().stats() - before

    stats = run(main())
    assert 0.2 <= longest(stats.ready_delays) < 10
    assert 0.2 <= stats.callback_seconds < 10
    assert stats.parked_seconds < stats.callback_seconds


def test_a_late_timer_counts_from_its_deadline_on(run: Run) -> None:
    async def main() -> hoopsnake.LoopStats:
        before = running().stats()
        fired = asyncio.Event()
        running().call_later(0.01, fired.set)
        time.sleep(0.2)
        await fired.wait()
        return running().stats() - before

    assert longest(run(main()).ready_delays) >= 0.19


def test_a_timer_for_a_moment_long_past_is_not_late(run: Run) -> None:
    async def main() -> hoopsnake.LoopStats:
        before = running().stats()
        fired = asyncio.Event()
        running().call_at(0, int)
        running().call_later(-5, fired.set)
        await fired.wait()
        return running().stats() - before

    assert longest(run(main()).ready_delays) < 1


def test_time_in_which_the_loop_stood_still_is_no_delay(loop: asyncio.AbstractEventLoop) -> None:
    loop.call_soon(loop.stop)
    loop.call_soon(loop.call_soon, int)
    loop.run_forever()
    time.sleep(1.1)
    loop.call_later(0, loop.stop)
    loop.run_forever()
    assert longest(own(loop).stats().ready_delays) < 1


def test_waiting_is_time_parked(run: Run) -> None:
    async def main() -> hoopsnake.LoopStats:
        before = running().stats()
        await asyncio.sleep(0.2)
        return running().stats() - before

    stats = run(main())
    assert 0.19 <= stats.parked_seconds < 10
    assert stats.callback_seconds < stats.parked_seconds


def test_a_loop_that_waits_for_the_gil_says_so(run: Run) -> None:
    async def main() -> hoopsnake.LoopStats:
        before = running().stats()
        for _ in range(20):
            await asyncio.sleep(0.002)
        return running().stats() - before

    ends = threading.Event()

    def spin() -> None:
        while not ends.is_set():
            pass

    spinner = threading.Thread(target=spin)
    spinner.start()
    try:
        stats = run(main())
    finally:
        ends.set()
        spinner.join()
    # The interpreter makes each wait for the lock last up to its switch interval, 5 ms.
    assert stats.gil_seconds > 0.02


def test_another_thread_sees_a_loop_that_is_blocked(run: Run) -> None:
    async def main() -> None:
        loop = running()
        blocked, seen = threading.Event(), threading.Event()
        ready: list[int] = []

        def look() -> None:
            blocked.wait()
            loop.call_soon_threadsafe(int)
            ready.append(loop.stats().ready)
            seen.set()

        watcher = threading.Thread(target=look)
        watcher.start()
        blocked.set()
        seen.wait()
        watcher.join()
        assert ready == [1]

    run(main())


def test_a_closed_loop_still_tells(new_loop: NewLoop) -> None:
    loop = own(new_loop())
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert loop.stats().turns >= 2


def test_quantiles_come_from_the_buckets() -> None:
    counts = [0] * len(hoopsnake.DelayHistogram(()).bounds)
    counts[3], counts[10], counts[-1] = 90, 9, 1
    delays = hoopsnake.DelayHistogram(tuple(counts))
    assert delays.bounds[3] == pytest.approx(8.192e-6)
    assert delays.quantile(0) == delays.quantile(0.5) == delays.quantile(0.9) == delays.bounds[3]
    assert delays.quantile(0.95) == delays.quantile(0.99) == delays.bounds[10]
    assert delays.quantile(1) == math.inf
    for wrong in (-0.1, 1.1, cast(float, math.nan)):
        with pytest.raises(ValueError, match="between 0 and 1"):
            delays.quantile(wrong)
