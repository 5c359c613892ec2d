"""Accepted connections: when they begin, in which context, and who owns their descriptor."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import resource
import socket
import ssl
import struct
import sys
import warnings
import weakref
from asyncio import AbstractEventLoop, constants
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from loop_under_test import Reports, Run, end, make_loop
from recording_protocol import RecordingProtocol

CONNECTIONS_AT_ONCE = 50
BATCHES = 40


def open_descriptors() -> int:
    # What the tests before left to the collector is closed at any time, else.
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def connected(address: Any, family: int = socket.AF_INET) -> socket.socket:
    """A plain client; the kernel connects it before anybody accepts."""
    client = socket.socket(family)
    client.settimeout(5)
    client.connect(address)
    return client


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@contextmanager
def no_more_descriptors() -> Iterator[None]:
    """Let the process open nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


async def accepted_from(
    client_family: int = socket.AF_INET, host: str = "127.0.0.1"
) -> tuple[RecordingProtocol, socket.socket]:
    """A served protocol and its plain client; the server is closed again."""
    loop = asyncio.get_running_loop()
    served = RecordingProtocol()
    server = await loop.create_server(lambda: served, host, 0)
    client = connected(server.sockets[0].getsockname(), client_family)
    await served.made
    server.close()
    return served, client


def test_all_that_wait_are_accepted_in_one_turn_and_begun_in_the_next(run: Run) -> None:
    told: list[tuple[str, int]] = []

    class Noting(asyncio.Protocol):
        def __init__(self) -> None:
            self.number = sum(what == "factory" for what, _ in told)
            told.append(("factory", self.number))

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            told.append(("made", self.number))
            transport.close()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Noting, "127.0.0.1", 0)
        clients = [connected(server.sockets[0].getsockname()) for _ in range(5)]
        await until(lambda: len(told) == 10)
        server.close()
        for client in clients:
            client.close()

    run(main())
    numbers = range(5)
    assert told == [*(("factory", n) for n in numbers), *(("made", n) for n in numbers)]


def test_each_connection_has_a_context_of_its_own(run: Run) -> None:
    variable = contextvars.ContextVar("variable", default="nothing")
    seen: list[tuple[int, str, str]] = []

    class Marking(asyncio.Protocol):
        def __init__(self) -> None:
            self.number = sum(what == "factory" for _, what, _ in seen)
            self.note("factory")

        def note(self, what: str) -> None:
            seen.append((self.number, what, variable.get()))
            variable.set(f"{what} {self.number}")

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.note("made")

        def data_received(self, data: bytes) -> None:
            self.note(data.decode())

        def connection_lost(self, error: Exception | None) -> None:
            self.note("lost")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        variable.set("outside")
        server = await loop.create_server(Marking, "127.0.0.1", 0)
        variable.set("changed afterwards")
        clients = [connected(server.sockets[0].getsockname()) for _ in range(2)]
        await until(lambda: len(seen) == 4)
        for data in (b"first", b"second"):
            count = len(seen)
            for client in clients:
                client.sendall(data)
            await until(lambda count=count: len(seen) == count + 2)
        for client in clients:
            client.close()
        await until(lambda: len(seen) == 10)
        server.close()

    run(main())
    for number in range(2):
        assert [(what, value) for who, what, value in seen if who == number] == [
            ("factory", "outside"),
            ("made", f"factory {number}"),
            ("first", f"factory {number}"),
            ("second", f"first {number}"),
            ("lost", f"second {number}"),
        ]


@pytest.mark.ours
def test_no_task_stands_behind_an_accepted_connection(loop: AbstractEventLoop, run: Run) -> None:
    tasks: list[Any] = []

    class Asking(asyncio.Protocol):
        def __init__(self) -> None:
            tasks.append(asyncio.current_task())

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            tasks.append(asyncio.current_task())
            transport.close()

    def factory(owner: AbstractEventLoop, coroutine: Any, **keywords: Any) -> asyncio.Task[Any]:
        tasks.append(coroutine)
        return asyncio.Task(coroutine, loop=owner, **keywords)

    async def main() -> None:
        server = await loop.create_server(Asking, "127.0.0.1", 0)
        loop.set_task_factory(factory)
        with connected(server.sockets[0].getsockname()):
            await until(lambda: len(tasks) == 2)
        server.close()

    run(main())
    loop.set_task_factory(None)
    assert tasks == [None, None]


