"""The loop by itself: callbacks, timers, tasks, threads, subprocesses."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading

from scripts.rehearsal.amount import Amount, expect

WHO = contextvars.ContextVar("who", default=0)


async def run(amount: Amount) -> None:
    """Do all of it, one thing after the other."""
    await a_chain_of_callbacks(amount.of(15_000))
    await callbacks_with_arguments(amount.of(15_000))
    await timers_that_fire(amount.of(3_000))
    await timers_that_do_not(amount.of(6_000))
    await tasks_in_a_row(amount.of(4_000))
    await tasks_of_a_group(amount.of(4_000))
    await a_queue_between_tasks(amount.of(6_000))
    await timeouts(amount.of(1_500))
    await callbacks_from_a_thread(amount.of(5_000))
    await calls_in_threads(amount.of(600))
    await subprocesses(amount.of(12))


async def a_chain_of_callbacks(count: int) -> None:
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def step(left: int) -> None:
        if left:
            loop.call_soon(step, left - 1)
        else:
            done.set_result(None)

    loop.call_soon(step, count)
    await done


async def callbacks_with_arguments(count: int) -> None:
    """All at once, every other one in a context of its own."""
    loop = asyncio.get_running_loop()
    context = contextvars.copy_context()
    context.run(WHO.set, 1)
    heard: list[int] = []
    for number in range(count):
        if number % 2:
            loop.call_soon(heard.append, number, context=context)
        else:
            loop.call_soon(heard.append, number)
    cancelled = loop.call_soon(heard.clear)
    cancelled.cancel()
    await asyncio.sleep(0)
    expect(len(heard) == count, "callbacks were lost")


async def timers_that_fire(count: int) -> None:
    """Within a few milliseconds, in another order than that in which they were made."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    left = count

    def fire() -> None:
        nonlocal left
        left -= 1
        if not left:
            done.set_result(None)

    for number in range(count):
        loop.call_later(number * 6007 % count * 2e-6, fire)
    await done


async def timers_that_do_not(count: int) -> None:
    """As those of requests that are answered in time."""
    loop = asyncio.get_running_loop()
    for number in range(count):
        handle = loop.call_later(30 + number % 7, print)
        if number % 50 == 0:
            await asyncio.sleep(0)
        handle.cancel()


async def tasks_in_a_row(count: int) -> None:
    for number in range(count):
        expect(await asyncio.create_task(give_way(number)) == number, "a task has another result")


async def tasks_of_a_group(count: int) -> None:
    together = 150
    for _ in range(max(1, count // together)):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(give_way(number)) for number in range(together)]
        expect(sum(map(asyncio.Task.result, tasks)) == sum(range(together)), "tasks were lost")
    await asyncio.gather(*[give_way(number) for number in range(together)])


async def give_way(number: int) -> int:
    await asyncio.sleep(0)
    return number


async def a_queue_between_tasks(count: int) -> None:
    queue: asyncio.Queue[int] = asyncio.Queue(maxsize=20)

    async def put() -> None:
        for number in range(count):
            await queue.put(number)

    putting = asyncio.create_task(put())
    for number in range(count):
        expect(await queue.get() == number, "the queue is out of order")
    await putting


async def timeouts(count: int) -> None:
    """Around what is done in time, and now and then around what never ends."""
    loop = asyncio.get_running_loop()
    for number in range(count):
        async with asyncio.timeout(20):
            await asyncio.sleep(0)
        if number % 100 == 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.001):
                    await loop.create_future()


async def callbacks_from_a_thread(count: int) -> None:
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def produce() -> None:
        for _ in range(count):
            loop.call_soon_threadsafe(int)
        loop.call_soon_threadsafe(done.set_result, None)

    thread = threading.Thread(target=produce)
    thread.start()
    await done
    thread.join()


async def calls_in_threads(count: int) -> None:
    loop = asyncio.get_running_loop()
    for number in range(0, count, 3):
        expect(await loop.run_in_executor(None, abs, -number) == number, "a thread is wrong")
        await asyncio.gather(asyncio.to_thread(abs, 1), asyncio.to_thread(abs, 2))


async def subprocesses(count: int) -> None:
    for number in range(count):
        process = await asyncio.create_subprocess_exec(
            "/bin/cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        said, _ = await process.communicate(b"%d" % number)
        expect(said == b"%d" % number, "a subprocess says something else")
