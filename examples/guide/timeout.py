"""`asyncio.timeout` bounds whatever happens inside it, and cancels what takes too long."""

import asyncio


async def answer(seconds: float) -> int:
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        print("the answer was cancelled")
        raise
    return 42


async def main() -> None:
    async with asyncio.timeout(60):
        print(await answer(0.01))

    try:
        async with asyncio.timeout(0.1):
            await answer(60)
    except TimeoutError:
        print("too slow for a timeout")

    try:
        await asyncio.wait_for(answer(60), timeout=0.1)
    except TimeoutError:
        print("too slow for wait_for")

    # A deadline may be moved while it runs.
    async with asyncio.timeout(0.05) as deadline:
        deadline.reschedule(asyncio.get_running_loop().time() + 60)
        print(await answer(0.1), "after the deadline was moved")
    print("expired:", deadline.expired())


asyncio.run(main())
