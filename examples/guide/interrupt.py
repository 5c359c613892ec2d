"""Ctrl-C cancels the main task, which may clean up before the program ends."""

import asyncio


async def main() -> None:
    print("ready", flush=True)
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        print("cancelled: putting things away", flush=True)
        await asyncio.sleep(0.01)
        print("put away", flush=True)
        raise


try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("the program was interrupted", flush=True)
    raise
finally:
    print("the last line", flush=True)
