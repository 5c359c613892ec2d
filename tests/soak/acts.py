"""What the workers of the soak do, one act after the other; each ends with a check of its own."""

from __future__ import annotations

import asyncio
import random
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from content import Checker, Content
from conversations import AT_ONCE, End, Shared
from descriptor_acts import reuse_descriptors
from peers import tar_pit
from plans import plan_of
from stage import Stage

ECHOED = 30_000
LONGEST_ABANDONED_SECONDS = 0.02
# asyncio lets a timer fire as early as its clock can tell.
CLOCK_RESOLUTION = max(time.get_clock_info("monotonic").resolution, 1e-6)

Act = Callable[[Stage, random.Random], Awaitable[None]]


async def converse(stage: Stage, _draw: random.Random) -> None:
    """A connection from beginning to end, or until one side leaves."""
    plan = plan_of(stage.seed, next(stage.numbers))
    shared = stage.peers.shared[plan.number] = Shared(plan)
    try:
        reader, writer = await stage.peers.connect(plan)
        writer.write(Content(stage.seed, plan.number, "up").hello())
        if plan.route == "upgraded":
            await stage.peers.upgrade(reader, writer)
        await End(stage.seed, shared, "client", reader, writer).converse()
        await shared.server_ended.wait()
    except BaseException as error:
        error.add_note(f"at the client's end of {plan}")
        raise
    finally:
        shared.left.set()
        del stage.peers.shared[plan.number]


async def echo(stage: Stage, draw: random.Random) -> None:
    """Pieces to a protocol that writes them back while it is called."""
    content = Content(stage.seed, next(stage.numbers), "up")
    total = draw.randint(1, ECHOED)
    checker = Checker(content, total)
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.peers.echo_port)
    stage.peers.census.count(writer.transport)
    sent = 0
    while sent < total:
        for _ in range(draw.randint(1, 5)):
            length = min(draw.randint(1, 4000), total - sent)
            writer.write(content.at(sent, length))
            sent += length
        checker.feed(await reader.read(draw.choice((10, 1000, 100_000))))
    if draw.random() < 0.5:
        writer.write_eof()
        while data := await reader.read(65_536):
            checker.feed(data)
        checker.end()
    elif draw.random() < 0.5:
        # Gone with the echo on its way.
        writer.transport.abort()
    writer.close()
    await writer.wait_closed()


async def knock(stage: Stage, draw: random.Random) -> None:
    """Connect and go without a whole hello, in one way or another."""
    plan = plan_of(stage.seed, next(stage.numbers))
    _, writer = await stage.peers.connect(plan)
    writer.write(Content(stage.seed, plan.number, "up").at(0, draw.choice((0, 1, 60))))
    for _ in range(draw.randrange(3)):
        await asyncio.sleep(0)
    if draw.random() < 0.5:
        connected: socket.socket = writer.get_extra_info("socket")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    if draw.random() < 0.5:
        writer.transport.abort()
    writer.close()
    try:
        await writer.wait_closed()
    except ConnectionError:
        pass


async def abandon_connect(stage: Stage, draw: random.Random) -> None:
    """Cancel a connect wherever it is: in the queue, in the handshake, or done just now."""
    where = draw.choice(("peer", "peer", "mute", "pit"))
    if where == "pit":
        with tar_pit() as address:
            await cancelled_soon(asyncio.open_connection(*address), draw)
    elif where == "mute":
        opening = asyncio.open_connection(
            "127.0.0.1",
            stage.peers.mute_port,
            ssl=stage.peers.client_tls,
            server_hostname="localhost",
        )
        await cancelled_soon(opening, draw)
    else:
        plan = plan_of(stage.seed, next(stage.numbers))
        await cancelled_soon(stage.peers.connect(plan), draw)


async def cancelled_soon(opening: Any, draw: random.Random) -> None:
    """Cancel it after a few turns or milliseconds, and close what it opened before."""
    task = asyncio.ensure_future(opening)
    if draw.random() < 0.7:
        for _ in range(draw.randrange(6)):
            await asyncio.sleep(0)
    else:
        await asyncio.wait([task], timeout=draw.random() * LONGEST_ABANDONED_SECONDS)
    task.cancel()
    try:
        _, writer = await task
    except (asyncio.CancelledError, ConnectionError):
        return
    writer.transport.abort()
    writer.close()


