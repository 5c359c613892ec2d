"""Micro workloads inside one event loop; prints nanoseconds per operation as JSON."""

import argparse
import asyncio
import gc
import json
import threading
import time
from collections.abc import Awaitable, Callable

from bench.compare import loops

# A workload takes how many operations to do and does them on the running loop.
MicroWorkload = Callable[[int], Awaitable[None]]


async def call_soon_chain(count: int) -> None:
    """A callback that schedules itself: one handle a turn."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    left = count

    def step() -> None:
        nonlocal left
        left -= 1
        if left:
            loop.call_soon(step)
        else:
            done.set_result(None)

    loop.call_soon(step)
    await done


async def call_soon_batch(count: int) -> None:
    """All handles scheduled first, then run in one turn."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    for _ in range(count - 1):
        loop.call_soon(nothing)
    loop.call_soon(done.set_result, None)
    await done


async def sleep_zero(count: int) -> None:
    """200 tasks that give way to one another."""
    tasks = 200

    async def give_way() -> None:
        for _ in range(count // tasks):
            await asyncio.sleep(0)

    await asyncio.gather(*(give_way() for _ in range(tasks)))


async def spawn_and_await(count: int) -> None:
    """A task at a time, each awaited before the next is made."""
    loop = asyncio.get_running_loop()
    for _ in range(count):
        await loop.create_task(no_wait())


async def gather_thousand(count: int) -> None:
    """Gathers of 1,000 coroutines that each wait one turn; an operation is one coroutine."""
    for _ in range(count // 1000):
        await asyncio.gather(*(asyncio.sleep(0) for _ in range(1000)))


async def timer_create_cancel(count: int) -> None:
    """Timeouts that never fire, as a server sets for every request."""
    loop = asyncio.get_running_loop()
    for _ in range(count // 100):
        for _ in range(100):
            loop.call_later(60.0, nothing).cancel()
        # The loop gets its turns, so that the cost of forgetting timers is counted as well.
        await asyncio.sleep(0)


async def call_soon_threadsafe(count: int) -> None:
    """Another thread schedules while the loop runs what arrives."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def produce() -> None:
        for _ in range(count - 1):
            loop.call_soon_threadsafe(nothing)
        loop.call_soon_threadsafe(done.set_result, None)

    thread = threading.Thread(target=produce)
    thread.start()
    await done
    thread.join()


async def executor_round_trip(count: int) -> None:
    """To a thread of the default executor and back, one at a time."""
    loop = asyncio.get_running_loop()
    for _ in range(count):
        await loop.run_in_executor(None, nothing)


def nothing() -> None:
    """The cheapest callback."""


async def no_wait() -> None:
    """The cheapest coroutine."""


# What each one is called in the tables, and how many operations a full run does.
MICRO_WORKLOADS: dict[str, tuple[MicroWorkload, int]] = {
    "call_soon chain": (call_soon_chain, 100_000),
    "call_soon batch of 300k": (call_soon_batch, 300_000),
    "sleep(0) in 200 tasks": (sleep_zero, 60_000),
    "spawn + await a task": (spawn_and_await, 20_000),
    "gather of 1,000 tasks": (gather_thousand, 20_000),
    "timer create + cancel": (timer_create_cancel, 50_000),
    "call_soon_threadsafe": (call_soon_threadsafe, 50_000),
    "run_in_executor round trip": (executor_round_trip, 4_000),
}


def measure(
    loop: asyncio.AbstractEventLoop, work: MicroWorkload, count: int
) -> tuple[float, float]:
    """CPU and wall nanoseconds per operation, after a tenth as many to warm up."""

    async def timed() -> tuple[float, float]:
        await work(max(count // 10, 1000))
        gc.collect()
        wall, processor = time.perf_counter_ns(), time.process_time_ns()
        await work(count)
        return (
            (time.process_time_ns() - processor) / count,
            (time.perf_counter_ns() - wall) / count,
        )

    return loop.run_until_complete(timed())


def main() -> None:
    """Measure every workload on the named loop and print them as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loop", choices=loops.NAMES, required=True)
    parser.add_argument("--scale", type=float, default=1.0, help="times the usual operations")
    arguments = parser.parse_args()
    loop = loops.new_event_loop(arguments.loop)
    figures: dict[str, float] = {}
    for name, (work, usual) in MICRO_WORKLOADS.items():
        # Whole thousands: some workloads do their operations 100, 200 or 1,000 at a time.
        count = max(round(usual * arguments.scale / 1000), 1) * 1000
        figures[f"{name}, CPU"], figures[f"{name}, wall"] = measure(loop, work, count)
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
