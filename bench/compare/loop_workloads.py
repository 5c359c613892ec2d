"""Micro workloads inside one event loop; prints nanoseconds per operation as JSON."""

import argparse
import asyncio
import gc
import json
import resource
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from bench.compare import loops

TRUE = "/bin/true"

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


async def twenty_thousand_sleeps(count: int) -> None:
    """All asleep at the same time, each awake at a moment of its own; an operation is one sleep."""
    together = min(count, 20_000)
    for _ in range(count // together):
        # From 0.2 s on, so that the last has fallen asleep before the first wakes up, in an order
        # that is not that of their start.
        delays = (0.2 + index * 7919 % together / together * 0.1 for index in range(together))
        await asyncio.gather(*map(asyncio.sleep, delays))


async def spawn_and_wait(count: int) -> None:
    """A subprocess at a time that does nothing, without pipes."""
    for _ in range(count):
        process = await asyncio.create_subprocess_exec(TRUE)
        if await process.wait():
            raise RuntimeError(f"{TRUE} failed")


def nothing() -> None:
    """The cheapest callback."""


async def no_wait() -> None:
    """The cheapest coroutine."""


@dataclass(frozen=True)
class Operations:
    """What a micro workload does how often."""

    work: MicroWorkload
    usual: int
    """How many operations a full run does."""
    step: int = 1000
    """The number is a multiple of this: some workloads do 100, 200 or 1,000 at a time."""

    def count(self, scale: float) -> int:
        """How many operations a run of this scale does."""
        return max(round(self.usual * scale / self.step), 1) * self.step

    def warm_up(self, scale: float) -> int:
        """A tenth as many."""
        return max(self.count(scale) // 10, self.step)


Suite = Literal["loop", "subprocess"]
# What each one is called in the tables. rloop and uvloop have all of them.
SUITES: dict[Suite, dict[str, Operations]] = {
    "loop": {
        "call_soon chain": Operations(call_soon_chain, 100_000),
        "call_soon batch of 300k": Operations(call_soon_batch, 300_000),
        "sleep(0) in 200 tasks": Operations(sleep_zero, 60_000),
        "spawn + await a task": Operations(spawn_and_await, 20_000),
        "gather of 1,000 tasks": Operations(gather_thousand, 20_000),
        "timer create + cancel": Operations(timer_create_cancel, 50_000),
        "20,000 sleeps at once": Operations(twenty_thousand_sleeps, 40_000),
        "call_soon_threadsafe": Operations(call_soon_threadsafe, 50_000),
        "run_in_executor round trip": Operations(executor_round_trip, 4_000),
    },
    "subprocess": {"subprocess spawn + wait": Operations(spawn_and_wait, 600, step=20)},
}


def measure(
    loop: asyncio.AbstractEventLoop, operations: Operations, scale: float
) -> tuple[float, float]:
    """CPU and wall nanoseconds per operation, after some to warm up."""
    count = operations.count(scale)

    async def timed() -> tuple[float, float]:
        await operations.work(operations.warm_up(scale))
        gc.collect()
        wall, processor = time.perf_counter_ns(), processor_nanoseconds()
        await operations.work(count)
        return (
            (processor_nanoseconds() - processor) / count,
            (time.perf_counter_ns() - wall) / count,
        )

    return loop.run_until_complete(timed())


def processor_nanoseconds() -> float:
    """CPU time of all threads of this process, and of its subprocesses that have ended."""
    # The same as in /proc/self/stat, which counts in hundredths of a second.
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time_ns() + (children.ru_utime + children.ru_stime) * 1e9


def main() -> None:
    """Measure every workload of a suite on the named loop and print them as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loop", choices=loops.NAMES, required=True)
    parser.add_argument("--suite", choices=list(SUITES), default="loop")
    parser.add_argument("--scale", type=float, default=1.0, help="times the usual operations")
    arguments = parser.parse_args()
    loop = loops.new_event_loop(arguments.loop)
    figures: dict[str, float] = {}
    for name, operations in SUITES[arguments.suite].items():
        measured = measure(loop, operations, arguments.scale)
        figures[f"{name}, CPU"], figures[f"{name}, wall"] = measured
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
