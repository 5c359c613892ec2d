"""pyzmq's asyncio sockets: the descriptor that ZeroMQ signals on is watched by add_reader.

That descriptor tells of changes only, and pyzmq asks for more than it tells by `call_later`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

pytest.importorskip("zmq")
import zmq
import zmq.asyncio

LARGE = 2_000_000


@asynccontextmanager
async def a_context() -> AsyncIterator[zmq.asyncio.Context]:
    """A context whose sockets are closed while the loop still runs."""
    made = zmq.asyncio.Context()
    try:
        yield made
    finally:
        made.destroy(linger=0)


def pair(
    context: zmq.asyncio.Context, bound: int, connected: int
) -> tuple[zmq.asyncio.Socket, zmq.asyncio.Socket]:
    """Two sockets of these kinds, joined over TCP."""
    server, client = context.socket(bound), context.socket(connected)
    port = server.bind_to_random_port("tcp://127.0.0.1")
    client.connect(f"tcp://127.0.0.1:{port}")
    return server, client


async def test_requests_are_answered_in_turn() -> None:
    async with a_context() as context:
        server, client = pair(context, zmq.REP, zmq.REQ)

        async def answer() -> None:
            while (question := await server.recv()) != b"end":
                await server.send(question[::-1])
            await server.send(b"ended")

        answering = asyncio.create_task(answer())
        for question in (b"abc", b"", os.urandom(LARGE), *(b"%d" % n for n in range(300))):
            await client.send(question)
            assert await client.recv() == question[::-1]
        await client.send(b"end")
        assert await client.recv() == b"ended"
        await answering


async def test_a_burst_of_messages_arrives_in_order() -> None:
    async with a_context() as context:
        receiver, sender = pair(context, zmq.PULL, zmq.PUSH)
        sending = asyncio.create_task(send_numbers(sender, 20_000))
        received = [int(await receiver.recv()) for _ in range(20_000)]
        await sending
        assert received == list(range(20_000))


async def send_numbers(sender: zmq.asyncio.Socket, count: int) -> None:
    for number in range(count):
        await sender.send(b"%d" % number)


async def test_subscribers_hear_their_topics_alone() -> None:
    async with a_context() as context:
        publisher, subscriber = pair(context, zmq.XPUB, zmq.SUB)
        subscriber.subscribe(b"even ")
        assert await publisher.recv() == b"\x01even "  # only now does the publisher know
        for number in range(200):
            topic = b"odd" if number % 2 else b"even"
            await publisher.send_multipart([topic + b" ", b"%d" % number])
        heard = [int((await subscriber.recv_multipart())[1]) for _ in range(100)]
        assert heard == list(range(0, 200, 2))


async def test_a_poll_tells_what_is_there_and_gives_up_in_time() -> None:
    async with a_context() as context:
        first, first_client = pair(context, zmq.PAIR, zmq.PAIR)
        second, second_client = pair(context, zmq.PAIR, zmq.PAIR)
        poller = zmq.asyncio.Poller()
        for socket in (first, second):
            poller.register(socket, zmq.POLLIN)
        assert await poller.poll(timeout=10) == []
        waiting = poller.poll()
        await second_client.send(b"here")
        assert await waiting == [(second, zmq.POLLIN)]
        assert await second.recv() == b"here"
        assert await first.poll(10) == 0
        await first_client.send(b"and here")
        assert await first.poll(10_000) == zmq.POLLIN
        assert await first.recv() == b"and here"


async def test_a_cancelled_receive_loses_no_message() -> None:
    async with a_context() as context:
        receiver, sender = pair(context, zmq.PULL, zmq.PUSH)
        await sender.send(b"joined")
        assert await receiver.recv() == b"joined"
        for number in range(50):
            receiving = receiver.recv()
            await asyncio.sleep(0)
            receiving.cancel()
            await sender.send(b"%d" % number)
            assert await receiver.recv() == b"%d" % number


async def test_a_timeout_of_a_socket_is_its_own_error() -> None:
    async with a_context() as context:
        receiver, sender = pair(context, zmq.PULL, zmq.PUSH)
        receiver.rcvtimeo = 10
        with pytest.raises(zmq.Again):
            await receiver.recv()
        receiver.rcvtimeo = -1
        await sender.send(b"late")
        assert await receiver.recv() == b"late"


async def test_many_clients_are_told_apart() -> None:
    async with a_context() as context:
        router = context.socket(zmq.ROUTER)
        port = router.bind_to_random_port("tcp://127.0.0.1")

        async def ask(number: int) -> bytes:
            with context.socket(zmq.DEALER) as client:
                client.connect(f"tcp://127.0.0.1:{port}")
                await client.send(b"%d" % number)
                return await client.recv()

        async def answer() -> None:
            for _ in range(50):
                identity, question = await router.recv_multipart()
                await router.send_multipart([identity, b"to " + question])

        answering = asyncio.create_task(answer())
        answers = await asyncio.gather(*(ask(number) for number in range(50)))
        await answering
        assert answers == [b"to %d" % number for number in range(50)]


async def test_messages_between_threads_of_one_process() -> None:
    async with a_context() as context:
        receiver = context.socket(zmq.PULL)
        receiver.bind("inproc://numbers")

        def work() -> None:
            with zmq.Context.shadow(context.underlying).socket(zmq.PUSH) as sender:
                sender.connect("inproc://numbers")
                for number in range(1000):
                    sender.send(b"%d" % number)

        working = asyncio.create_task(asyncio.to_thread(work))
        assert [int(await receiver.recv()) for _ in range(1000)] == list(range(1000))
        await working
