"""`hoopsnake.serve`: an ASGI or WSGI application from first to last request."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from hoopsnake._errors import ServerError
from hoopsnake._event_loop import EventLoop
from hoopsnake._journal import Journal, configure_logging
from hoopsnake._lifespan import Lifespan
from hoopsnake._native import Server
from hoopsnake._server_config import ServerConfig
from hoopsnake._wsgi.interface import is_wsgi

if TYPE_CHECKING:
    from hoopsnake._wsgi.application import WsgiApplication

__all__ = ["serve"]

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

    With TLS, SIGHUP reads the certificate and its key again; so does a change of the files.

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
    configure_logging(config.log_level)
    journal = Journal()
    threads = _in_threads(application, config)
    called: Any = threads or application
    lifespan = Lifespan(called, "off" if threads else config.lifespan, journal)
    # Listening comes first: a taken port is told before the application has started anything.
    server = Server(loop, called, config, journal, lifespan.state)
    stop = _Stop()
    with stop.on_signals(loop), _renewing(server, loop, config):
        try:
            await _unless(stop.asked, lifespan.startup())
            if not stop.asked.is_set():
                server.start()
                journal.serving(server.address)
                await stop.asked.wait()
        finally:
            await _wind_down(server, lifespan, stop, journal, config.graceful_timeout)
            if threads:
                await _unless(stop.at_once, threads.close(_CANCELLATION_PATIENCE, journal))


def _in_threads(application: Any, config: ServerConfig) -> WsgiApplication | None:
    """Make an ASGI application of one that is WSGI; None if it is ASGI already."""
    if not is_wsgi(application, config.interface):
        return None
    from hoopsnake._wsgi.application import WsgiApplication
    from hoopsnake._wsgi.thread_pool import default_threads

    if config.lifespan == "on":
        raise ServerError("a WSGI application has no lifespan: leave out lifespan 'on'")
    threads = config.wsgi_threads or default_threads()
    return WsgiApplication(application, threads=threads, root_path=config.root_path)


class _Stop:
    """What has been asked for: a stop, and then perhaps a stop at once."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.at_once = asyncio.Event()

    def ask(self) -> None:
        """Take a signal."""
        (self.at_once if self.asked.is_set() else self.asked).set()

    @contextlib.contextmanager
    def on_signals(self, loop: EventLoop) -> Iterator[None]:
        """Listen to SIGINT and SIGTERM where Python lets us: in the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        previous = {
            each: (loop._signal_handlers.get(each), signal.getsignal(each))
            for each in (signal.SIGINT, signal.SIGTERM)
        }
        for each in previous:
            loop.add_signal_handler(each, self.ask)
        try:
            yield
        finally:
            for each, (on_loop, handler) in previous.items():
                loop.remove_signal_handler(each)
                if on_loop is not None:
                    loop.add_signal_handler(each, on_loop._run)
                else:
                    signal.signal(each, handler)


@contextlib.contextmanager
def _renewing(server: Server, loop: EventLoop, config: ServerConfig) -> Iterator[None]:
    """Let SIGHUP read the TLS files again, where there are any and nobody else wants it."""
    unwanted = (
        config.ssl_certfile is None
        or threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL
    )
    if unwanted:
        yield
        return
    loop.add_signal_handler(signal.SIGHUP, server.renew_certificates)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


async def _wind_down(
    server: Server, lifespan: Lifespan, stop: _Stop, journal: Journal, patience: float
) -> None:
    """Stop in order: accept nothing more, drain, cancel, drop connections, end the lifespan."""
    server.drain()
    try:
        if server.open_connections or server.tasks():
            journal.stopping(server.open_connections, len(server.tasks()))
            await _unless(stop.at_once, server.drained(), patience)
        await _cancel_tasks(server, stop, journal)
    finally:
        server.abort()
        await _unless(stop.at_once, lifespan.shutdown(max(patience, _CANCELLATION_PATIENCE)))
    journal.stopped()


async def _cancel_tasks(server: Server, stop: _Stop, journal: Journal) -> None:
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
        journal.straggler(repr(task))


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
