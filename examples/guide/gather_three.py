"""`asyncio.gather` runs coroutines together and keeps the order of their results."""

import asyncio


async def fetch(name: str, delay: float) -> str:
    await asyncio.sleep(delay)
    print(f"{name} has arrived")
    return name.upper()


async def explode() -> None:
    raise ValueError("no such price")


async def main() -> None:
    # They arrive in the order of their delays, and are returned in the order of the arguments.
    print(await asyncio.gather(fetch("slow", 0.3), fetch("quick", 0.1), fetch("middling", 0.2)))

    # With return_exceptions, one failure does not hide the results of the others.
    results = await asyncio.gather(fetch("fine", 0.01), explode(), return_exceptions=True)
    print([repr(result) for result in results])


asyncio.run(main())
