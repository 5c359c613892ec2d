"""Acts that open and close quickly, so that one number is many things in turn."""

from __future__ import annotations

import asyncio
import random
import socket

from content import Checker, Content
from stage import Stage


async def reuse_descriptors(stage: Stage, draw: random.Random) -> None:
    """Socket pairs, each watched, lent to a transport or used directly, and closed again."""
    for _ in range(draw.randint(3, 12)):
        content = Content(stage.seed, next(stage.numbers), "down")
        left, right = socket.socketpair()
        for end in (left, right):
            end.setblocking(False)
        how = draw.choice((watch_reading, watch_writing, lend_to_transport, call_socket))
        try:
            await how(content, left, right, draw, stage)
            if draw.random() < 0.5:
                # Closed while something is there to be read, which nobody may hear of later.
                right.send(b"of nobody")
        except OSError:
            # `lend_to_transport` has closed them.
            assert how is lend_to_transport
        finally:
            left.close()
            right.close()


async def watch_reading(
    content: Content, left: socket.socket, right: socket.socket, draw: random.Random, _: Stage
) -> None:
    """Read by add_reader."""
    loop, total = asyncio.get_running_loop(), draw.randint(1, 20_000)
    checker, done = Checker(content, total), loop.create_future()

    def readable() -> None:
        # A late call for a number that now is another socket's fails here or in the checker.
        assert not done.done(), "a reader was called after it was removed"
        checker.feed(left.recv(draw.randint(1, 5000)))
        if checker.offset == total:
            loop.remove_reader(left)
            done.set_result(None)

    loop.add_reader(left, readable)
    await loop.sock_sendall(right, content.at(0, total))
    await done


async def watch_writing(
    content: Content, left: socket.socket, right: socket.socket, draw: random.Random, _: Stage
) -> None:
    """Write by add_writer."""
    loop, total = asyncio.get_running_loop(), draw.randint(1, 20_000)
    checker, sent = Checker(content, total), 0

    def writable() -> None:
        nonlocal sent
        assert sent < total, "a writer was called after it was removed"
        sent += left.send(content.at(sent, min(draw.randint(1, 5000), total - sent)))
        if sent == total:
            loop.remove_writer(left)

    loop.add_writer(left, writable)
    while checker.offset < total:
        checker.feed(await loop.sock_recv(right, 10_000))


async def lend_to_transport(
    content: Content, left: socket.socket, right: socket.socket, draw: random.Random, stage: Stage
) -> None:
    """Give both ends to transports."""
    total = draw.randint(1, 20_000)
    checker = Checker(content, total)
    reader, writer = await asyncio.open_connection(sock=left)
    _, other = await asyncio.open_connection(sock=right)
    for each in (writer, other):
        stage.peers.census.count(each.transport)
    other.write(content.at(0, total))
    if draw.random() < 0.7:
        other.close()
        while data := await reader.read(draw.randint(1, 30_000)):
            checker.feed(data)
        checker.end()
        writer.close()
    for each in (writer, other):
        each.transport.abort()
        await each.wait_closed()


async def call_socket(
    content: Content, left: socket.socket, right: socket.socket, draw: random.Random, _: Stage
) -> None:
    """sock_sendall and sock_recv, and a sock_recv that is cancelled."""
    loop, total = asyncio.get_running_loop(), draw.randint(1, 20_000)
    checker = Checker(content, total)
    abandoned = asyncio.ensure_future(loop.sock_recv(left, 1))
    await asyncio.sleep(0)
    abandoned.cancel()
    await asyncio.wait([abandoned])
    sending = asyncio.ensure_future(loop.sock_sendall(right, content.at(0, total)))
    while checker.offset < total:
        checker.feed(await loop.sock_recv(left, draw.randint(1, 10_000)))
    await sending