async def refused(_stage: Stage, _draw: random.Random) -> None:
    """Connect to where nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        try:
            await asyncio.open_connection(*bound.getsockname())
        except ConnectionRefusedError:
            return
    raise AssertionError("a connection was made to a port where nobody listens")


async def timers(_stage: Stage, draw: random.Random) -> None:
    """Timers of which some are cancelled: the others fire, once, in time and in order."""
    loop, fired = asyncio.get_running_loop(), []
    began = loop.time()
    whens = {number: began + draw.random() * 0.05 for number in range(draw.randint(1, 40))}
    handles = {
        number: loop.call_at(when, lambda number=number: fired.append((number, loop.time())))
        for number, when in whens.items()
    }
    cancelled = {number for number in whens if draw.random() < 0.5}
    for number in cancelled:
        handles[number].cancel()
    await asyncio.sleep(0.06)
    while len(fired) < len(whens) - len(cancelled):
        await asyncio.sleep(0.002)
    numbers = [number for number, _ in fired]
    assert sorted(numbers) == sorted(set(whens) - cancelled), "a timer fired twice or for nothing"
    early = [number for number, at in fired if at < whens[number] - CLOCK_RESOLUTION]
    assert not early, f"timers fired before their time: {early}"


async def executor_jobs(stage: Stage, draw: random.Random) -> None:
    """Work in threads, some of which nobody waits for any more."""
    loop = asyncio.get_running_loop()
    contents = [Content(stage.seed, next(stage.numbers), "up") for _ in range(draw.randint(1, 5))]
    jobs = [loop.run_in_executor(None, content.at, 0, 5000) for content in contents]
    if draw.random() < 0.5:
        jobs.pop().cancel()
    for content, data in zip(contents, await asyncio.gather(*jobs), strict=False):
        assert data == content.at(0, 5000), "a thread's result went to another waiter"


async def datagrams(stage: Stage, draw: random.Random) -> None:
    """Datagrams between two endpoints of their own."""
    loop = asyncio.get_running_loop()
    content = Content(stage.seed, next(stage.numbers), "up")
    count = draw.randint(1, 10)
    received: asyncio.Queue[bytes] = asyncio.Queue()

    class Receiving(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, _address: Any) -> None:
            received.put_nowait(data)

    into, _ = await loop.create_datagram_endpoint(Receiving, local_addr=("127.0.0.1", 0))
    address = into.get_extra_info("sockname")
    out, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=address)
    for each in (into, out):
        stage.peers.census.count(each)
    try:
        for number in range(count):
            out.sendto(content.at(number * 500, 500))
        for number in range(count):
            assert await received.get() == content.at(number * 500, 500), "a wrong datagram"
    finally:
        for each in (into, out):
            each.abort() if draw.random() < 0.5 else each.close()


# Before 3.13 the standard library's kill() may wait for the child itself; the status is lost then,
# and told as 255.
ENDINGS = (0, -9) if sys.version_info >= (3, 13) else (0, -9, 255)


async def subprocesses(stage: Stage, draw: random.Random) -> None:
    """A process that echoes, or one that is killed, or one whose reader is cancelled."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec("cat", stdin=pipe, stdout=pipe)
    content = Content(stage.seed, next(stage.numbers), "up")
    data = content.at(0, draw.choice((0, 100, 200_000)))
    fate = draw.choice(("read", "killed", "cancelled"))
    if fate == "read":
        out, _ = await process.communicate(data)
        assert out == data, "a process echoed other bytes"
        assert process.returncode == 0
        return
    talking = asyncio.ensure_future(process.communicate(data))
    for _ in range(draw.randrange(4)):
        await asyncio.sleep(0)
    if fate == "cancelled":
        talking.cancel()
    if not talking.done():
        try:
            process.kill()
        except ProcessLookupError:
            pass
    await asyncio.wait([talking])
    status = await process.wait()
    assert status in ENDINGS, f"a process whose reader was {fate} ended with {status}"


ACTS: dict[Act, float] = {
    converse: 40,
    echo: 12,
    knock: 8,
    abandon_connect: 14,
    refused: 2,
    reuse_descriptors: 12,
    timers: 4,
    executor_jobs: 4,
    datagrams: 3,
    subprocesses: 0.7,
}
