"""However data is cut up on its way, it arrives whole and in order, both ways at once."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from loop_under_test import LONGEST_SECONDS, end, make_loop

# Sizes around the marks that matter: one byte, the read buffer, the socket's own buffer.
sizes = st.lists(
    st.one_of(
        st.integers(1, 64),
        st.integers(65_000, 66_000),
        st.integers(262_100, 262_200),
        st.integers(1, 600_000),
    ),
    min_size=1,
    max_size=8,
)
property_test = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    print_blob=True,
)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = make_loop()
    yield made
    end(made)


def pieces(seed: int, cuts: list[int]) -> list[bytes]:
    source = random.Random(seed)
    return [source.randbytes(cut) for cut in cuts]


async def send(writer: asyncio.StreamWriter, chunks: list[bytes], drain_every: int) -> None:
    for number, chunk in enumerate(chunks):
        if number % 3 == 2:
            writer.writelines([chunk[: len(chunk) // 2], chunk[len(chunk) // 2 :]])
        else:
            writer.write(chunk if number % 3 == 0 else bytearray(chunk))
        if number % drain_every == 0:
            await writer.drain()
    writer.write_eof()


async def receive(reader: asyncio.StreamReader, reads: list[int]) -> bytes:
    received = bytearray()
    number = 0
    while data := await reader.read(reads[number % len(reads)]):
        received += data
        number += 1
    return bytes(received)


async def exchange(
    there: list[bytes], back: list[bytes], reads: list[int], drain_every: int, buffer: int
) -> tuple[bytes, bytes]:
    left, right = socket.socketpair()
    for sock in (left, right):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
    left_reader, left_writer = await asyncio.open_connection(sock=left)
    right_reader, right_writer = await asyncio.open_connection(sock=right)
    results = await asyncio.gather(
        send(left_writer, there, drain_every),
        send(right_writer, back, drain_every),
        receive(right_reader, reads),
        receive(left_reader, reads),
    )
    for writer in (left_writer, right_writer):
        writer.close()
        await writer.wait_closed()
    return results[2], results[3]


@property_test
@given(
    seed=st.integers(0, 2**32),
    there=sizes,
    back=sizes,
    reads=st.lists(st.integers(1000, 300_000), min_size=1, max_size=4),
    drain_every=st.integers(1, 9),
    buffer=st.sampled_from([2048, 65_536, 1_000_000]),
)
@example(seed=0, there=[262_144], back=[262_144, 1], reads=[262_144], drain_every=1, buffer=65_536)
@example(seed=0, there=[1] * 500, back=[65_536] * 4, reads=[1], drain_every=9, buffer=2048)
def test_streams_carry_everything_in_order(
    loop: asyncio.AbstractEventLoop,
    seed: int,
    there: list[int],
    back: list[int],
    reads: list[int],
    drain_every: int,
    buffer: int,
) -> None:
    outward, homeward = pieces(seed, there), pieces(seed + 1, back)
    received = loop.run_until_complete(
        asyncio.wait_for(exchange(outward, homeward, reads, drain_every, buffer), LONGEST_SECONDS)
    )
    assert received == (b"".join(outward), b"".join(homeward))
