"""A TCP echo server and its clients in one program, with streams."""

import asyncio

# How long a line may be; the streams' own limit is 64 KiB.
LIMIT = 2**20


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send every line back until the client has no more."""
    while line := await reader.readline():
        writer.write(b"you said: " + line)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


async def talk(port: int, *messages: str) -> list[str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=LIMIT)
    answers = []
    for message in messages:
        writer.write(f"{message}\n".encode())
        await writer.drain()
        answers.append((await reader.readline()).decode().rstrip())
    # Half of the connection is closed: nothing more to send, but still listening.
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    return answers


async def main() -> None:
    server = await asyncio.start_server(echo, "127.0.0.1", 0, limit=LIMIT)
    port = server.sockets[0].getsockname()[1]
    async with server:
        conversations = await asyncio.gather(
            talk(port, "hello", "goodbye"), talk(port, "ciao"), talk(port, "a" * 100_000)
        )
    for conversation in conversations:
        print([answer if len(answer) < 50 else f"{len(answer)} letters" for answer in conversation])


asyncio.run(main())
