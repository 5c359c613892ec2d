"""A line between browser and server that a test can cut, mend and make slow."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack
from types import TracebackType
from typing import Self

PIECE = 65536


class Relay:
    """Forwards TCP connections to the port `target` of this machine, while it is whole."""

    def __init__(self, target: int, bytes_per_second: float = float("inf")) -> None:
        self._target = target
        self._bytes_per_second = bytes_per_second
        self._whole = True
        self._connections: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}
        self._server: asyncio.Server | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        listener = socket.socket()
        # Connections inherit it. Left alone, the kernel would take in megabytes at once, and a
        # slow line would look fast to whoever sends.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PIECE)
        listener.bind(("127.0.0.1", 0))
        self._server = await asyncio.start_server(self._accept, sock=listener)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.gather(*self._connections)

    def cut(self) -> None:
        """Break every connection, and each new one as soon as it is made."""
        self._whole = False
        for writers in self._connections.values():
            for writer in writers:
                writer.transport.abort()

    def mend(self) -> None:
        """Let new connections through again."""
        self._whole = True

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = [writer]
        try:
            if self._whole:
                await self._connect(reader, writer, self._connections[task])
        except* OSError:
            pass  # One end has gone; below goes the other.
        finally:
            del self._connections[task]
            writer.transport.abort()

    async def _connect(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        writers: list[asyncio.StreamWriter],
    ) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        with ExitStack() as stack:
            stack.callback(far_writer.transport.abort)
            writers.append(far_writer)
            if not self._whole:
                return  # It was cut while we were connecting.
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, far_writer))
                group.create_task(self._pump(far_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(len(piece) / self._bytes_per_second)
        if writer.can_write_eof():
            writer.write_eof()
