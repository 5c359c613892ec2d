"""How datagram endpoints hear of errors, what their callbacks may do, and how they end."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import socket
import weakref
from asyncio import AbstractEventLoop
from typing import Any

import pytest
from loop_under_test import ON_REFERENCE, NewLoop, Reports, Run, end, make_loop
from recording_datagrams import Address, Endpoint, endpoint, endpoint_on, is_idle

LEAVING = pytest.mark.parametrize("leaving", [SystemExit, KeyboardInterrupt])


def nobody() -> Address:
    """An address that nobody listens on."""
    with socket.socket(type=socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        address: Address = gone.getsockname()
    return address


def test_nobody_there_is_an_error_received_each_time(run: Run) -> None:
    async def main() -> None:
        client = await endpoint(nobody())
        for _ in range(5):
            client.transport.sendto(b"anybody?")
            error = await client.errors.get()
            assert isinstance(error, ConnectionRefusedError)
            assert "Connection refused" in str(error)
        await client.close()

    run(main())


def test_datagrams_arrive_after_an_error(run: Run) -> None:
    async def main() -> None:
        address = nobody()
        client = await endpoint(address)
        for number in range(3):
            client.transport.sendto(b"anybody?")
            assert isinstance(await client.errors.get(), ConnectionRefusedError)
            with socket.socket(type=socket.SOCK_DGRAM) as server:
                server.bind(address)
                server.sendto(b"%d" % number, client.address)
                assert await client.received.get() == (b"%d" % number, address)
        assert await is_idle()
        await client.close()

    run(main())


def test_datagrams_arrive_after_an_error_that_sendto_took(run: Run) -> None:
    async def main() -> None:
        address = nobody()
        client = await endpoint(address)
        for number in range(3):
            # The second hears what became of the first, before the loop could look.
            client.transport.sendto(b"anybody?")
            client.transport.sendto(b"anybody?")
            assert client.errors.qsize() == 1
            assert isinstance(await client.errors.get(), ConnectionRefusedError)
            for _ in range(5):
                await asyncio.sleep(0)
            with socket.socket(type=socket.SOCK_DGRAM) as server:
                server.bind(address)
                server.sendto(b"%d" % number, client.address)
                assert await client.received.get() == (b"%d" % number, address)
            while not client.errors.empty():
                client.errors.get_nowait()
        await client.close()

    run(main())


def test_a_datagram_that_is_too_long_is_an_error_received_at_once(run: Run) -> None:
    async def main() -> None:
        server = await endpoint()
        client = await endpoint(server.address)
        client.transport.sendto(b"x" * 70_000)
        assert "too long" in str(client.errors.get_nowait())
        client.transport.sendto(b"short")
        assert (await server.received.get())[0] == b"short"
        await client.close()
        await server.close()

    run(main())


def test_an_error_received_that_raises_raises_in_sendto(run: Run) -> None:
    class Raising(Endpoint):
        def error_received(self, error: Exception) -> None:
            raise LookupError("in error_received") from error

    async def main() -> None:
        client = await endpoint()
        client.transport.set_protocol(Raising())
        with pytest.raises(LookupError, match="in error_received"):
            client.transport.sendto(b"x" * 70_000, client.address)
        client.transport.set_protocol(client)
        await client.close()

    run(main())


def test_an_error_received_that_raises_is_reported(run: Run, reports: Reports) -> None:
    class Raising(Endpoint):
        def error_received(self, error: Exception) -> None:
            super().error_received(error)
            raise LookupError("in error_received")

    async def main() -> None:
        _, client = await asyncio.get_running_loop().create_datagram_endpoint(
            Raising, remote_addr=nobody()
        )
        client.transport.sendto(b"anybody?")
        await client.errors.get()
        assert str(reports.pop()["exception"]) == "in error_received"
        await client.close()

    run(main())


def test_a_datagram_received_that_raises_is_reported_and_no_end(run: Run, reports: Reports) -> None:
    class Raising(Endpoint):
        def datagram_received(self, data: bytes, address: Any) -> None:
            super().datagram_received(data, address)
            raise LookupError(data.decode())

    async def main() -> None:
        loop = asyncio.get_running_loop()
        _, server = await loop.create_datagram_endpoint(Raising, local_addr=("127.0.0.1", 0))
        client = await endpoint(server.address)
        for data in (b"one", b"two"):
            client.transport.sendto(data)
            await server.received.get()
            report = reports.pop()
            assert isinstance(report["exception"], LookupError)
            assert str(report["exception"]) == data.decode()
            assert report["message"].startswith("Exception in ")
        assert not server.transport.is_closing()
        await client.close()
        await server.close()

    run(main())


def test_a_protocol_without_datagram_received_is_reported(run: Run, reports: Reports) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            asyncio.BaseProtocol,  # type: ignore[type-var]
            local_addr=("127.0.0.1", 0),
        )
        client = await endpoint(transport.get_extra_info("sockname"))
        client.transport.sendto(b"x")
        while not reports:
            await asyncio.sleep(0)
        assert isinstance(reports.pop()["exception"], AttributeError)
        transport.abort()
        await client.close()

    run(main())


@LEAVING
def test_a_datagram_received_leaves_the_loop(
    loop: AbstractEventLoop, leaving: type[BaseException]
) -> None:
    class Leaving(Endpoint):
        def datagram_received(self, data: bytes, address: Any) -> None:
            super().datagram_received(data, address)
            if data == b"leave":
                raise leaving("now")

    async def begin() -> tuple[Any, Any]:
        _, server = await loop.create_datagram_endpoint(Leaving, local_addr=("127.0.0.1", 0))
        return server, await endpoint(server.address)

    server, client = loop.run_until_complete(begin())
    for data in (b"leave", b"one", b"two"):
        client.transport.sendto(data)
    with pytest.raises(leaving, match="now"):
        loop.run_forever()
    assert server.received.get_nowait()[0] == b"leave"

    async def rest() -> None:
        for data in (b"one", b"two"):
            assert await server.received.get() == (data, client.address)
        await client.close()
        await server.close()

    loop.run_until_complete(asyncio.wait_for(rest(), 10))


def test_a_loop_that_is_stopped_receives_the_rest_when_it_runs_again(
    loop: AbstractEventLoop,
) -> None:
    async def begin() -> tuple[Endpoint, Endpoint]:
        server = await endpoint()
        return server, await endpoint(server.address)

    server, client = loop.run_until_complete(begin())
    for number in range(50):
        client.transport.sendto(b"%d" % number)
    server.on_datagram = lambda _: loop.stop()
    loop.run_forever()
    # The turn that runs is ended; nobody says what one turn receives, but not all of it.
    assert 0 < server.received.qsize() < 10
    server.on_datagram = None

    async def rest() -> None:
        for number in range(50):
            assert (await server.received.get())[0] == b"%d" % number
        await client.close()
        await server.close()

    loop.run_until_complete(asyncio.wait_for(rest(), 10))


def test_others_get_their_turn_beside_an_endless_stream_of_datagrams(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        flooded, other = await endpoint(), await endpoint()
        # Each one received sends another, so there is always one more to receive.
        flooded.on_datagram = lambda data: flooded.transport.sendto(data, flooded.address)
        for _ in range(20):
            flooded.transport.sendto(b"again", flooded.address)
        timer = loop.create_future()
        loop.call_later(0.01, timer.set_result, None)
        await timer
        other.transport.sendto(b"hello", other.address)
        assert await other.received.get() == (b"hello", other.address)
        assert flooded.received.qsize() > 20
        await other.close()
        await flooded.close()

    run(main())


@pytest.mark.parametrize("how", ["close", "abort"])
def test_nothing_is_received_after_the_end(run: Run, how: str) -> None:
    async def main() -> None:
        server = await endpoint()
        client = await endpoint(server.address)
        server.on_datagram = lambda _: getattr(server.transport, how)()
        for data in (b"one", b"two", b"three"):
            client.transport.sendto(data)
        assert await server.lost is None
        assert server.received.qsize() == 1
        assert server.calls == ["made", "lost"]
        assert server.transport.is_closing()
        assert not server.transport.is_reading()
        server.transport.pause_reading()
        server.transport.resume_reading()
        server.transport.close()
        server.transport.abort()
        await client.close()
        await asyncio.sleep(0)
        assert server.calls == ["made", "lost"]

    run(main())


def test_closing_in_connection_made(run: Run) -> None:
    class Shy(Endpoint):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            transport.close()

    async def main() -> None:
        _, shy = await asyncio.get_running_loop().create_datagram_endpoint(
            Shy, local_addr=("127.0.0.1", 0)
        )
        assert await shy.lost is None
        assert shy.calls == ["made", "lost"]

    run(main())


def test_a_connection_lost_that_raises_is_reported_and_the_socket_closed(
    run: Run, reports: Reports
) -> None:
    class Raising(Endpoint):
        def connection_lost(self, error: Exception | None) -> None:
            super().connection_lost(error)
            raise LookupError("in connection_lost")

    async def main() -> None:
        transport, raising = await asyncio.get_running_loop().create_datagram_endpoint(
            Raising, local_addr=("127.0.0.1", 0)
        )
        sock = transport.get_extra_info("socket")
        transport.close()
        await raising.lost
        assert str(reports.pop()["exception"]) == "in connection_lost"
        assert sock.fileno() == -1

    run(main())


def test_what_a_connected_endpoint_sends_after_the_end_is_lost(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        server = await endpoint()
        client = await endpoint(server.address)
        await client.close()
        with caplog.at_level(logging.WARNING, "asyncio"):
            for _ in range(4):
                client.transport.sendto(b"x")
            assert caplog.messages == []
            client.transport.sendto(b"x")
            client.transport.sendto(b"x")
        assert caplog.messages[-1:] == ["socket.send() raised exception."]
        await server.close()
        assert server.received.empty()

    run(main())


@pytest.mark.ours
def test_what_any_endpoint_sends_after_the_end_is_lost(run: Run) -> None:
    # asyncio trips over its own None there, and raises an AttributeError.
    async def main() -> None:
        server, client = await endpoint(), await endpoint()
        await client.close()
        client.transport.sendto(b"x", server.address)
        await server.close()
        assert server.received.empty()

    run(main())


@pytest.mark.ours
def test_the_descriptor_stays_open_although_the_socket_is_closed(run: Run) -> None:
    async def main() -> None:
        sock = socket.socket(type=socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        client = await endpoint_on(sock)
        sock.close()
        with socket.socket(type=socket.SOCK_DGRAM) as sender:
            sender.sendto(b"hello", client.address)
        assert (await client.received.get())[0] == b"hello"
        await client.close()
        assert sock.fileno() == -1

    run(main())


@pytest.mark.ours
@pytest.mark.parametrize("how", [socket.SHUT_RD, socket.SHUT_RDWR])
def test_a_socket_that_was_shut_down_does_not_keep_the_loop_busy(run: Run, how: int) -> None:
    # asyncio asks it again and again for what never comes.
    async def main() -> None:
        server = await endpoint()
        client = await endpoint(server.address)
        client.transport.get_extra_info("socket").shutdown(how)
        assert await is_idle()
        server.transport.sendto(b"hello", server.address)
        assert (await server.received.get())[0] == b"hello"
        await client.close()
        await server.close()

    run(main())


def test_callbacks_run_in_the_context_of_the_maker(run: Run) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    class Noting(Endpoint):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[str] = []

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self.seen.append(variable.get())

        def datagram_received(self, data: bytes, address: Any) -> None:
            self.seen.append(variable.get())
            super().datagram_received(data, address)

        def connection_lost(self, error: Exception | None) -> None:
            self.seen.append(variable.get())
            super().connection_lost(error)

    async def main() -> None:
        variable.set("maker")
        loop = asyncio.get_running_loop()
        _, noting = await loop.create_datagram_endpoint(Noting, local_addr=("127.0.0.1", 0))
        variable.set("later")
        client = await endpoint(noting.address)
        client.transport.sendto(b"x")
        await noting.received.get()
        noting.transport.abort()
        await noting.lost
        # asyncio calls connection_lost in the context of whoever closes.
        assert noting.seen == ["maker", "maker", "later" if ON_REFERENCE else "maker"]
        await client.close()

    run(main())


def test_a_closed_endpoint_is_freed(run: Run) -> None:
    async def main() -> list[weakref.ref[Any]]:
        server = await endpoint()
        client = await endpoint(server.address)
        client.transport.sendto(b"x")
        await server.received.get()
        await client.close()
        await server.close()
        return [weakref.ref(each) for each in (server, client, server.transport, client.transport)]

    watched = run(main())
    gc.collect()
    assert [each() for each in watched] == [None] * 4


def test_an_endpoint_is_freed_when_its_loop_is_closed_under_it() -> None:
    loop = make_loop()

    async def begin() -> list[weakref.ref[Any]]:
        server = await endpoint()
        client = await endpoint(server.address)
        client.transport.sendto(b"x")
        await server.received.get()
        return [weakref.ref(server), weakref.ref(client.transport)]

    watched = loop.run_until_complete(begin())
    with pytest.warns(ResourceWarning, match="unclosed"):
        end(loop)
        del loop
        gc.collect()
    assert [each() for each in watched] == [None, None]


def test_an_endpoint_whose_output_waits_is_freed_with_its_loop() -> None:
    loop = make_loop()

    async def begin() -> list[weakref.ref[Any]]:
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        peer.bind("")
        client = await endpoint_on(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        while client.transport.get_write_buffer_size() == 0:
            client.transport.sendto(b"x", peer.getsockname())
        peer.close()
        return [weakref.ref(client), weakref.ref(client.transport)]

    watched = loop.run_until_complete(begin())
    with pytest.warns(ResourceWarning, match="unclosed"):
        end(loop)
        del loop
        gc.collect()
    assert [each() for each in watched] == [None, None]


def test_an_endpoint_lives_on_with_nobody_but_its_loop(run: Run) -> None:
    async def main() -> None:
        answers: list[Endpoint] = []

        class Echo(Endpoint):
            def datagram_received(self, data: bytes, address: Any) -> None:
                answers.append(self)
                self.transport.sendto(data, address)

        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
        address = transport.get_extra_info("sockname")
        del transport, _
        gc.collect()
        client = await endpoint(address)
        client.transport.sendto(b"x")
        assert (await client.received.get())[0] == b"x"
        await client.close()
        await answers.pop().close()

    run(main())


@pytest.mark.ours
def test_endpoints_are_counted(run: Run) -> None:
    async def main() -> None:
        loop: Any = asyncio.get_running_loop()
        before = loop.stats().transports
        server = await endpoint()
        client = await endpoint(server.address)
        await asyncio.sleep(0)
        assert loop.stats().transports == before + 2
        await client.close()
        await server.close()
        assert loop.stats().transports == before

    run(main())


def test_no_descriptor_is_left_when_the_loop_is_gone(new_loop: NewLoop) -> None:
    # The number is given out again: what the first loop knew of it must not matter to the second.
    for _ in range(3):
        loop = new_loop()

        async def main() -> None:
            server = await endpoint()
            client = await endpoint(server.address)
            client.transport.sendto(b"x")
            assert (await server.received.get())[0] == b"x"
            await client.close()
            await server.close()

        loop.run_until_complete(main())
        end(loop)