@pytest.mark.ours
def test_a_process_without_descriptors_accepts_again_later(
    run: Run, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CPython reports once for each connection that could wait."""
    monkeypatch.setattr(constants, "ACCEPT_RETRY_DELAY", 0.02)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        served = RecordingProtocol()
        server = await loop.create_server(lambda: served, "127.0.0.1", 0)
        with connected(server.sockets[0].getsockname()) as client:
            with no_more_descriptors():
                await until(lambda: reports)
                assert not served.made.done()
            client.sendall(b"patience")
            assert await served.has_received(8) == b"patience"
        await served.lost
        server.close()

    run(main())
    told = {
        (report["message"], type(report["exception"]), report["exception"].errno)
        for report in reports
    }
    assert told == {("socket.accept() out of system resource", OSError, 24)}
    assert all("socket" in report for report in reports)
    reports.clear()


@pytest.mark.ours
def test_a_server_that_is_closed_while_it_waits_for_descriptors_stays_closed(
    run: Run, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CPython watches the closed socket, and fails."""
    monkeypatch.setattr(constants, "ACCEPT_RETRY_DELAY", 0.01)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(RecordingProtocol, "127.0.0.1", 0)
        with connected(server.sockets[0].getsockname()):
            with no_more_descriptors():
                await until(lambda: reports)
                # More than one if this thread has slept through the first delay.
                told = len(reports)
            server.close()
            await asyncio.sleep(0.03)
            assert len(reports) == told

    run(main())
    reports.clear()


@pytest.mark.ours
def test_a_factory_that_raises_costs_its_connection_at_once(run: Run) -> None:
    """CPython leaves the socket to the garbage collector. Neither reports it, out of debug mode."""
    made: list[RecordingProtocol] = []

    def factory() -> RecordingProtocol:
        if not made:
            made.append(RecordingProtocol())
            raise LookupError("in the factory")
        made.append(RecordingProtocol())
        return made[-1]

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(factory, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        _, refused = await loop.create_connection(RecordingProtocol, *address)
        await refused.lost
        _, accepted = await loop.create_connection(RecordingProtocol, *address)
        accepted.transport.close()
        await accepted.lost
        await made[1].lost
        server.close()

    before = open_descriptors()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(main())
        gc.collect()
    assert open_descriptors() == before


@pytest.mark.ours
def test_a_server_that_was_closed_meanwhile_begins_no_connection(run: Run) -> None:
    """CPython warns of the socket that it forgets."""
    made: list[RecordingProtocol] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def factory() -> RecordingProtocol:
            made.append(RecordingProtocol())
            server.close()
            return made[-1]

        server = await loop.create_server(factory, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        clients = [connected(address) for _ in range(3)]
        for client in clients:
            with client:
                assert await loop.run_in_executor(None, client.recv, 1) == b""

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(main())
        gc.collect()
    assert [protocol.calls for protocol in made] == [[], [], []]


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_addresses_are_told_when_the_connection_is_lost(run: Run, family: int, host: str) -> None:
    if family == socket.AF_INET6 and not os.path.exists("/proc/net/if_inet6"):
        pytest.skip("there is no IPv6")

    async def main() -> None:
        served, client = await accepted_from(family, host)
        client_name, server_name = client.getsockname(), client.getpeername()
        reset(client)
        assert isinstance(await served.lost, ConnectionResetError)
        ask = served.transport.get_extra_info
        assert (ask("peername"), ask("sockname")) == (client_name, server_name)
        assert ask("peername") is ask("peername")
        assert ask("something else", 5) == 5

    run(main())


def test_addresses_are_told_while_it_is_being_lost(run: Run) -> None:
    told: list[Any] = []

    class Asking(RecordingProtocol):
        def connection_lost(self, error: Exception | None) -> None:
            told.extend(self.transport.get_extra_info(name) for name in ("sockname", "peername"))
            super().connection_lost(error)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        served = Asking()
        server = await loop.create_server(lambda: served, "127.0.0.1", 0)
        with connected(server.sockets[0].getsockname()) as client:
            names = [client.getpeername(), client.getsockname()]
        await served.lost
        assert told == names
        server.close()

    run(main())


def test_addresses_are_told_through_tls(
    run: Run, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        served, client = RecordingProtocol(), RecordingProtocol()
        server = await loop.create_server(lambda: served, "127.0.0.1", 0, ssl=server_tls)
        address = server.sockets[0].getsockname()
        await loop.create_connection(
            lambda: client, *address, ssl=client_tls, server_hostname="localhost"
        )
        await served.made
        names = [client.transport.get_extra_info(name) for name in ("peername", "sockname")]
        client.transport.write(b"data")
        assert await served.has_received(4) == b"data"
        assert served.transport.get_extra_info("socket").getsockname() == address
        assert served.transport.get_extra_info("sslcontext") is server_tls
        assert [served.transport.get_extra_info(n) for n in ("sockname", "peername")] == names
        client.transport.close()
        await client.lost
        await served.lost
        server.close()

    run(main())


def test_addresses_of_unix_sockets_are_told_when_it_is_lost(run: Run, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        accepted = [RecordingProtocol(), RecordingProtocol()]
        waiting = iter(accepted)
        server = await loop.create_unix_server(lambda: next(waiting), path)
        with connected(path, socket.AF_UNIX), socket.socket(socket.AF_UNIX) as named:
            await accepted[0].made
            named.bind("\0of this test " + path[-60:])
            named.connect(path)
            name = named.getsockname()
            await accepted[1].made
        server.close()
        for served, peer in zip(accepted, ("", name), strict=True):
            await served.lost
            assert served.transport.get_extra_info("sockname") == path
            assert served.transport.get_extra_info("peername") == peer

    run(main())


@pytest.mark.ours
def test_the_socket_is_what_accept_would_have_returned(run: Run) -> None:
    """CPython's transport does not hold it open."""

    async def main() -> None:
        served, client = await accepted_from()
        shown = served.transport.get_extra_info("socket")
        assert shown is served.transport.get_extra_info("socket")
        own = shown._sock
        assert type(own) is socket.socket
        assert own is served.transport._sock  # type: ignore[attr-defined]
        assert own.gettimeout() == 0 and not own.get_inheritable()
        assert (own.family, own.type) == (socket.AF_INET, socket.SOCK_STREAM)
        assert own.getpeername() == client.getsockname()
        assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        number = own.fileno()
        # The transport holds it open, whoever else closes it.
        served.transport.write(b"still")
        own.close()
        served.transport.write(b" here")
        served.transport.close()
        await served.lost
        assert own.fileno() == -1
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(number)
        client.setblocking(True)
        assert client.makefile("rb").read() == b"still here"
        client.close()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(main())
        gc.collect()


def test_the_socket_of_a_lost_connection_is_closed(run: Run) -> None:
    async def main() -> None:
        served, client = await accepted_from()
        client.close()
        await served.lost
        # Its number belongs to somebody else by now.
        with socket.socket() as other:
            shown = served.transport.get_extra_info("socket")
            assert (shown.fileno(), shown.family) == (-1, socket.AF_INET)
            assert shown.type == socket.SOCK_STREAM
            del shown
            served.transport.abort()
            assert other.fileno() != -1
            os.fstat(other.fileno())

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(main())
        gc.collect()


def test_nobody_else_watches_the_descriptor(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"of a file")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        served, client = await accepted_from()
        number = served.transport.get_extra_info("socket").fileno()

        def check_refused() -> None:
            for watch in (loop.add_reader, loop.add_writer):
                with pytest.raises(RuntimeError, match="is used by transport"):
                    watch(number, print)
            for forget in (loop.remove_reader, loop.remove_writer):
                with pytest.raises(RuntimeError, match="is used by transport"):
                    forget(number)

        check_refused()
        # It has the descriptor for itself meanwhile.
        with file.open("rb") as opened:
            await loop.sendfile(served.transport, opened, fallback=False)
        assert client.recv(100) == b"of a file"
        check_refused()
        client.sendall(b"data")
        assert await served.has_received(4) == b"data"
        served.transport.close()
        loop.add_reader(number, print)
        assert loop.remove_reader(number)
        await served.lost
        client.close()

    run(main())


@pytest.mark.ours
def test_a_descriptor_that_was_taken_from_its_transport_serves_nobody_else(run: Run) -> None:
    """A second transport with the same number would read the first one's mail."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        first = RecordingProtocol()
        server = await loop.create_server(lambda: first, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()
        client = connected(address)
        transport = await first.made
        stolen = transport.get_extra_info("socket")._sock
        with socket.socket() as other:
            number = stolen.detach()
            os.close(number)
            other.settimeout(5)
            other.connect(address)
            assert await loop.run_in_executor(None, other.recv, 1) == b""
        transport.abort()
        await first.lost
        server.close()
        client.close()

    run(main())


@pytest.mark.ours
def test_a_connection_that_is_left_open_warns_and_is_closed() -> None:
    loop = make_loop()
    served, client = loop.run_until_complete(accepted_from())
    with pytest.warns(ResourceWarning, match="unclosed transport <SocketTransport fd="):
        end(loop)
        del loop, served
        gc.collect()
    with client:
        assert client.recv(1) == b""


@pytest.mark.ours
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_what_is_accepted_when_the_loop_ends_is_closed(turns: int) -> None:
    """CPython warns of the task that was to begin it."""
    before = open_descriptors()
    loop = make_loop()

    async def serve() -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)

    server = loop.run_until_complete(serve())
    with connected(server.sockets[0].getsockname()) as client:
        for _ in range(turns):
            loop.stop()
            loop.run_forever()
        with warnings.catch_warnings():
            # Of the listener, and of the transport if there is one already.
            warnings.simplefilter("ignore", ResourceWarning)
            loop.close()
            del server, loop
            gc.collect()
        try:
            assert client.recv(1) == b""
        except ConnectionResetError:
            assert turns == 0
    assert open_descriptors() == before


def test_what_is_accepted_when_the_loop_stops_goes_on_when_it_runs(
    loop: AbstractEventLoop, run: Run
) -> None:
    accepted: list[RecordingProtocol] = []

    def factory() -> RecordingProtocol:
        accepted.append(RecordingProtocol())
        return accepted[-1]

    async def serve() -> asyncio.Server:
        return await loop.create_server(factory, "127.0.0.1", 0)

    async def receive() -> None:
        await until(lambda: accepted)
        assert await accepted[0].has_received(4) == b"data"
        client.close()
        await accepted[0].lost
        server.close()

    server = run(serve())
    client = connected(server.sockets[0].getsockname())
    client.sendall(b"data")
    for _ in range(2):
        loop.stop()
        loop.run_forever()
    run(receive())


@pytest.mark.ours
@pytest.mark.parametrize("visited", [True, False])
def test_a_listener_that_was_closed_by_its_owner_leaves_its_number_to_the_next(
    run: Run, visited: bool
) -> None:
    """CPython's selector still knows the number, and refuses it."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        listeners = [socket.create_server(("127.0.0.1", 0))]
        closed = await loop.create_server(RecordingProtocol, sock=listeners[0])
        address, number = listeners[0].getsockname(), listeners[0].fileno()
        listeners[0].close()
        if visited:
            with pytest.raises(ConnectionRefusedError):
                await loop.create_connection(RecordingProtocol, *address)
        listeners.append(socket.create_server(("127.0.0.1", 0)))
        assert listeners[1].fileno() == number
        served = RecordingProtocol()
        server = await loop.create_server(lambda: served, sock=listeners[1])
        with connected(listeners[1].getsockname()) as client:
            client.sendall(b"data")
            assert await served.has_received(4) == b"data"
        await served.lost
        server.close()
        assert closed.is_serving() and not server.is_serving()

    run(main())


def test_a_listener_of_a_class_of_ones_own_accepts_in_its_own_way(run: Run) -> None:
    class Listener(socket.socket):
        accepted = 0

        def accept(self) -> tuple[socket.socket, Any]:
            connection = super().accept()
            Listener.accepted += 1
            return connection

    async def main() -> None:
        loop = asyncio.get_running_loop()
        listener = Listener()
        listener.bind(("127.0.0.1", 0))
        served = RecordingProtocol()
        server = await loop.create_server(lambda: served, sock=listener)
        with connected(listener.getsockname()) as client:
            transport = await served.made
            assert transport.get_extra_info("peername") == client.getsockname()
        await served.lost
        server.close()
        assert Listener.accepted == 1

    run(main())


@pytest.mark.skipif(sys.version_info < (3, 13), reason="close_clients came with Python 3.13")
def test_a_server_ends_no_connections_but_its_own(run: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        accepted: list[list[RecordingProtocol]] = [[], []]

        def factory(number: int) -> RecordingProtocol:
            accepted[number].append(RecordingProtocol())
            return accepted[number][-1]

        servers = [
            await loop.create_server(lambda number=number: factory(number), "127.0.0.1", 0)
            for number in range(2)
        ]
        clients = [connected(servers[n % 2].sockets[0].getsockname()) for n in range(6)]
        await until(lambda: [len(protocols) for protocols in accepted] == [3, 3])
        await accepted[1][-1].made
        clients[0].close()
        await accepted[0][0].lost
        servers[0].close()
        closed = asyncio.ensure_future(servers[0].wait_closed())
        await asyncio.sleep(0.001)
        assert not closed.done()
        servers[0].close_clients()
        await closed
        assert all(protocol.lost.done() for protocol in accepted[0])
        assert not any(protocol.lost.done() for protocol in accepted[1])
        servers[1].abort_clients()
        servers[1].close()
        await servers[1].wait_closed()
        assert all(protocol.lost.done() for protocol in accepted[1])
        for client in clients:
            client.close()

    run(main())


def test_a_server_is_freed_with_its_loop_and_its_connections() -> None:
    loop = make_loop()

    class Keeping(RecordingProtocol):
        server: asyncio.Server

    async def serve() -> tuple[list[weakref.ref[Any]], socket.socket]:
        served, running = Keeping(), asyncio.get_running_loop()
        server = await running.create_server(lambda: served, "127.0.0.1", 0)
        served.server = server
        client = connected(server.sockets[0].getsockname())
        await served.made
        return [weakref.ref(served), weakref.ref(server)], client

    watched, client = loop.run_until_complete(serve())
    with pytest.warns(ResourceWarning, match="unclosed"):
        end(loop)
        del loop
        gc.collect()
        gc.collect()
    client.close()
    assert [each() for each in watched] == [None, None]


def test_thousands_of_connections_leave_no_descriptor(run: Run) -> None:
    lost = 0

    class Counting(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            if data == b"s":
                # Its descriptor then belongs to a Python socket.
                self.transport.get_extra_info("socket").getsockname()
            elif data == b"a":
                self.transport.abort()  # type: ignore[attr-defined]

        def connection_lost(self, error: Exception | None) -> None:
            nonlocal lost
            lost += 1

    def leave(client: socket.socket, number: int) -> None:
        if number % 4:
            client.sendall(b"sad"[number % 4 - 1 :][:1])
        if number % 3:
            reset(client)
        client.close()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Counting, "127.0.0.1", 0, backlog=CONNECTIONS_AT_ONCE)
        address = server.sockets[0].getsockname()
        for batch in range(1, BATCHES + 1):
            clients = [connected(address) for _ in range(CONNECTIONS_AT_ONCE)]
            for number, client in enumerate(clients):
                leave(client, number)
            await until(lambda batch=batch: lost == batch * CONNECTIONS_AT_ONCE)
        server.close()
        if sys.version_info >= (3, 12):
            await server.wait_closed()

    before = open_descriptors()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(main())
        gc.collect()
    assert open_descriptors() == before
