"""The servers of the soak, the connections to them, and a census of all transports."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import weakref
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from content import HELLO, connection_of
from conversations import BROKEN, End, Shared
from plans import STYLES, Plan, Style

SERVER_NAME = "localhost"
READY_FOR_TLS = b"go on in TLS\n"


class Buffered(asyncio.StreamReaderProtocol, asyncio.BufferedProtocol):
    """Streams over get_buffer and buffer_updated, with a buffer that is used again and again."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # asyncio's TLS fills slices of it: those of a bytearray would be copies.
        self._lent = memoryview(bytearray(3000))

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes go."""
        return self._lent

    def buffer_updated(self, nbytes: int) -> None:
        """Hand them on, and spoil the buffer for whoever still looks at it."""
        self.data_received(bytes(self._lent[:nbytes]))
        self._lent[:nbytes] = b"!" * nbytes


class Echo(asyncio.Protocol):
    """Writes back what it reads, from the callback."""

    def __init__(self, census: Census) -> None:
        self.census = census

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.census.count(transport)

    def data_received(self, data: bytes) -> None:
        """Echo."""
        self.transport.write(data)


class Mute(asyncio.Protocol):
    """Accepts, says nothing, and hangs up soon: a client of TLS waits for a handshake."""

    SECONDS = 0.03

    def __init__(self, census: Census) -> None:
        self.census = census

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Hang up soon."""
        assert isinstance(transport, asyncio.Transport)
        self.census.count(transport)
        asyncio.get_running_loop().call_later(self.SECONDS, transport.abort)


class Census:
    """Knows every transport that was seen, for as long as it is alive."""

    def __init__(self) -> None:
        self._seen: weakref.WeakSet[asyncio.BaseTransport] = weakref.WeakSet()
        self.connections = 0

    def count(self, transport: asyncio.BaseTransport) -> None:
        """See a transport."""
        self._seen.add(transport)
        self.connections += 1

    def alive(self) -> list[asyncio.BaseTransport]:
        """Those that somebody still holds."""
        return list(self._seen)


@dataclass
class Peers:
    """All listeners of a run, and the connections that are under way."""

    seed: int
    folder: Path
    server_tls: ssl.SSLContext
    client_tls: ssl.SSLContext
    census: Census = field(default_factory=Census)
    shared: dict[int, Shared] = field(default_factory=dict)
    """By number, while both ends are busy."""
    failures: list[BaseException] = field(default_factory=list)
    """What the servers' ends came upon."""
    handlers: set[asyncio.Task[None]] = field(default_factory=set)
    ports: dict[tuple[str, Style], int] = field(default_factory=dict)
    echo_port: int = 0
    mute_port: int = 0

    def path(self, style: Style) -> Path:
        """Where the Unix server of this style listens."""
        return self.folder / style

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Have all listeners open."""
        loop = asyncio.get_running_loop()
        servers = []
        for style in STYLES:
            for route, tls in (("tcp", None), ("tls", self.server_tls)):
                server = await loop.create_server(
                    lambda style=style: self._accepting(style), "127.0.0.1", 0, ssl=tls, backlog=500
                )
                self.ports[route, style] = server.sockets[0].getsockname()[1]
                servers.append(server)
            servers.append(
                await loop.create_unix_server(
                    lambda style=style: self._accepting(style), self.path(style), backlog=500
                )
            )
        for factory in (Echo, Mute):
            server = await loop.create_server(
                lambda factory=factory: factory(self.census), "127.0.0.1", 0, backlog=500
            )
            servers.append(server)
        self.echo_port, self.mute_port = (
            server.sockets[0].getsockname()[1] for server in servers[-2:]
        )
        try:
            yield
        finally:
            for server in servers:
                server.close()
            for server in servers:
                await server.wait_closed()
            if self.handlers:
                await asyncio.wait(self.handlers)

    def _accepting(self, style: Style) -> asyncio.StreamReaderProtocol:
        reader = StreamReader()
        kind = Buffered if style == "buffered" else asyncio.StreamReaderProtocol
        return kind(reader, self._accepted)

    def _accepted(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self.handlers.add(task)
        task.add_done_callback(self.handlers.discard)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.census.count(writer.transport)
        try:
            hello = await reader.readexactly(HELLO)
        except BROKEN:
            # It only knocked, or was cancelled while it connected.
            writer.transport.abort()
            # A broken connection's protocol holds a future with its error, and asks for it as it is
            # freed. In a cycle that can be after the future was freed, which then tells the
            # exception handler: when a collection of the youngest came between the making of the
            # two and a full one after (CPython 3.11 to 3.13, on any loop).
            with contextlib.suppress(*BROKEN):
                await writer.wait_closed()
            return
        try:
            shared = self.shared[connection_of(hello, self.seed)]
        except BaseException as error:
            writer.transport.abort()
            self.failures.append(error)
            return
        try:
            shared.server_began.set()
            await self._converse(shared, reader, writer)
        except BaseException as error:
            error.add_note(f"at the server's end of {shared.plan}")
            self.failures.append(error)
        finally:
            shared.server_ended.set()

    async def _converse(self, shared: Shared, reader: StreamReader, writer: StreamWriter) -> None:
        if shared.plan.route == "upgraded":
            # The client begins TLS only when it has this: what it sent before would be read as
            # plain bytes.
            writer.write(READY_FOR_TLS)
            await writer.start_tls(self.server_tls)
            self._upgraded(reader, writer)
        await End(self.seed, shared, "server", reader, writer).converse()

    async def connect(self, plan: Plan) -> tuple[StreamReader, StreamWriter]:
        """Connect as the plan says, without a word."""
        loop = asyncio.get_running_loop()
        reader = StreamReader()
        kind = Buffered if plan.client_style == "buffered" else asyncio.StreamReaderProtocol

        def protocol() -> asyncio.StreamReaderProtocol:
            return kind(reader)

        transport: asyncio.Transport
        if plan.route == "unix":
            made = await loop.create_unix_connection(protocol, self.path(plan.server_style))
        elif plan.route == "tls":
            port = self.ports["tls", plan.server_style]
            made = await loop.create_connection(
                protocol, "127.0.0.1", port, ssl=self.client_tls, server_hostname=SERVER_NAME
            )
        else:
            port = self.ports["tcp", plan.server_style]
            made = await loop.create_connection(protocol, "127.0.0.1", port)
        transport, used = made
        self.census.count(transport)
        return reader, StreamWriter(transport, used, reader, loop)

    async def upgrade(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Start TLS at the client's end."""
        assert await reader.readexactly(len(READY_FOR_TLS)) == READY_FOR_TLS
        await writer.start_tls(self.client_tls, server_hostname=SERVER_NAME)
        self._upgraded(reader, writer)

    def _upgraded(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.census.count(writer.transport)
        # The standard library's reader would go on to pause the transport below TLS, which then
        # cannot end before its timeout of 30 s.
        reader._transport = writer.transport  # type: ignore[attr-defined]


@contextlib.contextmanager
def tar_pit() -> Any:
    """An address where a connection is neither accepted nor refused."""
    with socket.socket() as listener, contextlib.ExitStack() as fillers:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        # The queue of those that wait to be accepted has room for one; what comes next is dropped.
        for _ in range(4):
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(address)
        yield address
