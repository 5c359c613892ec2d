"""Servers of HTTP/2 that say goodbye or refuse: requests that were not served are sent again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Literal, cast

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import RequestReceived

import hoopsnake

Manner = Literal["goodbye", "refusal", "reset", "garbage"]


class Leaving(asyncio.Protocol):
    """Serves the first request of a connection, and the second in some manner of its own."""

    manner: Manner = "goodbye"
    connections = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        type(self).connections += 1
        self.transport = cast("asyncio.Transport", transport)
        self.http2 = H2Connection(H2Configuration(client_side=False))
        self.http2.initiate_connection()
        self.transport.write(self.http2.data_to_send())
        self.served = 0

    def data_received(self, data: bytes) -> None:
        for event in self.http2.receive_data(data):
            if isinstance(event, RequestReceived):
                self.served += 1
                self.answer(event.stream_id)
        self.transport.write(self.http2.data_to_send())

    def answer(self, stream: int) -> None:
        if self.served == 1:
            self.http2.send_headers(stream, [(":status", "200")])
            self.http2.send_data(stream, b"hello", end_stream=True)
        elif self.manner == "goodbye":
            self.http2.close_connection(ErrorCodes.NO_ERROR, last_stream_id=1)
        elif self.manner == "garbage":
            self.transport.write(b"\x00" * 3 + b"\xff" * 60)
        else:
            refused = self.manner == "refusal"
            code = ErrorCodes.REFUSED_STREAM if refused else ErrorCodes.INTERNAL_ERROR
            self.http2.reset_stream(stream, code)


@contextlib.asynccontextmanager
async def leaving(manner: Manner) -> AsyncIterator[str]:
    """Serve in this manner."""
    Leaving.manner, Leaving.connections = manner, 0
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(Leaving, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"
    listener.close()


async def test_a_goodbye_costs_no_request() -> None:
    async with leaving("goodbye") as url, hoopsnake.Client(http1=False) as client:
        for _ in range(5):
            assert (await client.get(url)).content == b"hello"
        assert Leaving.connections == 5


async def test_a_stream_that_was_refused_is_sent_again_and_given_up_in_the_end() -> None:
    async with leaving("refusal") as url, hoopsnake.Client(http1=False) as client:
        assert (await client.post(url, content=b"x")).content == b"hello"
        with pytest.raises(hoopsnake.RemoteProtocolError, match=r"refused.*read phase"):
            await client.post(url, content=b"x")
        assert Leaving.connections == 1


@pytest.mark.parametrize("manner", ["reset", "garbage"])
async def test_what_goes_wrong_in_another_way_is_told(manner: Manner) -> None:
    async with leaving(manner) as url, hoopsnake.Client(http1=False) as client:
        assert (await client.get(url)).content == b"hello"
        with pytest.raises(hoopsnake.TransportError):
            await client.get(url)
        assert client.stats()[4:] == (0, 0)
