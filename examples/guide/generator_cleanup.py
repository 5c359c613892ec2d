"""An async generator that is left early cleans up: at once if it is closed, else at the end."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing


async def lines(name: str) -> AsyncGenerator[str, None]:
    """Yield lines without end, from something that has to be closed."""
    print(f"{name}: opened")
    try:
        number = 0
        while True:
            number += 1
            await asyncio.sleep(0)
            yield f"{name} {number}"
    finally:
        # Cleaning up may wait too; that is why somebody has to run it on the loop.
        await asyncio.sleep(0)
        print(f"{name}: closed")


async def main() -> None:
    async with aclosing(lines("careful")) as source:
        async for line in source:
            print(line)
            if line.endswith("2"):
                break
    print("after careful")

    # This one is never closed: asyncio.run does it when the program is over.
    careless = lines("careless")
    print(await anext(careless))
    kept.append(careless)
    print("end of main")


kept: list[AsyncGenerator[str, None]] = []
asyncio.run(main())
print("end of the program")
