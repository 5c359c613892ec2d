"""`await` belongs into an `async def`: in any other function it is a SyntaxError."""

import asyncio


def main() -> None:
    print("never printed: the file does not compile")
    await asyncio.sleep(1)


main()
