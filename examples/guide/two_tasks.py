"""Two tasks of two seconds each are done after two seconds, not four."""

import asyncio
import time


async def boil(what: str) -> str:
    """Wait as one waits for a kettle: others can do something meanwhile."""
    print(f"{what}: on the fire")
    await asyncio.sleep(2)
    print(f"{what}: done")
    return what


async def main() -> None:
    started = time.monotonic()

    # A task begins to run as soon as this coroutine waits for anything; a bare coroutine would not.
    tea = asyncio.create_task(boil("tea"))
    eggs = asyncio.create_task(boil("eggs"))
    print(f"breakfast: {await tea} and {await eggs}")

    print(f"it took {int(time.monotonic() - started)} seconds and a moment")


asyncio.run(main())
