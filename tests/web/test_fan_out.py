"""Server-sent events for many clients at once, over real sockets, on our server and on another."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections.abc import AsyncIterator
from typing import Any

import pytest
from either_server import on_either_server, serving, until
from served import served
from wire import Wire

from hoopsnake.web import App, EventChannel, LocalBus, Request, Response, ServerSentEvent

PIECE = "x" * 16_000
KERNEL = 16 * 1024 * 1024
"""More than the sockets on both sides hold."""


def app_of(channel: EventChannel, first: Any = None) -> App:
    app = App()

    @app.get("/")
    async def news(request: Request) -> Response:
        return channel.response(request, {"x-channel": channel.name}, first=first)

    return app


async def next_event(wire: Wire) -> bytes:
    """Read the chunk of an event; no other may be in it."""
    size = int(await wire.reader.readuntil(b"\r\n"), 16)
    chunk = await wire.reader.readexactly(size + 2)
    if size == 0:
        return b""
    assert chunk.endswith(b"\n\n\r\n")
    return chunk[:-4]


async def following(wire: Wire, first: bytes = b":") -> None:
    """Ask for the events, and wait until they come."""
    await wire.get()
    answer = await wire.head()
    assert answer.one("content-type") == "text/event-stream"
    assert answer.one("x-channel") == "news"
    assert await next_event(wire) == first


@contextlib.asynccontextmanager
async def followers(server: Any, count: int, **options: int) -> AsyncIterator[list[Wire]]:
    async with contextlib.AsyncExitStack() as exits:
        wires = []
        for _ in range(count):
            wire = await exits.enter_async_context(await server.connect(**options))
            await following(wire)
            wires.append(wire)
        yield wires


@on_either_server
async def test_all_subscribers_are_sent_the_same_in_the_same_order(kind: str) -> None:
    channel = EventChannel("news")
    async with serving(app_of(channel), kind) as server, followers(server, 3) as wires:
        await until(lambda: len(channel) == 3)
        assert repr(channel) == "<EventChannel 'news' to 3>"
        for number in range(50):
            assert await channel.publish(ServerSentEvent(data={"n": number}, id=f"{number}")) == 3
        await channel.publish("two\nlines")
        for wire in wires:
            for number in range(50):
                assert await next_event(wire) == b'id: %d\ndata: {"n":%d}' % (number, number)
            assert await next_event(wire) == b"data: two\ndata: lines"
        channel.close()
        for wire in wires:
            assert await next_event(wire) == b""
        # The connection is as good as before.
        await following(wires[0])
    assert channel.dropped == 0


@on_either_server
async def test_who_goes_is_no_subscriber_any_more(kind: str) -> None:
    channel = EventChannel("news")
    async with serving(app_of(channel), kind) as server, followers(server, 3) as wires:
        await until(lambda: len(channel) == 3)
        wires[0].vanish()
        wires[1].vanish()
        await until(lambda: len(channel) == 1)
        assert await channel.publish("left") == 1
        assert await next_event(wires[2]) == b"data: left"
        channel.close()
        assert len(channel) == 0


@on_either_server
async def test_a_subscriber_may_be_told_something_first(kind: str) -> None:
    channel = EventChannel("news")
    first = ServerSentEvent(event="state", data=[1, 2])
    async with serving(app_of(channel, first), kind) as server, await server.connect() as wire:
        await following(wire, b"event: state\ndata: [1,2]")
        channel.close()


@on_either_server
async def test_what_is_told_first_is_the_state_in_the_moment_of_joining(kind: str) -> None:
    class Gate(LocalBus):
        """A bus that takes its time until the door is opened."""

        def __init__(self) -> None:
            super().__init__()
            self.asked, self.door = asyncio.Event(), asyncio.Event()

        async def subscribe(self, topic: str, receiver: Any) -> Any:
            self.asked.set()
            await self.door.wait()
            return await super().subscribe(topic, receiver)

    gate, state = Gate(), {"n": 0}
    channel = EventChannel("news", bus=gate)
    calls = []

    def now() -> dict[str, int]:
        calls.append(len(channel))
        return state

    async with serving(app_of(channel, now), kind) as server, await server.connect() as wire:
        following_it = asyncio.ensure_future(following(wire, b'data: {"n":1}'))
        await gate.asked.wait()
        assert calls == []
        # Told to nobody: whoever comes sees it in the state.
        state["n"] = 1
        await channel.publish("one")
        gate.door.set()
        await following_it
        assert calls == [0]
        await channel.publish("two")
        assert await next_event(wire) == b"data: two"
        channel.close()


async def test_a_first_event_that_fails_leaves_nobody_in_the_channel() -> None:
    bus = LocalBus()
    channel = EventChannel("news", bus=bus)

    def broken() -> None:
        raise RuntimeError("no state")

    async with served(app_of(channel, broken), faulty=True) as server:
        assert (await server.get()).status == 500
        assert "no state" in server.log.text
        assert len(channel) == 0 and bus.topics == ()


async def test_a_head_is_answered_and_ends() -> None:
    channel = EventChannel("news")
    async with serving(app_of(channel)) as server, await server.connect() as wire:
        await wire.get(method="HEAD")
        answer = await wire.answer("HEAD")
        assert answer.status == 200
        await following(wire)
        assert len(channel) == 1


@on_either_server
async def test_a_slow_subscriber_misses_events_until_it_has_caught_up(kind: str) -> None:
    channel = EventChannel("news", slow="drop", queue_bytes=100_000)
    async with serving(app_of(channel), kind) as server, followers(server, 1) as [quick]:
        async with followers(server, 1, receive_buffer=8192, read_ahead=8192) as [slow]:
            await until(lambda: len(channel) == 2)
            number = 0
            while channel.dropped < 20:
                await channel.publish(f"{number} {PIECE}")
                assert (await next_event(quick)).startswith(b"data: %d " % number)
                number += 1
                assert number * len(PIECE) < KERNEL
            for expected in range(number - 20):
                assert (await next_event(slow)).startswith(b"data: %d " % expected)
            assert await channel.publish("now") == 2
            assert await next_event(slow) == b"data: now"
        channel.close()


async def test_a_slow_subscriber_is_cut_off() -> None:
    channel = EventChannel("news", slow="disconnect", queue_bytes=100_000)
    async with serving(app_of(channel)) as server, followers(server, 1) as [quick]:
        async with followers(server, 1, receive_buffer=8192, read_ahead=8192) as [slow]:
            await until(lambda: len(channel) == 2)
            sent = 0
            while len(channel) == 2:
                await channel.publish(PIECE)
                assert (await next_event(quick)).startswith(b"data: x")
                sent += len(PIECE)
                assert sent < KERNEL
            assert channel.dropped == 1
            with pytest.raises(asyncio.IncompleteReadError):
                while await next_event(slow):
                    pass
        assert await channel.publish("still here") == 1


@on_either_server
async def test_a_slow_subscriber_makes_the_others_wait_and_nobody_misses_one(kind: str) -> None:
    channel = EventChannel("news", slow="wait", queue_bytes=100_000)
    told, total = 0, KERNEL // len(PIECE)

    async def tell() -> None:
        nonlocal told
        while told < total:
            await channel.publish(f"{told} {PIECE}")
            told += 1

    async def hear(wire: Wire) -> None:
        for expected in range(total):
            assert (await next_event(wire)).startswith(b"data: %d " % expected)

    async with serving(app_of(channel), kind) as server, followers(server, 1) as [quick]:
        async with followers(server, 1, receive_buffer=8192, read_ahead=8192) as [slow]:
            await until(lambda: len(channel) == 2)
            telling = asyncio.ensure_future(tell())
            hearing = asyncio.ensure_future(hear(quick))
            before = -1
            while before != told or not told:
                before = told
                await asyncio.sleep(0.1)
            assert 0 < told < total
            await hear(slow)
            await asyncio.gather(telling, hearing)
        channel.close()
    assert channel.dropped == 0


async def test_a_thousand_subscribers() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 4096), hard), hard))
    channel = EventChannel("news")
    async with serving(app_of(channel)) as server, followers(server, 1000) as wires:
        await until(lambda: len(channel) == 1000)
        for number in range(3):
            assert await channel.publish(number) == 1000
        for wire in wires:
            assert [await next_event(wire) for _ in range(3)] == [b"data: %d" % n for n in range(3)]
        for wire in wires[::2]:
            wire.vanish()
        await until(lambda: len(channel) == 500)
    assert len(channel) == 0


@on_either_server
async def test_silence_is_broken_by_a_comment(kind: str) -> None:
    channel = EventChannel("news", ping=0.01)
    async with serving(app_of(channel), kind) as server, followers(server, 2) as wires:
        for wire in wires:
            assert [await next_event(wire) for _ in range(3)] == [b": ping"] * 3
        channel.close()


async def test_streams_end_in_order_when_the_server_stops() -> None:
    channel = EventChannel("news")
    async with serving(app_of(channel)) as server, followers(server, 2) as wires:
        await channel.publish("last words")
        server.stop()
        for wire in wires:
            assert await next_event(wire) == b"data: last words"
            assert await next_event(wire) == b""
        await server.ended()
        assert len(channel) == 0
        assert "Cancelling" not in server.log.text


async def test_channels_of_one_name_are_one_over_a_bus() -> None:
    bus = LocalBus()
    here, there = EventChannel("news", bus=bus), EventChannel("news", bus=bus)
    async with (
        serving(app_of(here)) as server,
        serving(app_of(there)) as twin,
        followers(server, 1) as ours,
        followers(twin, 1) as theirs,
    ):
        await until(lambda: (len(here), len(there)) == (1, 1))
        assert await here.publish("for both") is None
        for wire in ours + theirs:
            assert await next_event(wire) == b"data: for both"
    assert bus.topics == ()
