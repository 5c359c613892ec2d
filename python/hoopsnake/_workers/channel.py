"""The two ends of what a supervisor and a worker talk over: a pair of sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

from hoopsnake._workers.messages import Heartbeat, Message, decode, encode

__all__ = ["Channel"]

# Bytes of the longest message: an answer may be a page of metrics.
_LONGEST_LINE = 64 * 1024 * 1024


class Channel:
    """Messages to the other end and from it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, sock: socket.socket) -> Channel:
        """Make an end of a connected socket, which it takes over."""
        return cls(*await asyncio.open_unix_connection(sock=sock, limit=_LONGEST_LINE))

    def send(self, message: Message) -> None:
        """Send a message, if anybody is there; without waiting."""
        if self._writer.is_closing():
            return
        behind = self._writer.transport.get_write_buffer_size() > 0
        if behind and isinstance(message, Heartbeat):
            # The other end does not read: a later sign of life says as much.
            return
        self._writer.write(encode(message))

    async def messages(self) -> AsyncIterator[Message]:
        """Yield what the other end says until it ends."""
        while True:
            try:
                line = await self._reader.readline()
            except (ConnectionError, ValueError):
                return
            if not line.endswith(b"\n"):
                return
            yield decode(line)

    def close(self) -> None:
        """End the conversation."""
        self._writer.close()
