"""An echo server on any of the loops, with a protocol or with streams, until it is ended."""

import argparse
import asyncio
import ssl
from pathlib import Path

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


class DatagramEcho(asyncio.DatagramProtocol):
    """Sends each datagram back to where it came from, from the callback that gets it."""

    transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to send with."""
        self.transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        """Echo."""
        self.transport.sendto(data, address)


class BufferedEcho(asyncio.BufferedProtocol):
    """Reads into one buffer for the whole connection, and writes back what is in it."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to write to, and make the buffer to read into."""
        self.transport = transport  # type: ignore[assignment]
        self.buffer = memoryview(bytearray(READ_SIZE))

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Echo. A copy, because not every loop takes one of what it cannot send at once."""
        self.transport.write(bytes(self.buffer[:nbytes]))


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


PROTOCOLS = {"protocol": Echo, "buffered": BufferedEcho}


async def serve(api: str, port: int, path: Path | None, tls: ssl.SSLContext | None) -> None:
    """Listen on loopback or at a path, and never return."""
    loop = asyncio.get_running_loop()
    if api == "streams":
        if path is None:
            await asyncio.start_server(echo_stream, "127.0.0.1", port, ssl=tls)
        else:
            await asyncio.start_unix_server(echo_stream, path)
    elif path is None:
        await loop.create_server(PROTOCOLS[api], "127.0.0.1", port, ssl=tls)
    else:
        await loop.create_unix_server(PROTOCOLS[api], path)
    await loop.create_future()


async def serve_datagrams(port: int) -> None:
    """Receive on loopback, and never return."""
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(DatagramEcho, local_addr=("127.0.0.1", port))
    await loop.create_future()


def server_context(folder: Path) -> ssl.SSLContext:
    """The context of a server that has the certificate of this folder."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    return context


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loop", choices=loops.NAMES, required=True)
    parser.add_argument("--api", choices=[*PROTOCOLS, "streams"], required=True)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", type=int, default=0)
    where.add_argument("--unix", type=Path, metavar="PATH")
    parser.add_argument("--tls", type=Path, metavar="FOLDER", help="with chain.pem and key.pem")
    parser.add_argument("--udp", action="store_true", help="with the api protocol alone")
    arguments = parser.parse_args()
    if arguments.udp and (arguments.api != "protocol" or arguments.tls or arguments.unix):
        parser.error("--udp is for a protocol on a port, without TLS")
    tls = None if arguments.tls is None else server_context(arguments.tls)
    loop = loops.new_event_loop(arguments.loop)
    if arguments.udp:
        loop.run_until_complete(serve_datagrams(arguments.port))
    else:
        loop.run_until_complete(serve(arguments.api, arguments.port, arguments.unix, tls))


if __name__ == "__main__":
    main()
