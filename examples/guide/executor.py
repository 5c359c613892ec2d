"""Blocking work goes to threads, so that the loop stays free for everybody else."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor


def block(seconds: float) -> str:
    """Stand for a library that knows nothing of asyncio."""
    time.sleep(seconds)
    return "loop" if threading.current_thread() is threading.main_thread() else "another thread"


async def count_ticks(ticks: list[int]) -> None:
    while True:
        ticks.append(1)
        await asyncio.sleep(0.01)


async def main() -> None:
    loop = asyncio.get_running_loop()
    ticks: list[int] = []
    ticker = asyncio.create_task(count_ticks(ticks))

    print("default executor:", await loop.run_in_executor(None, block, 0.2))
    print("to_thread:", await asyncio.to_thread(block, 0.2))
    with ThreadPoolExecutor(max_workers=8) as pool:
        started = time.monotonic()
        places = await asyncio.gather(*[loop.run_in_executor(pool, block, 0.2) for _ in range(8)])
        print("eight at once:", set(places), "together:", time.monotonic() - started < 1.0)

    ticker.cancel()
    print("the loop went on meanwhile:", len(ticks) > 10)

    try:
        await asyncio.to_thread(block, -1)
    except ValueError as error:
        print("an exception comes back:", error)


asyncio.run(main())
