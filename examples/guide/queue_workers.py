"""Producers and consumers share a bounded queue: a full one makes producers wait."""

import asyncio


async def produce(queue: asyncio.Queue[int], numbers: range) -> None:
    for number in numbers:
        await queue.put(number)


async def consume(queue: asyncio.Queue[int], squares: list[int]) -> None:
    while True:
        number = await queue.get()
        await asyncio.sleep(0.001)
        squares.append(number * number)
        queue.task_done()


async def main() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue(maxsize=5)
    squares: list[int] = []
    workers = [asyncio.create_task(consume(queue, squares)) for _ in range(4)]

    async with asyncio.TaskGroup() as producers:
        producers.create_task(produce(queue, range(50)))
        producers.create_task(produce(queue, range(50, 100)))

    # All was put into the queue; now wait until all of it was worked on, and send the workers home.
    await queue.join()
    for worker in workers:
        worker.cancel()
    ended = await asyncio.gather(*workers, return_exceptions=True)

    print(f"{len(squares)} squares, their sum is {sum(squares)}")
    print(f"workers cancelled: {sum(isinstance(end, asyncio.CancelledError) for end in ended)}")


asyncio.run(main())
