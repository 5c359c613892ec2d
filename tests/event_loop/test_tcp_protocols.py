"""TCP by protocols: data both ways, ends, contexts, and what a broken protocol does."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import socket
from asyncio import AbstractEventLoop
from functools import partial

import pytest
from loop_under_test import Reports, Run
from recording_protocol import Pair, RecordingProtocol, connected_pair

# More than a kernel takes for a peer that does not read: Linux has taken 3.9 MB at once.
LARGE = 32_000_000
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


def echo(protocol: RecordingProtocol) -> RecordingProtocol:
    protocol.on_data = lambda data: protocol.transport.write(data)
    return protocol


def test_data_goes_there_and_back(run: Run) -> None:
    async def main() -> None:
        pair = await connected_pair(make_server=lambda: echo(RecordingProtocol()))
        for number in range(1, 101):
            pair.client.transport.write(b"%03d" % number)
            assert len(await pair.client.has_received(3 * number)) == 3 * number
        expected = b"".join(b"%03d" % number for number in range(1, 101))
        assert pair.client.received == pair.server.received == expected
        await pair.close()

    run(main())


def test_megabytes_go_both_ways_at_once(run: Run) -> None:
    payload = os.urandom(LARGE)

    async def main() -> None:
        pair = await connected_pair()
        pair.client.transport.write(payload)
        pair.server.transport.write(payload[::-1])
        assert await pair.server.has_received(LARGE) == payload
        assert await pair.client.has_received(LARGE) == payload[::-1]
        await pair.close()

    run(main())


def test_the_calls_of_a_connection_come_in_order(run: Run) -> None:
    async def main() -> None:
        pair = await connected_pair()
        pair.client.transport.write(b"data")
        pair.client.transport.close()
        assert await pair.server.lost is None
        assert await pair.client.lost is None
        assert pair.server.calls == ["made", "data", "end", "lost"]
        assert pair.client.calls == ["made", "lost"]

    run(main())


def test_an_end_that_comes_with_the_data_is_seen(run: Run) -> None:
    # Both are in the socket before the transport reads for the first time.
    async def main() -> None:
        loop = asyncio.get_running_loop()
        left, right = socket.socketpair()
        left.send(b"all there is")
        left.close()
        _, protocol = await loop.create_connection(RecordingProtocol, sock=right)
        await protocol.lost
        assert protocol.calls == ["made", "data", "end", "lost"]
        assert protocol.received == b"all there is"

    run(main())


def test_a_half_closed_connection_still_carries_answers(run: Run) -> None:
    async def main() -> None:
        pair = await connected_pair(make_server=partial(RecordingProtocol, keep_open_at_end=True))
        assert pair.client.transport.can_write_eof()
        pair.client.transport.write(b"question")
        pair.client.transport.write_eof()
        await pair.server.ended
        assert pair.server.received == b"question"
        assert not pair.server.transport.is_closing()
        pair.server.transport.write(b"answer")
        pair.server.transport.close()
        assert await pair.client.lost is None
        assert pair.client.received == b"answer"
        assert pair.client.calls == ["made", "data", "end", "lost"]

    run(main())


def test_write_eof_comes_behind_what_is_buffered(run: Run) -> None:
    payload = os.urandom(LARGE)

    async def main() -> None:
        pair = await connected_pair(make_server=partial(RecordingProtocol, keep_open_at_end=True))
        pair.client.transport.write(payload)
        pair.client.transport.write_eof()
        pair.client.transport.write_eof()
        with pytest.raises(RuntimeError, match=r"Cannot call write\(\) after write_eof\(\)"):
            pair.client.transport.write(b"more")
        await pair.server.ended
        assert pair.server.received == payload
        await pair.close()

    run(main())


def test_every_call_of_a_protocol_runs_in_the_context_of_its_connection(run: Run) -> None:
    seen: list[tuple[str, str]] = []

    class Looking(RecordingProtocol):
        def __getattribute__(self, name: str) -> object:
            found = super().__getattribute__(name)
            watched = {"connection_made", "data_received", "eof_received", "connection_lost"}
            if name not in watched | {"pause_writing", "resume_writing"}:
                return found

            def call(*args: object) -> object:
                seen.append((name, variable.get()))
                return found(*args)  # type: ignore[operator]

            return call

    async def main() -> None:
        token = variable.set("of the connection")
        pair = await connected_pair(make_client=Looking)
        variable.reset(token)
        pair.server.transport.pause_reading()
        pair.client.transport.write(b"x" * LARGE)
        pair.server.transport.resume_reading()
        await pair.client.resumed.wait()
        pair.server.transport.write(b"data")
        pair.server.transport.write_eof()
        await pair.client.lost
        await pair.close()

    run(main())
    names = [name for name, _ in seen]
    assert set(names) == {
        *("connection_made", "pause_writing", "resume_writing"),
        *("data_received", "eof_received", "connection_lost"),
    }
    # Flow control is told in the context of whoever wrote.
    outside = [name for name, value in seen if value == "unset"]
    assert set(outside) <= {"pause_writing", "resume_writing"}


@pytest.mark.parametrize("method", ["data_received", "eof_received"])
def test_a_protocol_that_fails_is_reported_and_loses_its_connection(
    run: Run, reports: Reports, method: str
) -> None:
    def fail(*_: object) -> None:
        raise LookupError("in the protocol")

    async def main() -> Pair:
        pair = await connected_pair()
        setattr(pair.server, method, fail)
        pair.client.transport.write(b"data")
        pair.client.transport.write_eof()
        error = await pair.server.lost
        assert isinstance(error, LookupError)
        await pair.client.lost
        return pair

    pair = run(main())
    report = reports.pop()
    assert method in report["message"]
    assert str(report["exception"]) == "in the protocol"
    assert report["protocol"] is pair.server
    assert report["transport"] is pair.server.transport


@pytest.mark.parametrize("method", ["connection_made", "connection_lost"])
def test_a_protocol_that_fails_at_its_ends_is_reported(
    run: Run, reports: Reports, method: str
) -> None:
    failed: list[str] = []

    class Failing(asyncio.Protocol):
        pass

    def fail(*_: object) -> None:
        failed.append(method)
        raise LookupError(method)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        left, right = socket.socketpair()
        setattr(Failing, method, fail)
        transport, _ = await loop.create_connection(Failing, sock=right)
        left.close()
        while not (failed and transport.is_closing()):
            await asyncio.sleep(0)
        # The socket is closed all the same.
        while right.fileno() != -1:
            await asyncio.sleep(0)

    run(main())
    assert str(reports.pop()["exception"]) == method


def test_a_protocol_factory_that_fails_harms_only_its_connection(
    loop: AbstractEventLoop, run: Run, reports: Reports
) -> None:
    made: list[RecordingProtocol] = []

    def factory() -> RecordingProtocol:
        if not reports:
            raise LookupError("in the factory")
        made.append(RecordingProtocol())
        return made[-1]

    async def main() -> None:
        server = await loop.create_server(factory, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        _, refused = await loop.create_connection(RecordingProtocol, *address)
        while not reports:
            await asyncio.sleep(0)
        transport, served = await loop.create_connection(RecordingProtocol, *address)
        transport.write(b"data")
        while not made:
            await asyncio.sleep(0)
        assert await made[0].has_received(4) == b"data"
        transport.close()
        await served.lost
        await made[0].lost
        server.close()
        # asyncio leaves the refused socket to the garbage collector, which warns of it.
        with pytest.warns(ResourceWarning, match="unclosed"):
            assert str(reports.pop()["exception"]) == "in the factory"
            gc.collect()
            await refused.lost

    # Out of debug mode asyncio does not say a word.
    loop.set_debug(True)
    run(main())


def test_a_protocol_without_data_received_is_reported(run: Run, reports: Reports) -> None:
    class Deaf(asyncio.BaseProtocol):
        def connection_lost(self, error: Exception | None) -> None:
            lost.set_result(error)

    async def main() -> None:
        nonlocal lost
        loop = asyncio.get_running_loop()
        lost = loop.create_future()
        left, right = socket.socketpair()
        with left:
            left.send(b"data")
            await loop.create_connection(Deaf, sock=right)
            assert isinstance(await lost, AttributeError)

    lost: asyncio.Future[Exception | None]
    run(main())
    assert isinstance(reports.pop()["exception"], AttributeError)


def test_a_connection_may_be_refused(run: Run, loop: AbstractEventLoop) -> None:
    async def main() -> None:
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            with pytest.raises(ConnectionRefusedError):
                await loop.create_connection(RecordingProtocol, *bound.getsockname())

    run(main())
