"""Uses every public name as a program would; mypy and pyright check it, nothing runs it."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from pathlib import Path
from typing import Any, Literal, assert_type

import hoopsnake
from hoopsnake import (
    ClientDisconnected,
    DelayHistogram,
    EventLoop,
    LifespanError,
    ListenError,
    LoopStats,
    ServerConfig,
    ServerError,
    ServerLimits,
)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    try:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"hello"})
    except ClientDisconnected as gone:
        assert_type(gone, ClientDisconnected)
        lost: ConnectionError = gone
        raise lost from None


class Application:
    """An application may be an object with `__call__`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


async def answer() -> int:
    return 42


def run_programs() -> None:
    assert_type(hoopsnake.__version__, str)
    assert_type(hoopsnake.run(answer()), int)
    assert_type(hoopsnake.run(answer(), debug=True), int)
    with asyncio.Runner(loop_factory=hoopsnake.new_event_loop) as runner:
        assert_type(runner.run(answer()), int)
    hoopsnake.install()


def look_at(loop: EventLoop) -> None:
    stats = loop.stats()
    assert_type(stats, LoopStats)
    assert_type(stats - stats, LoopStats)
    assert_type(stats.turns + stats.callbacks + stats.ready + stats.timers + stats.transports, int)
    assert_type(stats.callback_seconds + stats.parked_seconds + stats.gil_seconds, float)
    delays = stats.ready_delays - stats.ready_delays
    assert_type(delays, DelayHistogram)
    assert_type(delays.counts, tuple[int, ...])
    assert_type(delays.bounds, tuple[float, ...])
    assert_type(delays.total, int)
    assert_type(delays.quantile(0.99), float)


def configure() -> ServerConfig:
    config = ServerConfig(
        host="0.0.0.0",
        port=80,
        backlog=100,
        root_path="/shop",
        lifespan="on",
        log_level="debug",
        access_log=True,
        log_format="json",
        request_id_header="X-Request-ID",
        forwarded_allow_ips=("10.0.0.0/8", "unix"),
        forwarded_header="forwarded",
        forwarded_parts=("for", "host"),
        admin="127.0.0.1:9000",
        shutdown_delay=1.5,
        graceful_timeout=2.5,
        limits=ServerLimits(header_timeout=5, body_size=None, concurrency=0),
    )
    assert_type(config.limits, ServerLimits)
    assert_type(config.limits.header_timeout, float | None)
    assert_type(config.limits.body_size, int | None)
    assert_type(config.limits.queue, int)
    assert_type(config.host, str)
    assert_type(config.port, int)
    assert_type(config.backlog, int)
    assert_type(config.root_path, str)
    assert_type(config.lifespan, Literal["auto", "on", "off"])
    assert_type(config.log_level, Literal["critical", "error", "warning", "info", "debug"])
    assert_type(config.access_log, bool)
    assert_type(config.log_format, Literal["text", "json"])
    assert_type(config.request_id_header, str | None)
    assert_type(config.forwarded_allow_ips, tuple[str, ...])
    assert_type(config.admin, str | None)
    assert_type(config.shutdown_delay, float)
    assert_type(hoopsnake.request_id(), str | None)
    assert_type(config.graceful_timeout, float)
    ServerConfig(uds="/run/shop.sock")
    return ServerConfig(uds=Path("/run/shop.sock"))


async def serve() -> None:
    try:
        assert_type(await hoopsnake.serve(application), None)
        await hoopsnake.serve(Application(), configure())
        await hoopsnake.serve(application, config=ServerConfig(port=0))
    except ListenError as error:
        refused: ServerError = error
        raise refused from None
    except LifespanError as error:
        raise SystemExit(str(error)) from None


def schedule(loop: EventLoop) -> None:
    """The loop is asyncio's, and may be handed to whatever wants one."""
    standard: asyncio.AbstractEventLoop = loop
    assert_type(hoopsnake.new_event_loop(), EventLoop)

    def add(left: int, right: int) -> int:
        return left + right

    context: Context = copy_context()
    assert_type(loop.call_soon(add, 1, 2), asyncio.Handle)
    assert_type(loop.call_soon(add, 1, 2, context=context), asyncio.Handle)
    assert_type(loop.call_soon_threadsafe(add, 1, 2), asyncio.Handle)
    timer = loop.call_later(0.5, add, 1, 2)
    assert_type(timer, asyncio.TimerHandle)
    assert_type(timer.when(), float)
    assert_type(loop.call_at(loop.time() + 1, add, 1, 2), asyncio.TimerHandle)
    timer.cancel()
    loop.add_signal_handler(signal.SIGUSR1, add, 1, 2)
    assert_type(loop.remove_signal_handler(signal.SIGUSR1), bool)
    loop.set_debug(True)
    assert_type(loop.get_debug(), bool)
    loop.set_task_factory(None)
    assert_type(loop.run_until_complete(answer()), int)
    loop.run_forever()
    loop.stop()
    loop.close()
    assert_type(loop.is_closed(), bool)
    standard.close()


async def work(loop: EventLoop) -> None:
    task = loop.create_task(answer(), name="answer")
    assert_type(task, asyncio.Task[int])
    assert_type(await task, int)
    future: asyncio.Future[str] = loop.create_future()
    assert_type(await future, str)
    assert_type(await loop.run_in_executor(None, len, "four"), int)

    reader, writer = socket.socketpair()
    loop.add_reader(reader, reader.recv, 1)
    assert_type(loop.remove_reader(reader), bool)
    await loop.sock_sendall(writer, b"bytes")
    assert_type(await loop.sock_recv(reader, 5), bytes)

    server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
    assert_type(server, asyncio.Server)
    transport, protocol = await loop.create_connection(asyncio.Protocol, "127.0.0.1", 1)
    assert_type(transport, asyncio.Transport)
    assert_type(protocol, asyncio.Protocol)
