"""One connection from either end: send, check what comes, and leave as the plan says."""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
import struct
from asyncio import StreamReader, StreamWriter

from content import HELLO, Checker, Content, Way
from loop_under_soak import ON_REFERENCE
from plans import Plan, Side

# What an end may meet once the other one has left before its time.
BROKEN = (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, TimeoutError)
AT_ONCE = struct.pack("ii", 1, 0)
BLOCKED_SECONDS = 0.02
SMALL_BUFFER = 8192


class Shared:
    """What the two ends of a connection know of each other: they live in one process."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.server_began = asyncio.Event()
        self.left = asyncio.Event()
        """The leaver is gone, or everything is over."""
        self.server_ended = asyncio.Event()


class End:
    """One end of one connection."""

    def __init__(
        self, seed: int, shared: Shared, side: Side, reader: StreamReader, writer: StreamWriter
    ) -> None:
        plan = shared.plan
        self.shared, self.plan, self.side = shared, plan, side
        self.reader, self.writer = reader, writer
        self.draw = random.Random(f"{seed}/{side}/{plan.number}")
        ways: tuple[Way, Way] = ("up", "down") if side == "client" else ("down", "up")
        totals = {"up": plan.up, "down": plan.down}
        self.content, self.total = Content(seed, plan.number, ways[0]), totals[ways[0]]
        # The hello is read and checked before there is an end.
        self.sent = HELLO if side == "client" else 0
        self.checker = Checker(
            Content(seed, plan.number, ways[1]), totals[ways[1]], HELLO if side == "server" else 0
        )
        self.reached_cut = asyncio.Event()

    async def converse(self) -> None:
        """Do this end's part, from behind the hello to the end of the connection."""
        if self.plan.blocked:
            self._shrink_buffers()
        leaves = self.plan.leaver == self.side
        halves = [asyncio.ensure_future(half) for half in (self._send(), self._receive())]
        try:
            if leaves:
                await self._leave(halves)
            results = await asyncio.gather(*halves, return_exceptions=True)
            self._judge(results, leaves)
            if self.plan.stays_whole():
                self.checker.end()
        finally:
            for half in halves:
                half.cancel()
            self.shared.left.set()
            await self._close()

    def _judge(self, results: list[BaseException | None], leaves: bool) -> None:
        for result in results:
            if isinstance(result, asyncio.CancelledError) and leaves:
                continue
            if isinstance(result, BROKEN) and not self.plan.stays_whole():
                continue
            if result is not None:
                raise result

    async def _send(self) -> None:
        while self.sent < self.total:
            length = min(self.total - self.sent, self.draw.choice((1, 100, 2000, 20_000, 70_000)))
            data = self.content.at(self.sent, length)
            self._write(data)
            self.sent += length
            self._note_progress()
            if self.draw.random() < 0.5:
                await self.writer.drain()
        await self.writer.drain()
        if self.writer.can_write_eof():
            self.writer.write_eof()

    def _write(self, data: bytes) -> None:
        how = self.draw.randrange(4)
        if how == 0 and self._may_write_lines(data):
            edge = 1 if ON_REFERENCE else 0
            middle = self.draw.randint(edge, len(data) - edge)
            self.writer.writelines([data[:middle], data[middle:]])
        elif how == 1:
            lent = bytearray(data)
            self.writer.write(lent)
            # What was written is the caller's again; with asyncio only once it is sent, and its TLS
            # does not tell when that is.
            plain = self.plan.route in ("tcp", "unix")
            unsent = self.writer.transport.get_write_buffer_size()
            if not ON_REFERENCE or (plain and unsent == 0):
                lent[:] = b"?" * len(lent)
        else:
            self.writer.write(data)

    def _may_write_lines(self, data: bytes) -> bool:
        # CPython 3.13.0's own loop waits for ever until an empty piece is sent, and watches the
        # descriptor of a closing transport for room, which is then another connection's.
        closing = self.writer.transport.is_closing()
        return not ON_REFERENCE or (len(data) > 1 and not closing)

    async def _receive(self) -> None:
        if self.plan.blocked:
            await self.shared.left.wait()
        # Without half-closes the end of the other's sending is known by its number of bytes.
        to_the_end = self.side == "client" or self.writer.can_write_eof()
        while to_the_end or self.checker.offset < self.checker.total:
            data = await self.reader.read(self.draw.choice((1, 500, 10_000, 65_536, 1_000_000)))
            if not data:
                return
            self.checker.feed(data)
            self._note_progress()

    def _note_progress(self) -> None:
        if self.sent + self.checker.offset >= self.plan.cut:
            self.reached_cut.set()

    async def _leave(self, halves: list[asyncio.Future[None]]) -> None:
        """Leave once the plan's number of bytes went by, or nothing goes any more."""
        await self.shared.server_began.wait()
        if self.plan.blocked:
            await asyncio.wait(halves, timeout=self.draw.random() * BLOCKED_SECONDS)
        else:
            cut = asyncio.ensure_future(self.reached_cut.wait())
            await asyncio.wait([cut, *halves], return_when=asyncio.FIRST_COMPLETED)
            cut.cancel()
        match self.plan.leaving:
            case "reset":
                self._socket().setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
                self.writer.transport.abort()
            case "abort":
                self.writer.transport.abort()
            case "close":
                self.writer.close()
            case "cancel":
                pass
        for half in halves:
            half.cancel()
        self.shared.left.set()

    def _shrink_buffers(self) -> None:
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            self._socket().setsockopt(socket.SOL_SOCKET, option, SMALL_BUFFER)

    def _socket(self) -> socket.socket:
        return self.writer.get_extra_info("socket")

    async def _close(self) -> None:
        self.writer.close()
        if self.plan.blocked:
            # What nobody reads can never be sent.
            abort(self.writer.transport)
        try:
            await self.writer.wait_closed()
        except BROKEN:
            if self.plan.stays_whole():
                raise


def abort(transport: asyncio.WriteTransport) -> None:
    """Abort it, even if it is closed already."""
    try:
        transport.abort()
    except AttributeError:
        # CPython 3.13.0's own has let go of its loop if it was closed while it had output.
        if not ON_REFERENCE:
            raise
