"""A TCP echo server on any of the loops, with a protocol or with streams, until it is ended."""

import argparse
import asyncio

from bench.compare import loops

READ_SIZE = 64 * 1024


class Echo(asyncio.Protocol):
    """Writes back what it reads, from the callback that reads it."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to write to."""
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Echo."""
        self.transport.write(data)


async def echo_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Echo one connection the way the asyncio manual does."""
    try:
        while data := await reader.read(READ_SIZE):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        # The load closes its connections when its time is up.
        pass
    finally:
        writer.close()


async def serve(api: str, port: int) -> None:
    """Listen on loopback and never return."""
    if api == "protocol":
        await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", port)
    else:
        await asyncio.start_server(echo_stream, "127.0.0.1", port)
    await asyncio.get_running_loop().create_future()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loop", choices=loops.NAMES, required=True)
    parser.add_argument("--api", choices=["protocol", "streams"], required=True)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    loop = loops.new_event_loop(arguments.loop)
    loop.run_until_complete(serve(arguments.api, arguments.port))


if __name__ == "__main__":
    main()
