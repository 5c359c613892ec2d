"""A task group waits for all its tasks; when one fails, it cancels the others and tells of all."""

import asyncio


async def work(name: str, seconds: float) -> str:
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        print(f"{name}: cancelled")
        raise
    return f"{name}: done"


async def fail(message: str) -> None:
    await asyncio.sleep(0.05)
    raise ValueError(message)


async def main() -> None:
    async with asyncio.TaskGroup() as group:
        first = group.create_task(work("first", 0.02))
        second = group.create_task(work("second", 0.01))
    print(first.result(), second.result(), sep="\n")

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(work("patient", 60))
            group.create_task(fail("the oven is cold"))
            group.create_task(fail("the dough is dry"))
    except* ValueError as errors:
        for error in errors.exceptions:
            print(f"failed: {error}")


asyncio.run(main())
