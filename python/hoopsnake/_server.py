"""`hoopsnake.serve`: an application from first to last request."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

from hoopsnake._attendants import Attendant, LoneProcess
from hoopsnake._errors import ServerError
from hoopsnake._event_loop import EventLoop
from hoopsnake._journal import Journal, configure_logging
from hoopsnake._lifespan import Lifespan
from hoopsnake._listening import open_sockets
from hoopsnake._native import Server
from hoopsnake._server_config import ServerConfig
from hoopsnake._stop import Stop
from hoopsnake._wsgi.interface import is_wsgi

if TYPE_CHECKING:
    from hoopsnake._wsgi.application import WsgiApplication

__all__ = ["serve", "serve_attended"]

# How long a cancelled request may take to clean up, in seconds.
_CANCELLATION_PATIENCE = 1.0


async def serve(
    application: Callable[..., Awaitable[None]] | Callable[..., Iterable[bytes]],
    config: ServerConfig | None = None,
) -> None:
    """Serve an application until a signal or a cancellation ends it; return when all has.

    An ASGI 3 `application` is called as `application(scope, receive, send)`: once for its lifespan,
    then for each request and each WebSocket (ASGI 3.0, asgi.readthedocs.io). A WSGI application is
    called as `application(environ, start_response)` for each request, in a thread (PEP 3333).
    `config` says where and how to serve, and which of both it is; None means the defaults of
    `ServerConfig`.

    In the main thread SIGINT (Ctrl-C) and SIGTERM stop the server: it accepts nothing more, lets
    requests finish for `config.graceful_timeout` seconds, cancels the rest, ends the application's
    lifespan and returns. A second signal cuts the waiting short. Cancelling the coroutine does the
    same, and then raises CancelledError.

    SIGHUP reads the certificate and its key again, as a change of the files does; without TLS the
    log says that there is nothing to read. Under systemd its variables are honoured: passed
    sockets, READY and the watchdog (docs/adr/0025).

    Raises ListenError if the address cannot be listened on, LifespanError if the application's
    startup fails, and ServerError if a TLS file cannot be used, if the application does not tell
    whether it is ASGI or WSGI, or if the running loop is not hoopsnake's.
    """
    config = config if config is not None else ServerConfig()
    loop = asyncio.get_running_loop()
    if not isinstance(loop, EventLoop):
        raise ServerError(
            f"hoopsnake.serve() needs hoopsnake's event loop, not {type(loop).__module__}."
            f"{type(loop).__qualname__}; start the program with hoopsnake.run() or `hoop run`"
        )
    configure_logging(config.log_level, config.log_format)
    journal = Journal()
    await serve_attended(application, config, journal, LoneProcess(journal))


async def serve_attended(
    application: Callable[..., Any],
    config: ServerConfig,
    journal: Journal,
    attendant: Attendant,
) -> None:
    """Serve as `serve` does, on a loop of hoopsnake's; `attendant` says when to stop."""
    loop = cast(EventLoop, asyncio.get_running_loop())
    threads = _in_threads(application, config, attendant, journal)
    called: Any = threads or application
    lifespan = Lifespan(called, "off" if threads else config.lifespan, journal)
    server = Server(loop, called, config, journal, lifespan.state)
    stop = attendant.stop
    is_serving = False

    def unready() -> str | None:
        return "stopping" if stop.asked.is_set() else None if is_serving else "starting"

    # Listening comes next: a taken port is told before the application has started anything. A
    # certificate that cannot be used was told before that, before any client was kept waiting.
    with contextlib.closing(open_sockets(config)) as sockets:
        async with _watched(server, loop, config, journal, unready):
            with attendant.attend(loop, server, config):
                try:
                    await _unless(stop.asked, lifespan.startup())
                    if not stop.asked.is_set():
                        server.start(sockets)
                        attendant.serving(server.addresses)
                        is_serving = True
                        await stop.asked.wait()
                finally:
                    # Whoever asked for it: not ready any more.
                    stop.asked.set()
                    try:
                        if is_serving:
                            await _unless(stop.at_once, asyncio.sleep(config.shutdown_delay))
                    finally:
                        sockets.close()
                        try:
                            attendant.stopping()
                        finally:
                            patience = config.graceful_timeout
                            await _wind_down(server, lifespan, stop, journal, patience)
                        if threads:
                            patience = _CANCELLATION_PATIENCE
                            await _unless(stop.at_once, threads.close(patience, journal))
                        attendant.stopped()


