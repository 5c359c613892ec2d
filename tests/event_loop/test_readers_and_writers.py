"""add_reader and add_writer: level-triggered, replaceable, and sure of whose descriptor it is."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from asyncio import AbstractEventLoop
from collections.abc import Iterator

import pytest
from loop_under_test import Reports, Run
from recording_protocol import connected_pair

Sockets = tuple[socket.socket, socket.socket]


@pytest.fixture
def sockets() -> Iterator[Sockets]:
    left, right = socket.socketpair()
    left.setblocking(False)
    right.setblocking(False)
    with left, right:
        yield left, right


def turns(loop: AbstractEventLoop, count: int = 5) -> None:
    """Let the loop look at its descriptors several times."""
    for _ in range(count):
        loop.stop()
        loop.run_forever()


def test_a_reader_is_called_with_its_arguments(loop: AbstractEventLoop, sockets: Sockets) -> None:
    left, right = sockets
    seen: list[tuple[bytes, str, int]] = []

    def readable(name: str, number: int) -> None:
        seen.append((right.recv(10), name, number))
        loop.stop()

    loop.add_reader(right, readable, "name", 7)
    loop.call_soon(left.send, b"data")
    loop.run_forever()
    assert seen == [(b"data", "name", 7)]
    assert loop.remove_reader(right)
    assert not loop.remove_reader(right)


def test_a_partial_read_is_told_again(loop: AbstractEventLoop, sockets: Sockets) -> None:
    left, right = sockets
    left.send(b"0123456789")
    seen: list[bytes] = []

    def read_one() -> None:
        seen.append(right.recv(1))
        if len(seen) == 10:
            loop.stop()

    loop.add_reader(right, read_one)
    loop.run_forever()
    loop.remove_reader(right)
    assert b"".join(seen) == b"0123456789"


def test_a_reader_that_does_not_read_is_told_again_and_starves_nobody(
    loop: AbstractEventLoop, sockets: Sockets
) -> None:
    left, right = sockets
    left.send(b"never read")
    told = 0

    def ignore() -> None:
        nonlocal told
        told += 1

    loop.add_reader(right, ignore)
    # A timer and a chain of callbacks both get their turns in between.
    chain = loop.run_until_complete(asyncio.sleep(0.005, "timer"))
    loop.remove_reader(right)
    assert chain == "timer"
    assert told >= 2


def test_a_writer_is_told_while_there_is_room(loop: AbstractEventLoop, sockets: Sockets) -> None:
    left, right = sockets
    left.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    payload = memoryview(os.urandom(300_000))
    received = bytearray()
    sent = 0

    def write() -> None:
        nonlocal sent
        sent += left.send(payload[sent:])
        if sent == len(payload):
            loop.remove_writer(left)

    def read() -> None:
        received.extend(right.recv(65536))
        if len(received) == len(payload):
            loop.stop()

    loop.add_writer(left, write)
    loop.add_reader(right, read)
    loop.run_forever()
    assert received == payload
    assert not loop.remove_writer(left)
    assert loop.remove_reader(right)


def test_one_descriptor_has_a_reader_and_a_writer(
    loop: AbstractEventLoop, sockets: Sockets
) -> None:
    left, right = sockets
    calls: list[str] = []
    loop.add_reader(right, lambda: (calls.append("read"), right.recv(10)))
    loop.add_writer(right, lambda: (calls.append("write"), loop.remove_writer(right)))
    turns(loop)
    assert calls == ["write"]
    left.send(b"data")
    turns(loop)
    assert calls == ["write", "read"]
    # Taking one away leaves the other.
    loop.add_writer(right, lambda: calls.append("second"))
    assert loop.remove_writer(right)
    left.send(b"data")
    turns(loop)
    assert calls == ["write", "read", "read"]
    loop.remove_reader(right)


def test_a_new_callback_takes_the_place_of_the_old(
    loop: AbstractEventLoop, sockets: Sockets
) -> None:
    left, right = sockets
    left.send(b"data")
    calls: list[str] = []
    loop.add_reader(right, calls.append, "old")
    loop.add_reader(right, lambda: (calls.append("new"), loop.stop()))
    loop.run_forever()
    loop.remove_reader(right)
    assert set(calls) == {"new"}


def test_a_callback_may_remove_itself(loop: AbstractEventLoop, sockets: Sockets) -> None:
    left, right = sockets
    left.send(b"never read")
    calls: list[bool] = []
    loop.add_reader(right, lambda: calls.append(loop.remove_reader(right)))
    turns(loop)
    assert calls == [True]


def test_a_callback_may_remove_another_that_is_ready(loop: AbstractEventLoop) -> None:
    pairs = [socket.socketpair() for _ in range(2)]
    calls: list[int] = []

    def first_come(number: int) -> None:
        calls.append(number)
        for _, right in pairs:
            loop.remove_reader(right)

    for number, (left, right) in enumerate(pairs):
        left.send(b"ready")
        loop.add_reader(right, first_come, number)
    turns(loop)
    assert len(calls) == 1
    for left, right in pairs:
        left.close()
        right.close()


def test_a_descriptor_number_is_used_again_after_its_removal(loop: AbstractEventLoop) -> None:
    for number in range(50):
        left, right = socket.socketpair()
        with left, right:
            seen: list[bytes] = []
            loop.add_reader(right.fileno(), lambda r=right, s=seen: s.append(r.recv(10)))
            left.send(b"%d" % number)
            turns(loop, 2)
            assert seen == [b"%d" % number]
            loop.remove_reader(right.fileno())


def test_a_descriptor_that_was_closed_first_can_still_be_removed(loop: AbstractEventLoop) -> None:
    left, right = socket.socketpair()
    number = right.fileno()
    loop.add_reader(number, print)
    right.close()
    assert loop.remove_reader(number)
    left.close()
    left, right = socket.socketpair()
    with left, right:
        seen: list[bytes] = []
        for end, other in ((left, right), (right, left)):
            loop.add_reader(end, lambda end=end: seen.append(end.recv(10)))
            other.send(b"data")
        turns(loop)
        loop.remove_reader(left)
        loop.remove_reader(right)
    assert seen == [b"data"] * 2


def test_a_socket_that_was_closed_first_is_known_all_the_same(
    loop: AbstractEventLoop, sockets: Sockets
) -> None:
    """Unix sockets of anyio are closed before their callbacks are taken away."""
    left, right = sockets
    calls: list[str] = []
    loop.add_reader(right, calls.append, "reader")
    right.close()
    assert loop.remove_reader(right)
    loop.add_writer(left, calls.append, "writer")
    left.close()
    assert loop.remove_writer(left)
    turns(loop)
    assert calls == []
    # As `selectors` has it, who is not known by a number or otherwise is an error.
    with pytest.raises(ValueError, match="Invalid file descriptor: -1"):
        loop.remove_reader(right)


def test_a_watched_socket_is_kept_when_nobody_else_keeps_it(loop: AbstractEventLoop) -> None:
    left, right = socket.socketpair()
    number = right.fileno()
    loop.add_reader(right, lambda: (os.read(number, 10), loop.stop()))
    del right
    gc.collect()
    left.send(b"data")
    loop.run_forever()
    # With its callback the loop lets go of it.
    with pytest.warns(ResourceWarning, match="unclosed"):
        assert loop.remove_reader(number)
    left.close()


@pytest.mark.ours
def test_who_gets_the_number_of_a_closed_socket_is_not_watched_for_it(
    loop: AbstractEventLoop,
) -> None:
    left, closed = socket.socketpair()
    number = closed.fileno()
    calls: list[str] = []
    loop.add_reader(closed, calls.append, "reader")
    loop.add_writer(closed, calls.append, "writer")
    closed.close()
    os.dup2(left.fileno(), number)
    # Now `number` can be written to, but the writer is not its own.
    assert loop.remove_reader(closed)
    turns(loop)
    assert calls == []
    assert loop.remove_writer(closed)
    os.close(number)
    left.close()


def test_the_end_of_the_peer_is_readable(loop: AbstractEventLoop, sockets: Sockets) -> None:
    left, right = sockets
    loop.add_reader(right, lambda: (loop.remove_reader(right), loop.stop()))
    loop.call_soon(left.close)
    loop.run_forever()
    assert right.recv(1) == b""


def test_pipes_and_numbers_are_watched_as_well(loop: AbstractEventLoop) -> None:
    reader, writer = os.pipe()
    seen: list[bytes] = []
    loop.add_reader(reader, lambda: (seen.append(os.read(reader, 10)), loop.stop()))
    loop.add_writer(writer, lambda: (os.write(writer, b"data"), loop.remove_writer(writer)))
    loop.run_forever()
    loop.remove_reader(reader)
    os.close(reader)
    os.close(writer)
    assert seen == [b"data"]


@pytest.mark.parametrize("wrong", ["name", object(), None, -1])
def test_what_is_no_descriptor_is_refused(loop: AbstractEventLoop, wrong: object) -> None:
    for add in (loop.add_reader, loop.add_writer):
        with pytest.raises(ValueError):
            add(wrong, print)


def test_what_cannot_be_polled_is_refused(loop: AbstractEventLoop) -> None:
    with open(__file__) as file:
        with pytest.raises(PermissionError):
            loop.add_reader(file, print)
        assert not loop.remove_reader(file)
        # The refusal left nothing behind.
        with pytest.raises(PermissionError):
            loop.add_reader(file, print)


def test_a_descriptor_of_a_transport_is_refused(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        pair = await connected_pair()
        number = pair.client.transport.get_extra_info("socket").fileno()
        for use in (
            lambda: loop.add_reader(number, print),
            lambda: loop.add_writer(number, print),
            lambda: loop.remove_reader(number),
            lambda: loop.remove_writer(number),
        ):
            with pytest.raises(RuntimeError, match="is used by transport"):
                use()
        await pair.close()

    run(main())


def test_an_error_is_reported_and_the_reader_stays(
    loop: AbstractEventLoop, reports: Reports, sockets: Sockets
) -> None:
    left, right = sockets

    def fail() -> None:
        right.recv(1)
        raise LookupError("in the reader")

    loop.add_reader(right, fail)
    left.send(b"12")
    turns(loop)
    loop.remove_reader(right)
    assert [str(report["exception"]) for report in reports] == ["in the reader"] * 2
    reports.clear()
