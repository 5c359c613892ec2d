"""anyio, and with it code in trio's style: task groups, scopes, streams, threads and processes."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from loop_under_test import ON_REFERENCE, make_loop

import hoopsnake

pytest.importorskip("anyio")
import anyio
from anyio import abc, from_thread, to_process, to_thread
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.tls import TLSListener, TLSStream

LARGE = 3_000_000
LOOP_CLASS = asyncio.SelectorEventLoop if ON_REFERENCE else hoopsnake.EventLoop


async def echo(stream: abc.SocketStream) -> None:
    async with stream:
        async for data in stream:
            await stream.send(data)


@asynccontextmanager
async def serving(listener: abc.Listener) -> AsyncIterator[None]:
    """Accept until the block ends, and then wait until the clients have gone.

    Handlers are not cancelled: anyio's Unix sockets cannot bear that in the very turn in which the
    peer closes, on whatever loop.
    """
    async with listener, anyio.create_task_group() as handling:
        async with anyio.create_task_group() as accepting:
            accepting.start_soon(listener.serve, echo, handling)
            yield
            accepting.cancel_scope.cancel()


async def exchange(stream: abc.ByteStream, payload: bytes) -> bytes:
    """Send all of it while it comes back."""
    received = bytearray()
    async with anyio.create_task_group() as group:
        group.start_soon(stream.send, payload)
        while len(received) < len(payload):
            received += await stream.receive()
    return bytes(received)


def test_anyio_runs_on_the_loop_that_a_factory_makes() -> None:
    async def main(argument: int) -> tuple[type, int]:
        await anyio.sleep(0)
        return type(asyncio.get_running_loop()), argument

    options = {"loop_factory": make_loop}
    kind, argument = anyio.run(main, 7, backend="asyncio", backend_options=options)
    assert issubclass(kind, LOOP_CLASS)
    assert argument == 7


async def test_a_failing_child_cancels_its_siblings() -> None:
    cancelled = []

    async def sibling(name: str, *, task_status: abc.TaskStatus[str]) -> None:
        task_status.started(name.upper())
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            cancelled.append(name)
            raise

    async def fail() -> None:
        raise LookupError("the child")

    with pytest.raises(ExceptionGroup) as raised:
        async with anyio.create_task_group() as group:
            assert await group.start(sibling, "first") == "FIRST"
            assert await group.start(sibling, "second") == "SECOND"
            group.start_soon(fail)
    assert [str(error) for error in raised.value.exceptions] == ["the child"]
    assert sorted(cancelled) == ["first", "second"]


async def test_scopes_cancel_what_is_inside_and_no_more() -> None:
    steps = []
    with anyio.fail_after(10):
        with anyio.move_on_after(0.01) as inner:
            try:
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(0.01)
                    steps.append("cleaned up in the shield")
        steps.append("went on")
    assert inner.cancelled_caught
    assert steps == ["cleaned up in the shield", "went on"]
    with pytest.raises(TimeoutError):
        with anyio.fail_after(0.01):
            await anyio.sleep_forever()


async def test_a_cancelled_scope_cancels_each_further_wait() -> None:
    """Level cancellation, which anyio does by calls to `call_soon` of its own."""
    waits = 0
    with anyio.CancelScope() as scope:
        scope.cancel()
        while waits < 5:
            try:
                await anyio.sleep_forever()
            except anyio.get_cancelled_exc_class():
                waits += 1
    assert waits == 5
    await anyio.sleep(0)


async def test_memory_streams_carry_items_between_tasks() -> None:
    sending, receiving = anyio.create_memory_object_stream[int](3)

    async def produce(stream: abc.ObjectSendStream[int], numbers: range) -> None:
        async with stream:
            for number in numbers:
                await stream.send(number)

    async with anyio.create_task_group() as group, receiving:
        for start in (0, 100, 200):
            group.start_soon(produce, sending.clone(), range(start, start + 100))
        sending.close()
        assert sorted([number async for number in receiving]) == list(range(300))


async def test_megabytes_over_tcp_by_many_clients() -> None:
    payloads = [os.urandom(LARGE // 20) for _ in range(20)]
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(abc.SocketAttribute.local_port)

    async def client(payload: bytes) -> None:
        async with await anyio.connect_tcp("localhost", port) as stream:
            assert await exchange(stream, payload) == payload
            await stream.send_eof()
            with pytest.raises(anyio.EndOfStream):
                await stream.receive()

    async with serving(listener), anyio.create_task_group() as group:
        for payload in payloads:
            group.start_soon(client, payload)


async def test_a_cancelled_receive_leaves_the_stream_usable() -> None:
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(abc.SocketAttribute.local_port)
    async with serving(listener), await anyio.connect_tcp("127.0.0.1", port) as stream:
        for number in range(20):
            with anyio.move_on_after(0.001) as scope:
                await stream.receive()
            assert scope.cancelled_caught
            await stream.send(b"%d" % number)
            assert await stream.receive() == b"%d" % number


async def test_megabytes_over_tls(server_tls: object, client_tls: object) -> None:
    payload = os.urandom(LARGE)
    plain = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = plain.extra(abc.SocketAttribute.local_port)
    async with serving(TLSListener(plain, server_tls, standard_compatible=False)):
        stream = await anyio.connect_tcp("127.0.0.1", port)
        async with await TLSStream.wrap(
            stream, hostname="localhost", ssl_context=client_tls, standard_compatible=False
        ) as secure:
            assert await exchange(secure, payload) == payload


async def test_unix_sockets_carry_bytes_and_descriptors(socket_path: str, tmp_path: Path) -> None:
    """Unix sockets are driven by anyio itself, with add_reader and add_writer."""
    payload = os.urandom(LARGE)
    listener = await anyio.create_unix_listener(socket_path)
    async with serving(listener), await anyio.connect_unix(socket_path) as stream:
        assert await exchange(stream, payload) == payload

    ours, theirs = socket.socketpair(socket.AF_UNIX)
    (tmp_path / "note").write_text("passed on")
    async with (
        await abc.UNIXSocketStream.from_socket(ours) as sender,
        await abc.UNIXSocketStream.from_socket(theirs) as receiver,
    ):
        with (tmp_path / "note").open() as note:
            await sender.send_fds(b"here", [note])
        message, descriptors = await receiver.receive_fds(10, 1)
        with open(descriptors[0]) as passed:
            assert (message, passed.read()) == (b"here", "passed on")


async def test_closing_a_stream_ends_what_waits_for_it(socket_path: str) -> None:
    async def receive(stream: abc.SocketStream) -> None:
        with pytest.raises(anyio.ClosedResourceError):
            await stream.receive()

    listener = await anyio.create_unix_listener(socket_path)
    async with serving(listener), anyio.create_task_group() as group:
        stream = await anyio.connect_unix(socket_path)
        group.start_soon(receive, stream)
        await anyio.wait_all_tasks_blocked()
        await stream.aclose()


async def test_datagrams() -> None:
    async with (
        await anyio.create_udp_socket(local_host="127.0.0.1") as server,
        await anyio.create_connected_udp_socket(
            "127.0.0.1", server.extra(abc.SocketAttribute.local_port)
        ) as client,
    ):
        await client.send(b"question")
        data, sender = await server.receive()
        await server.sendto(data.upper(), *sender)
        assert await client.receive() == b"QUESTION"


async def test_threads_call_and_are_called() -> None:
    limiter = anyio.CapacityLimiter(3)
    names = set()

    async def on_the_loop(number: int) -> int:
        assert threading.current_thread() is threading.main_thread()
        await anyio.sleep(0)
        return number * 2

    def in_a_thread(number: int) -> int:
        names.add(threading.current_thread().name)
        return from_thread.run(on_the_loop, number) + from_thread.run_sync(abs, -1)

    results = {}

    async def ask(number: int) -> None:
        results[number] = await to_thread.run_sync(in_a_thread, number, limiter=limiter)

    async with anyio.create_task_group() as group:
        for number in range(60):
            group.start_soon(ask, number)
    assert results == {number: 2 * number + 1 for number in range(60)}
    assert 1 <= len(names) <= 3


def test_a_portal_runs_the_loop_in_a_thread_of_its_own() -> None:
    async def where() -> tuple[bool, bool]:
        await anyio.sleep(0)
        loop = asyncio.get_running_loop()
        on_main_thread = threading.current_thread() is threading.main_thread()
        return isinstance(loop, LOOP_CLASS), on_main_thread

    options = {"loop_factory": make_loop}
    with from_thread.start_blocking_portal(backend_options=options) as portal:
        assert portal.call(where) == (True, False)
        waiting = portal.start_task_soon(anyio.sleep_forever)
        waiting.cancel()
    assert waiting.cancelled()


async def test_processes_are_fed_read_and_ended() -> None:
    shout = "import sys; print(sys.stdin.read().upper(), end=''); sys.exit(3)"
    done = await anyio.run_process([sys.executable, "-c", shout], input=b"loud", check=False)
    assert (done.returncode, done.stdout) == (3, b"LOUD")
    with pytest.raises(subprocess.CalledProcessError):
        await anyio.run_process([sys.executable, "-c", "raise SystemExit(1)"])

    waits = "print('ready', flush=True); import time; time.sleep(60)"
    async with await anyio.open_process([sys.executable, "-c", waits]) as process:
        assert process.stdout is not None
        output = BufferedByteReceiveStream(process.stdout)
        assert await output.receive_until(b"\n", 100) == b"ready"
        process.terminate()
        assert await process.wait() == -signal.SIGTERM


def test_a_function_runs_in_a_worker_process() -> None:
    # Not as a coroutine like the others: anyio ends the worker as `anyio.run` ends.
    options = {"loop_factory": make_loop}
    assert anyio.run(to_process.run_sync, pow, 2, 100, backend_options=options) == 2**100


async def test_signals_are_received_in_order() -> None:
    with anyio.open_signal_receiver(signal.SIGUSR1, signal.SIGUSR2) as signals:
        os.kill(os.getpid(), signal.SIGUSR2)
        assert await anext(signals) == signal.SIGUSR2
        os.kill(os.getpid(), signal.SIGUSR1)
        assert await anext(signals) == signal.SIGUSR1


async def test_files_are_written_and_read(tmp_path: Path) -> None:
    folder = anyio.Path(tmp_path)
    async with await anyio.open_file(folder / "notes", "w") as file:
        await file.writelines(f"line {number}\n" for number in range(1000))
    assert len((await (folder / "notes").read_text()).splitlines()) == 1000


PLUGIN_TESTS = """
import asyncio
import anyio
import pytest
from loop_under_test import make_loop
import hoopsnake

@pytest.fixture
def anyio_backend():
    return "asyncio", {"loop_factory": make_loop}

@pytest.fixture
async def loop_of_the_fixture():
    yield asyncio.get_running_loop()
    await anyio.sleep(0)

@pytest.mark.anyio
async def test_the_loop_is_the_one_of_the_fixture(loop_of_the_fixture):
    assert asyncio.get_running_loop() is loop_of_the_fixture
    print("ran on hoopsnake:", isinstance(loop_of_the_fixture, hoopsnake.EventLoop))

@pytest.mark.anyio
async def test_a_failure_is_told():
    with anyio.fail_after(0.001):
        await anyio.sleep_forever()
"""


def test_the_pytest_plugin_takes_our_loop(tmp_path: Path) -> None:
    (tmp_path / "test_plugin.py").write_text(PLUGIN_TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", "-c", os.devnull, "."],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "FAILED test_plugin.py::test_a_failure_is_told - TimeoutError" in done.stdout
    assert f"ran on hoopsnake: {not ON_REFERENCE}" in done.stdout
