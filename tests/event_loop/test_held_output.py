"""Small output is held back until the callbacks that are running have run (ADR 0014)."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from asyncio import AbstractEventLoop
from collections.abc import Callable

import pytest
from loop_under_test import LONGEST_SECONDS, Reports, Run
from recording_protocol import RecordingProtocol


class Wire:
    """A protocol's transport, and the plain socket at the other end of its connection."""

    def __init__(self, protocol: RecordingProtocol, peer: socket.socket) -> None:
        self.protocol, self.peer = protocol, peer
        self.transport = protocol.transport

    def arrived(self) -> bytes:
        """What the peer can read at this moment; nothing at the end of the stream."""
        try:
            return self.peer.recv(1_000_000, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return b""

    async def close(self) -> None:
        self.transport.abort()
        await self.protocol.lost
        self.peer.close()


async def connected_wire() -> Wire:
    near, far = socket.socketpair()
    near.setblocking(False)
    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_connection(RecordingProtocol, sock=near)
    return Wire(protocol, far)


@pytest.mark.ours
def test_what_one_callback_writes_piece_by_piece_arrives_as_one(run: Run) -> None:
    async def main() -> None:
        wire = await connected_wire()
        wire.transport.write(b"head ")
        wire.transport.write(b"body")
        assert wire.arrived() == b""
        await asyncio.sleep(0)
        assert wire.arrived() == b"head body"
        await wire.close()

    run(main())


def test_small_output_before_large_output_stays_before_it(run: Run) -> None:
    async def main() -> None:
        wire = await connected_wire()
        wire.transport.write(b"small")
        wire.transport.write(b"x" * 30_000)
        wire.transport.write(b"tail")
        await asyncio.sleep(0)
        assert wire.arrived() == b"small" + b"x" * 30_000 + b"tail"
        await wire.close()

    run(main())


def test_large_output_is_on_its_way_when_write_returns(run: Run) -> None:
    async def main() -> None:
        wire = await connected_wire()
        wire.transport.write(b"x" * 20_000)
        assert wire.arrived() == b"x" * 20_000
        await wire.close()

    run(main())


@pytest.mark.ours
def test_no_more_than_a_few_connections_are_held_back(run: Run) -> None:
    async def main() -> None:
        wires = [await connected_wire() for _ in range(100)]
        for wire in wires:
            wire.transport.write(b"x")
        arrived = [wire.arrived() for wire in wires]
        assert 0 < arrived.count(b"") < len(wires)
        assert arrived == sorted(arrived, reverse=True)
        await asyncio.sleep(0)
        assert [first or wire.arrived() for first, wire in zip(arrived, wires, strict=True)] == [
            b"x"
        ] * 100
        for wire in wires:
            await wire.close()

    run(main())


@pytest.mark.parametrize(
    "step",
    [
        lambda transport: transport.close(),
        lambda transport: transport.abort(),
        lambda transport: transport.write_eof(),
        lambda transport: transport.get_extra_info("socket"),
        lambda transport: transport.set_write_buffer_limits(0),
        lambda transport: transport.get_write_buffer_size(),
    ],
    ids=["close", "abort", "write_eof", "socket", "limits", "size"],
)
def test_what_would_show_that_output_was_held_sends_it_first(
    run: Run, step: Callable[[asyncio.Transport], object]
) -> None:
    async def main() -> None:
        wire = await connected_wire()
        wire.transport.write(b"first")
        step(wire.transport)
        assert wire.arrived() == b"first"
        await wire.close()

    run(main())


def test_nothing_is_held_from_who_sets_the_high_mark_to_nothing(run: Run) -> None:
    async def main() -> None:
        wire = await connected_wire()
        wire.transport.set_write_buffer_limits(0)
        wire.transport.write(b"at once")
        assert wire.arrived() == b"at once"
        await wire.close()

    run(main())


def test_an_answer_goes_out_although_the_protocol_raises_then(run: Run, reports: Reports) -> None:
    async def main() -> None:
        wire = await connected_wire()

        def answer(_: bytes) -> None:
            wire.transport.write(b"answer")
            raise ValueError("after the answer")

        wire.protocol.on_data = answer
        wire.peer.sendall(b"question")
        assert isinstance(await wire.protocol.lost, ValueError)
        assert wire.arrived() == b"answer"
        wire.peer.close()
        assert [type(report["exception"]) for report in reports] == [ValueError]
        reports.clear()

    run(main())


def test_a_loop_that_stops_has_sent_what_was_written(loop: AbstractEventLoop) -> None:
    wire = loop.run_until_complete(connected_wire())

    def write_and_stop() -> None:
        wire.transport.write(b"last")
        loop.stop()

    loop.call_soon(write_and_stop)
    loop.run_forever()
    assert wire.arrived() == b"last"
    wire.transport.write(b"while it stands still")
    assert wire.arrived() == b"while it stands still"
    loop.run_until_complete(wire.close())


def test_a_loop_that_an_exception_leaves_has_sent_what_was_written(loop: AbstractEventLoop) -> None:
    wire = loop.run_until_complete(connected_wire())

    def write_and_exit() -> None:
        wire.transport.write(b"last")
        raise SystemExit(3)

    loop.call_soon(write_and_exit)
    with pytest.raises(SystemExit):
        loop.run_forever()
    assert wire.arrived() == b"last"
    loop.run_until_complete(wire.close())


@pytest.mark.ours
def test_a_peer_that_is_gone_when_held_output_is_sent_ends_the_connection(run: Run) -> None:
    async def main() -> None:
        wire = await connected_wire()
        wire.transport.pause_reading()
        wire.transport.write(b"nobody")
        wire.peer.close()
        assert isinstance(await wire.protocol.lost, ConnectionError)
        assert wire.protocol.calls == ["made", "lost"]

    run(main())


def test_held_output_that_does_not_fit_pauses_and_arrives_whole(run: Run) -> None:
    async def main() -> None:
        wire = await connected_wire()
        wire.peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wire.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF, 4096
        )
        sent = 0
        while "pause" not in wire.protocol.calls:
            wire.transport.write(b"x" * 1000)
            sent += 1000
            await asyncio.sleep(0)
        received = 0
        while received < sent:
            received += len(wire.arrived())
            await asyncio.sleep(0)
        await wire.protocol.resumed.wait()
        assert received == sent
        await wire.close()

    run(main())