def _in_threads(
    application: Any, config: ServerConfig, attendant: Attendant, journal: Journal
) -> WsgiApplication | None:
    """Make an ASGI application of one that is WSGI; None if it is ASGI already."""
    if not is_wsgi(application, config.interface):
        return None
    from hoopsnake._wsgi.application import WsgiApplication
    from hoopsnake._wsgi.thread_pool import default_threads

    if config.lifespan == "on":
        raise ServerError("a WSGI application has no lifespan: leave out lifespan 'on'")
    return WsgiApplication(
        application,
        threads=config.wsgi_threads or default_threads(),
        root_path=config.root_path,
        journal=journal,
        has_peers=attendant.has_peers,
    )


@contextlib.asynccontextmanager
async def _watched(
    server: Server,
    loop: EventLoop,
    config: ServerConfig,
    journal: Journal,
    unready: Callable[[], str | None],
) -> AsyncIterator[None]:
    """Open the admin port, if one is wanted; `unready` tells it why the server is not ready."""
    if config.admin is None:
        yield
        return
    # Only here: who wants none need not load it.
    from hoopsnake._admin_port import admin_port
    from hoopsnake._metrics import snapshot

    async def snapshots() -> list[tuple[str | None, dict[str, Any]]]:
        return [(None, snapshot(server, loop))]

    server.measure()
    async with admin_port(config.admin, journal, snapshots, unready, config.uds_permissions):
        yield


async def _wind_down(
    server: Server, lifespan: Lifespan, stop: Stop, journal: Journal, patience: float
) -> None:
    """Stop in order: accept nothing more, drain, cancel, drop connections, end the lifespan."""
    server.drain(stop.linger)
    try:
        if server.open_connections or server.tasks():
            journal.stopping(server.open_connections, len(server.tasks()))
        # Idle connections that linger need as long as they were promised.
        await _unless(stop.at_once, server.drained(), max(patience, stop.linger))
        await _cancel_tasks(server, stop, journal)
    finally:
        server.abort()
        await _unless(stop.at_once, lifespan.shutdown(max(patience, _CANCELLATION_PATIENCE)))


async def _cancel_tasks(server: Server, stop: Stop, journal: Journal) -> None:
    tasks = server.tasks()
    if not tasks:
        return
    journal.cancelling(
        len(tasks), "told to stop at once" if stop.at_once.is_set() else "out of time"
    )
    for task in tasks:
        task.cancel("the server is stopping")
    _, stubborn = await asyncio.wait(tasks, timeout=_CANCELLATION_PATIENCE)
    for task in stubborn:
        journal.straggler(_described(task))


def _described(task: asyncio.Task[None]) -> str:
    """Name a task and show where it is."""
    stack = io.StringIO()
    task.print_stack(file=stack)
    return f"{task!r}\n{stack.getvalue().rstrip()}"


async def _unless(
    event: asyncio.Event, work: Awaitable[Any], patience: float | None = None
) -> None:
    """Await `work`, but give it up when `event` is set or `patience` seconds have passed.

    Raises what `work` raises.
    """
    task = asyncio.ensure_future(work)
    interruption = asyncio.create_task(event.wait())
    try:
        await asyncio.wait(
            (task, interruption), timeout=patience, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        interruption.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
    if not task.cancelled():
        task.result()
