"""Sockets of the loop's: protocols and streams over TCP, TLS, Unix sockets and datagrams."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from pathlib import Path

from scripts.rehearsal.amount import Amount, expect
from scripts.rehearsal.certificate import Certificate

SIZES = (70, 700, 3_000)
AT_ONCE = 20


async def run(amount: Amount, certificate: Certificate | None) -> None:
    """Echoes over each kind."""
    loop = asyncio.get_running_loop()
    for protocol in (Echo, BufferedEcho):
        server = await loop.create_server(protocol, "127.0.0.1", 0)
        async with server:
            await by_streams(amount, 2_000, server.sockets[0].getsockname())
    server = await asyncio.start_server(echo_stream, "127.0.0.1", 0)
    async with server:
        address = server.sockets[0].getsockname()
        await by_streams(amount, 2_000, address)
        await lines(amount, address)
        await much_at_once(amount, address)
        await short_connections(amount, address)
    if certificate is not None:
        server = await loop.create_server(Echo, "127.0.0.1", 0, ssl=certificate.of_server())
        async with server:
            address = server.sockets[0].getsockname()
            await by_streams(amount, 1_200, address, certificate.of_client())
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
        path = str(Path(folder, "echo"))
        async with await loop.create_unix_server(Echo, path):
            await by_streams(amount, 800, path)
    await datagrams(amount)


class Echo(asyncio.Protocol):
    """Writes back what it reads."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what to write to."""
        self.transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Echo."""
        self.transport.write(data)


class BufferedEcho(asyncio.BufferedProtocol):
    """Reads into a buffer of its own."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what to write to, and have a place to read to."""
        self.transport = transport  # type: ignore[assignment]
        self.buffer = bytearray(32 * 1024)

    def get_buffer(self, sizehint: int) -> bytearray:
        """Where the next bytes go."""
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Echo."""
        self.transport.write(bytes(memoryview(self.buffer)[:nbytes]))


async def echo_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Echo until the other side has ended."""
    while data := await reader.read(16 * 1024):
        writer.write(data)
        await writer.drain()
    writer.close()


async def connect(
    address: tuple[str, int] | str, trust: ssl.SSLContext | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open streams to a port or a path."""
    if isinstance(address, str):
        return await asyncio.open_unix_connection(address)
    name = "localhost" if trust else None
    return await asyncio.open_connection(*address, ssl=trust, server_hostname=name)


async def by_streams(
    amount: Amount,
    usual: int,
    address: tuple[str, int] | str,
    trust: ssl.SSLContext | None = None,
) -> None:
    """Messages of several sizes over some connections, each there and back."""
    idle = [await connect(address, trust) for _ in range(AT_ONCE)]

    async def once(number: int) -> None:
        reader, writer = idle.pop()
        message = b"m" * SIZES[number % len(SIZES)]
        writer.write(message)
        expect(await reader.readexactly(len(message)) == message, "an echo is another")
        idle.append((reader, writer))

    await amount.repeat(usual, once, at_once=AT_ONCE)
    for _, writer in idle:
        writer.close()
        await writer.wait_closed()


async def lines(amount: Amount, address: tuple[str, int]) -> None:
    """Text by lines, several in one piece."""
    reader, writer = await connect(address)
    for number in range(amount.of(300)):
        writer.writelines([b"%d\n" % number, b"and\n", b"another\n"])
        await writer.drain()
        for expected in (b"%d\n" % number, b"and\n", b"another\n"):
            expect(await reader.readline() == expected, "a line is another")
    writer.close()
    await writer.wait_closed()


async def much_at_once(amount: Amount, address: tuple[str, int]) -> None:
    """More than a socket takes, so that writing has to pause."""
    sent = b"s" * 1_500_000

    async def once(_number: int) -> None:
        reader, writer = await connect(address)
        writer.write(sent)
        writer.write_eof()
        expect(len(await reader.read()) == len(sent), "bytes were lost")
        writer.close()

    await amount.repeat(6, once, at_once=2)


async def short_connections(amount: Amount, address: tuple[str, int]) -> None:
    """One message for each."""

    async def once(_number: int) -> None:
        reader, writer = await connect(address)
        writer.write(b"hello")
        writer.write_eof()
        expect(await reader.read() == b"hello", "an echo is another")
        writer.close()
        await writer.wait_closed()

    await amount.repeat(300, once, at_once=10)


class DatagramEcho(asyncio.DatagramProtocol):
    """Sends each back to where it came from."""

    transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what to send with."""
        self.transport = transport  # type: ignore[assignment]

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        """Echo."""
        self.transport.sendto(data, address)


class DatagramCount(asyncio.DatagramProtocol):
    """Sends the next one when it has the last, until there were enough."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport: asyncio.DatagramTransport = transport  # type: ignore[assignment]
        self.transport.sendto(b"d" * 200)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        """Go on, or end."""
        self.left -= 1
        if self.left:
            self.transport.sendto(data)
        else:
            self.done.set_result(None)


async def datagrams(amount: Amount) -> None:
    """One at a time: on loopback none is lost then."""
    loop = asyncio.get_running_loop()
    echo, _ = await loop.create_datagram_endpoint(DatagramEcho, local_addr=("127.0.0.1", 0))
    address = echo.get_extra_info("sockname")
    counting, count = await loop.create_datagram_endpoint(
        lambda: DatagramCount(amount.of(1_000)), remote_addr=address
    )
    await count.done
    counting.close()
    echo.close()