def test_a_program_that_writes_while_closing_still_ends(run: Run) -> None:
    """`resume_writing` of a closing transport may write once more, as TLS does at its end."""

    async def main() -> None:
        wire = await connected_wire()
        resumed = wire.protocol.resume_writing

        def write_more() -> None:
            resumed()
            wire.transport.write(b"end")

        wire.protocol.resume_writing = write_more  # type: ignore[method-assign]
        wire.transport.write(b"x" * 3_000_000)
        wire.transport.close()
        received = bytearray()
        while not wire.protocol.lost.done():
            received += wire.arrived()
            await asyncio.sleep(0)
        assert await wire.protocol.lost is None
        received += wire.arrived()
        assert received == b"x" * 3_000_000 + b"end"
        wire.peer.close()

    run(main())


def test_what_is_written_while_the_loop_comes_to_its_end_goes_out(
    loop: AbstractEventLoop,
) -> None:
    """A large input is read piece by piece: the first one ends the run, in which the next comes."""

    async def main() -> Wire:
        wire = await connected_wire()
        near = wire.transport.get_extra_info("socket")
        near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        wire.peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        first = asyncio.get_running_loop().create_future()

        def answer(_: bytes) -> None:
            wire.transport.write(b"!")
            if not first.done():
                first.set_result(None)

        wire.protocol.on_data = answer
        assert wire.peer.send(b"x" * 140_000) == 140_000
        await first
        return wire

    wire = loop.run_until_complete(main())
    assert wire.arrived() == b"!" * wire.protocol.calls.count("data")
    loop.run_until_complete(wire.close())


def test_a_half_close_by_way_of_the_socket_comes_behind_what_was_written(run: Run) -> None:
    async def main() -> None:
        wire = await connected_wire()
        shown = wire.transport.get_extra_info("socket")
        await asyncio.sleep(0)
        wire.transport.write(b"bye")
        shown.shutdown(socket.SHUT_WR)
        assert wire.peer.recv(100) == b"bye"
        assert wire.peer.recv(100) == b""
        await wire.close()

    run(main())


def test_a_fork_does_not_send_twice(start_program: Callable[[str], subprocess.Popen[str]]) -> None:
    program = start_program("""
        import socket
        near, far = socket.socketpair()
        near.setblocking(False)

        async def main():
            _, writer = await asyncio.open_connection(sock=near)
            writer.write(b"once")
            child = os.fork()
            if child == 0:
                sys.exit(0)
            assert os.waitpid(child, 0) == (child, 0)
            writer.write(b", and no more")
            writer.close()
            await writer.wait_closed()
            print(far.recv(100).decode())

        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(main())
    """)
    out, errors = program.communicate(timeout=LONGEST_SECONDS)
    assert (program.returncode, out) == (0, "once, and no more\n"), errors
