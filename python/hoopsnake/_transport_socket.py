"""The socket that a transport shows: what it does comes behind what the transport has written."""

from __future__ import annotations

import asyncio
import socket
import weakref
from asyncio import trsock


class TransportSocket(trsock.TransportSocket):
    """asyncio's view of a socket, which knows that its transport may hold output back."""

    __slots__ = ("_transport",)

    def __init__(self, sock: socket.socket, transport: asyncio.WriteTransport) -> None:
        super().__init__(sock)
        self._transport = weakref.ref(transport)

    def shutdown(self, how: int) -> None:
        """Shut down the connection's halves, once what is held back was sent."""
        transport = self._transport()
        if transport is not None:
            transport.get_write_buffer_size()
        super().shutdown(how)
