"""Calling a coroutine function does nothing yet: without `await`, Python warns of it."""

import asyncio


async def send_letter() -> None:
    print("this line is never printed")


async def main() -> None:
    # ruff and type checkers find this too; the program is about what Python says when it runs.
    send_letter()
    print("the letter was not sent")


asyncio.run(main())
