"""Requests cancelled at any point leave nothing behind: no connection, stream, slot or task."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from typing import ClassVar, cast

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset
from scripted_server import ScriptedServer, scripted

import hoopsnake

# `make soak` asks for 50,000 over each protocol.
REQUESTS = int(os.environ.get("STORM_REQUESTS", "3000"))
LONGEST = 0.004
# How many of each kind there are is the machine's doing; that there are some is the test's.
SOME = REQUESTS // 100


async def slow(
    server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer in pieces, with pauses, so that a cancellation may fall anywhere."""
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        await server.body(head, reader)
        await asyncio.sleep(0.0005)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 20000\r\n\r\n")
        for _ in range(4):
            writer.write(b"x" * 5000)
            await writer.drain()
            await asyncio.sleep(0)


class CountingProtocol(asyncio.Protocol):
    """A server of HTTP/2 by the library h2, which counts streams: begun, ended, reset."""

    counts: ClassVar[Counter[str]] = Counter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.http2 = H2Connection(H2Configuration(client_side=False))
        self.left: dict[int, int] = {}
        self.http2.initiate_connection()
        self.send()

    def send(self) -> None:
        self.transport.write(self.http2.data_to_send())

    def data_received(self, data: bytes) -> None:
        for event in self.http2.receive_data(data):
            if isinstance(event, RequestReceived):
                self.counts["begun"] += 1
            elif isinstance(event, DataReceived):
                self.http2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded):
                self.left[event.stream_id] = 20_000
                asyncio.get_running_loop().call_later(0.0005, self.answer, event.stream_id)
            elif isinstance(event, StreamReset):
                self.left.pop(event.stream_id, None)
                self.counts["reset"] += 1
        self.send()

    def answer(self, stream: int) -> None:
        """Send a piece of the answer, and the next one a turn later."""
        if stream not in self.left or self.transport.is_closing():
            return
        if self.left[stream] == 20_000:
            self.http2.send_headers(stream, [(":status", "200")])
        room = min(5000, self.left[stream], self.http2.local_flow_control_window(stream))
        self.left[stream] -= room
        over = self.left[stream] == 0
        self.http2.send_data(stream, b"x" * room, end_stream=over)
        self.send()
        if over:
            del self.left[stream]
            self.counts["ended"] += 1
        else:
            asyncio.get_running_loop().call_soon(self.answer, stream)


async def storm(client: hoopsnake.Client, url: str, choice: random.Random) -> tuple[int, int]:
    """Send requests of all kinds and cancel some; tell how many were whole, and how many not."""
    whole = cancelled = 0

    async def one() -> None:
        nonlocal whole
        kind = choice.randrange(4)
        if kind == 0:
            got = await client.get(url)
            assert len(got.content) == 20000
        elif kind == 1:
            got = await client.post(url, content=b"y" * choice.choice([1, 100_000]))
            assert len(got.content) == 20000
        elif kind == 2:
            async with client.stream("GET", url) as got:
                async for _ in got.aiter_bytes():
                    if choice.random() < 0.2:
                        break
        else:

            async def pieces():  # type: ignore[no-untyped-def]
                for _ in range(3):
                    yield b"z" * 3000
                    await asyncio.sleep(0)

            await client.post(url, content=pieces())
        whole += 1

    async def some(number: int) -> None:
        nonlocal cancelled
        for _ in range(number):
            task = asyncio.ensure_future(one())
            if choice.random() < 0.6:
                pause = choice.choice([0.0, choice.random() * LONGEST])
                await asyncio.sleep(pause)
                task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                cancelled += 1

    await asyncio.gather(*[some(REQUESTS // 20) for _ in range(20)])
    return whole, cancelled


async def settled(client: hoopsnake.Client) -> None:
    """Wait until no request is at work, and everything that is open is idle."""
    while True:
        stats = client.stats()
        if (stats.open, stats.streams, stats.waiting) == (stats.idle, 0, 0):
            return
        await asyncio.sleep(0.001)


@pytest.mark.timeout(600)
def test_a_storm_over_http1_leaves_nothing() -> None:
    async def main() -> None:
        seed = int(os.environ.get("STORM_SEED") or random.randrange(2**32))
        print(f"seed {seed}")
        limits = hoopsnake.Limits(max_connections=8)
        before = len(asyncio.all_tasks())
        async with scripted(slow) as server:
            client = hoopsnake.Client(limits=limits, timeout=30)
            whole, cancelled = await storm(client, server.url, random.Random(seed))
            assert min(whole, cancelled) > SOME
            await settled(client)
            assert client.stats().open <= 8
            assert len((await client.get(server.url)).content) == 20000
            await client.aclose()
            while server.tasks:
                await asyncio.sleep(0.001)
        assert client.stats()[2:] == (0, 0, 0, 0)
        assert len(asyncio.all_tasks()) == before

    hoopsnake.run(main())


@pytest.mark.timeout(600)
def test_a_storm_over_http2_leaves_nothing() -> None:
    async def main() -> None:
        seed = int(os.environ.get("STORM_SEED") or random.randrange(2**32))
        print(f"seed {seed}")
        CountingProtocol.counts.clear()
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(CountingProtocol, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"
        limits = hoopsnake.Limits(max_connections=2, max_streams=8)
        client = hoopsnake.Client(limits=limits, timeout=30, http1=False)
        whole, cancelled = await storm(client, url, random.Random(seed))
        assert min(whole, cancelled) > SOME
        await settled(client)
        counts = CountingProtocol.counts
        while counts["begun"] != counts["ended"] + counts["reset"]:
            await asyncio.sleep(0.001)
        assert counts["reset"] > SOME
        assert client.stats().opened == client.stats().open <= 2
        assert len((await client.get(url)).content) == 20000
        await client.aclose()
        listener.close()

    hoopsnake.run(main())
