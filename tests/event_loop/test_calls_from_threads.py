"""Loops and threads: wake-ups from outside, loops that change threads, many loops at once."""

from __future__ import annotations

import asyncio
import threading
from asyncio import AbstractEventLoop
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from loop_under_test import NewLoop, Run
from recording_protocol import connected_pair


def in_thread(work: Any, *args: Any) -> Any:
    """Run `work` in a new thread and return what it returns, or raise what it raises."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(work, *args).result(30)


def test_another_thread_wakes_a_parked_loop(loop: AbstractEventLoop) -> None:
    # Nothing else is due, so each round waits in the poller until the other thread speaks.
    rounds = 300
    asked, answered = threading.Semaphore(0), 0

    def answer_back() -> None:
        nonlocal answered
        answered += 1
        if answered == rounds:
            loop.stop()
        else:
            asked.release()

    def other_thread() -> None:
        for _ in range(rounds):
            asked.acquire()
            loop.call_soon_threadsafe(answer_back)

    thread = threading.Thread(target=other_thread)
    thread.start()
    loop.call_soon(asked.release)
    loop.run_forever()
    thread.join()
    assert answered == rounds


def test_another_thread_wakes_a_loop_that_waits_for_a_timer(run: Run) -> None:
    async def wait() -> str:
        loop = asyncio.get_running_loop()
        loop.call_later(1000, print)
        future = loop.create_future()
        thread = threading.Thread(
            target=loop.call_soon_threadsafe, args=(future.set_result, "woken")
        )
        thread.start()
        try:
            return await future
        finally:
            thread.join()

    assert run(wait()) == "woken"


def test_calls_of_many_threads_all_arrive_each_in_its_order(loop: AbstractEventLoop) -> None:
    threads, calls = 8, 2000
    arrived: list[list[int]] = [[] for _ in range(threads)]
    left = threads

    def finished() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            loop.stop()

    def shout(number: int) -> None:
        for call in range(calls):
            loop.call_soon_threadsafe(arrived[number].append, call)
        loop.call_soon_threadsafe(finished)

    workers = [threading.Thread(target=shout, args=(number,)) for number in range(threads)]
    loop.call_soon(lambda: [worker.start() for worker in workers])
    loop.run_forever()
    for worker in workers:
        worker.join()
    assert arrived == [list(range(calls))] * threads


def test_other_threads_get_their_turn_while_the_loop_is_busy(loop: AbstractEventLoop) -> None:
    # The loop never parks; without giving up the GIL now and then it would go on for ever.
    def spin() -> None:
        loop.call_soon(spin)

    thread = threading.Thread(target=loop.call_soon_threadsafe, args=(loop.stop,))
    loop.call_soon(thread.start)
    loop.call_soon(spin)
    loop.run_forever()
    thread.join()


def test_a_stop_from_another_thread_is_heard(loop: AbstractEventLoop) -> None:
    thread = threading.Thread(target=loop.call_soon_threadsafe, args=(loop.stop,))
    loop.call_soon(thread.start)
    loop.run_forever()
    thread.join()


def test_a_coroutine_is_submitted_from_another_thread(loop: AbstractEventLoop) -> None:
    async def add(left: int, right: int) -> int:
        await asyncio.sleep(0)
        return left + right

    async def main() -> int:
        return await asyncio.to_thread(
            lambda: asyncio.run_coroutine_threadsafe(add(1, 2), loop).result(20)
        )

    assert loop.run_until_complete(main()) == 3


def test_a_loop_runs_in_another_thread_than_the_one_that_made_it(new_loop: NewLoop) -> None:
    loop = new_loop()
    loop.run_until_complete(asyncio.sleep(0))
    assert in_thread(loop.run_until_complete, asyncio.sleep(0.001, "elsewhere")) == "elsewhere"
    assert loop.run_until_complete(asyncio.sleep(0, "home")) == "home"


def test_a_loop_made_in_a_thread_outlives_it(new_loop: NewLoop) -> None:
    loop = in_thread(new_loop)
    assert loop.run_until_complete(asyncio.sleep(0.001, "alive")) == "alive"


def test_connections_go_along_to_another_thread(loop: AbstractEventLoop) -> None:
    pair = loop.run_until_complete(connected_pair())
    pair.client.transport.write(b"written while the loop stands still")

    async def go_on() -> bytes:
        pair.server.transport.write(b"answer")
        await pair.client.has_received(6)
        received = await pair.server.has_received(35)
        await pair.close()
        return received

    received = in_thread(loop.run_until_complete, go_on())
    assert received == b"written while the loop stands still"


def test_a_loop_does_not_run_in_two_threads_at_once(loop: AbstractEventLoop) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="already running"):
            await asyncio.to_thread(loop.run_forever)

    loop.run_until_complete(main())
    assert loop.run_until_complete(asyncio.sleep(0, "unharmed")) == "unharmed"


def test_many_loops_run_in_many_threads(new_loop: NewLoop) -> None:
    threads = 16
    together = threading.Barrier(threads)

    async def work(number: int) -> int:
        await asyncio.to_thread(together.wait)
        counts = await asyncio.gather(*(asyncio.sleep(0.001, number) for _ in range(50)))
        return sum(counts)

    def one(number: int) -> int:
        loop = new_loop()
        try:
            return loop.run_until_complete(work(number))
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    with ThreadPoolExecutor(threads) as executor:
        assert list(executor.map(one, range(threads))) == [50 * n for n in range(threads)]


def test_loops_of_two_threads_talk_to_each_other(
    loop: AbstractEventLoop, new_loop: NewLoop
) -> None:
    other = new_loop()
    thread = threading.Thread(target=other.run_forever)
    thread.start()

    async def bounce() -> int:
        total = 0
        for number in range(200):
            future = asyncio.run_coroutine_threadsafe(asyncio.sleep(0, number), other)
            total += await asyncio.wrap_future(future)
        return total

    try:
        assert loop.run_until_complete(bounce()) == sum(range(200))
    finally:
        other.call_soon_threadsafe(other.stop)
        thread.join()
