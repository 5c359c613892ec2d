"""Five hundred clients at once wait for a slow handler, and all together wait about once."""

import asyncio
import time

CLIENTS = 500
WAIT = 1.0


async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    name = await reader.readline()
    await asyncio.sleep(WAIT)
    writer.write(b"welcome, " + name)
    await writer.drain()
    writer.close()
    await writer.wait_closed()


async def visit(port: int, number: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"client {number}\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def main() -> None:
    server = await asyncio.start_server(slow, "127.0.0.1", 0, backlog=CLIENTS)
    port = server.sockets[0].getsockname()[1]
    async with server:
        started = time.monotonic()
        answers = await asyncio.gather(*[visit(port, number) for number in range(CLIENTS)])
        took = time.monotonic() - started

    right = sum(answer == f"welcome, client {i}\n".encode() for i, answer in enumerate(answers))
    print(f"{right} of {CLIENTS} clients had their answer")
    # One after another they would have taken CLIENTS * WAIT seconds.
    print("in about one wait:", WAIT <= took < 3 * WAIT)


asyncio.run(main())
