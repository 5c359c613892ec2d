"""The asyncio event loop whose engine is a tokio current-thread runtime."""

from __future__ import annotations

import asyncio
import os
import selectors
import signal
import socket
import sys
import threading
import weakref
from asyncio import constants, events, futures, sslproto, trsock
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, TypeVarTuple, cast

from hoopsnake import _thread_pool
from hoopsnake._native import (
    Acceptor,
    BlockingCall,
    Clients,
    DatagramTransport,
    LoopCore,
    SocketTransport,
    TLSProtocol,
    TLSTransport,
    TransportTable,
)

if TYPE_CHECKING:
    import ssl

    from hoopsnake._loop_stats import LoopStats

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

# Those whose addresses the engine can tell as Python's sockets do.
FAMILIES = (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX)


class EventLoop(LoopCore, asyncio.SelectorEventLoop):
    """An asyncio event loop that runs on Rust.

    Scheduling, timers, readiness of file descriptors, transports and TLS (by the program's own
    `ssl.SSLContext`) are native. What is not on a hot path (name resolution, subprocesses, …) is
    the code of CPython's own loop for Unix, running on top, so it behaves as the standard library
    documents.
    """

    # What is used of the standard library's loop beyond its documented interface (docs/adr/0003).
    _accept_connection: Callable[..., None]
    _asyncgen_finalizer_hook: Callable[[AsyncGenerator[Any, Any]], None]
    _asyncgen_firstiter_hook: Callable[[AsyncGenerator[Any, Any]], None]
    _check_callback: Callable[[object, str], None]
    _check_closed: Callable[[], None]
    _check_default_executor: Callable[[], None]
    _check_running: Callable[[], None]
    _check_thread: Callable[[], None]
    _csock: socket.socket
    _current_handle: asyncio.Handle | None
    _default_executor: Executor | None
    _ensure_fd_no_transport: Callable[[socket.socket], None]
    _make_self_pipe: Callable[[], None]
    _set_coroutine_origin_tracking: Callable[[bool], None]
    _stopping: bool
    _thread_id: int | None

    def __init__(self) -> None:
        # Not the selector loop's own __init__: it would open a selector that nobody uses.
        asyncio.BaseEventLoop.__init__(self)
        self._selector = _Watched(self)
        self._transports = TransportTable(self)
        self._signal_handlers: dict[int, asyncio.Handle] = {}
        self._unix_server_sockets: dict[socket.socket, int] = {}
        self._make_self_pipe()

    def run_forever(self) -> None:
        """Run until `stop()` is called.

        Raises RuntimeError if the loop is closed or runs already, or if another loop runs in this
        thread.
        """
        self._check_closed()
        self._check_running()
        if self._forked_while_running():
            self._run_in_thread()
            return
        self._set_coroutine_origin_tracking(self.get_debug())
        hooks = sys.get_asyncgen_hooks()
        previous_wakeup_fd = self._take_signal_wakeup()
        try:
            self._thread_id = threading.get_ident()
            sys.set_asyncgen_hooks(
                firstiter=self._asyncgen_firstiter_hook,
                finalizer=self._asyncgen_finalizer_hook,
            )
            events._set_running_loop(self)
            self._run()
        finally:
            self._stopping = False
            self._thread_id = None
            events._set_running_loop(None)
            self._set_coroutine_origin_tracking(False)
            sys.set_asyncgen_hooks(*hooks)
            self._return_signal_wakeup(previous_wakeup_fd)

    def _run_in_thread(self) -> None:
        """Run in a thread of its own: this one is inside the loop of the process that forked it."""
        failures: list[BaseException] = []

        def drive() -> None:
            try:
                self.run_forever()
            except BaseException as error:
                failures.append(error)

        thread = threading.Thread(target=drive, name="event loop")
        thread.start()
        thread.join()
        if failures:
            raise failures[0]

    def close(self) -> None:
        """Free what the loop holds; harmless when it is closed already.

        Raises RuntimeError while the loop runs.
        """
        super().close()
        self._close()

    def stats(self) -> LoopStats:
        """Tell what the loop has counted so far: turns, callbacks, delays, time parked.

        Counting is always on and costs a look at the clock each turn. May be called from any
        thread, also while a callback blocks the loop, and after the loop was closed.
        """
        from hoopsnake._loop_stats import DelayHistogram, LoopStats

        counted = self._statistics()
        delays = DelayHistogram(counted.pop("ready_delays"))
        return LoopStats(**counted, ready_delays=delays)

    def set_debug(self, enabled: bool) -> None:
        """Turn asyncio's debug mode on or off, from the next scheduled callback on."""
        super().set_debug(enabled)
        self._set_debug(enabled)

    def add_signal_handler(
        self, sig: int, callback: Callable[[*Arguments], object], *args: *Arguments
    ) -> None:
        """Call `callback(*args)` on the loop whenever the signal number `sig` arrives.

        Raises ValueError outside the main thread or for a signal that does not exist, RuntimeError
        for one that cannot be caught, and TypeError for a coroutine function.
        """
        super().add_signal_handler(sig, callback, *args)

    def remove_signal_handler(self, sig: int) -> bool:
        """Remove the handler of the signal number `sig`; return whether there was one.

        Raises ValueError for a signal that does not exist.
        """
        removed = super().remove_signal_handler(sig)
        if self.is_running() and not self.is_closed():
            # The standard library has just turned off the wake-up that Ctrl-C needs.
            self._take_signal_wakeup()
        return removed

    def run_in_executor(
        self,
        executor: Executor | None,
        func: Callable[[*Arguments], Result],
        *args: *Arguments,
    ) -> asyncio.Future[Result]:
        """Call `func(*args)` in a thread of `executor`; return what its result is awaited by.

        None means the loop's own threads. Cancelling the future keeps a call that has not begun
        from beginning; one that has goes on, and nobody learns its result.

        Raises RuntimeError if the loop is closed or the executor shut down, and in debug mode
        TypeError for a coroutine function.
        """
        self._check_closed()
        if executor is None:
            self._check_default_executor()
            if self._default_executor is None:
                self.set_default_executor(ThreadPoolExecutor(thread_name_prefix="asyncio"))
        pool = self._default_executor if executor is None else executor
        # Whoever brings an executor of their own class has their own idea of `submit`.
        if type(pool) is ThreadPoolExecutor and not self.get_debug():
            future: asyncio.Future[Result] = self.create_future()
            if _thread_pool.submit(pool, BlockingCall(self, future, func, args)):
                return future
        # It says what is wrong.
        return super().run_in_executor(executor, func, *args)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """Log an exception that nobody caught.

        Not told again is what has left, or will leave, `run_forever` itself: SystemExit and
        KeyboardInterrupt of a task.
        """
        leaves_the_loop = isinstance(context.get("exception"), (SystemExit, KeyboardInterrupt))
        if leaves_the_loop and "never retrieved" in context.get("message", ""):
            return
        super().default_exception_handler(context)

    def _add_callback(self, handle: asyncio.Handle) -> None:
        # The standard library queues its own handles, those of signals among them, through here.
        if not handle.cancelled():
            self.call_soon(handle._run)

    _add_callback_signalsafe = _add_callback

    def _take_signal_wakeup(self) -> int | None:
        """Let signals wake the loop even while it is parked; None outside the main thread."""
        if threading.current_thread() is not threading.main_thread():
            return None
        return signal.set_wakeup_fd(self._csock.fileno(), warn_on_full_buffer=False)

    def _return_signal_wakeup(self, previous: int | None) -> None:
        if previous is not None and not self._signal_handlers:
            signal.set_wakeup_fd(previous)

    def _start_serving(
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        sock: socket.socket,
        sslcontext: Any = None,
        server: Any = None,
        backlog: int = 100,
        ssl_handshake_timeout: float | None = constants.SSL_HANDSHAKE_TIMEOUT,
        ssl_shutdown_timeout: float | None = constants.SSL_SHUTDOWN_TIMEOUT,
    ) -> None:
        arguments = (
            *(protocol_factory, sock, sslcontext, server, backlog),
            *(ssl_handshake_timeout, ssl_shutdown_timeout),
        )
        if type(getattr(server, "_clients", None)) is weakref.WeakSet and not server._clients:
            server._clients = Clients(self)
        # A class of the program's own may accept in its own way.
        if _is_plain(sock):
            self._add_reader(sock.fileno(), Acceptor(self, *arguments))
        else:
            self._add_reader(sock.fileno(), self._accept_connection, *arguments)

    def _out_of_resources(self, error: OSError, arguments: tuple[Any, ...]) -> None:
        """Leave a listening socket alone for a while: nothing more can be accepted now."""
        sock: socket.socket = arguments[1]
        self.call_exception_handler(
            {
                "message": "socket.accept() out of system resource",
                "exception": error,
                "socket": trsock.TransportSocket(sock),
            }
        )
        if sock.fileno() != -1:
            self._remove_reader(sock.fileno())
            self.call_later(constants.ACCEPT_RETRY_DELAY, self._serve_again, arguments)

    def _serve_again(self, arguments: tuple[Any, ...]) -> None:
        # The server may have been closed while it waited.
        if arguments[1].fileno() != -1:
            self._start_serving(*arguments)

    def _make_socket_transport(
        self,
        sock: socket.socket,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None = None,
        *,
        extra: dict[str, Any] | None = None,
        server: Any = None,
    ) -> SocketTransport:
        self._ensure_fd_no_transport(sock)
        known = extra if _is_plain(sock) else _with_addresses(sock, extra)
        transport = SocketTransport(self, sock, protocol, known, server)  # pyright: ignore[reportCallIssue]
        transport._attach()
        self._begin(transport, sock, protocol, waiter)
        return transport

    def _make_datagram_transport(
        self,
        sock: socket.socket,
        protocol: asyncio.DatagramProtocol,
        address: Any = None,
        waiter: asyncio.Future[None] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> DatagramTransport:
        self._ensure_fd_no_transport(sock)
        known = _with_addresses(sock, extra)
        transport = DatagramTransport(self, sock, protocol, known, address)  # pyright: ignore[reportCallIssue]
        self._begin(transport, sock, protocol, waiter)
        return transport

    def _begin(
        self,
        transport: SocketTransport | DatagramTransport,
        sock: socket.socket,
        protocol: asyncio.BaseProtocol,
        waiter: asyncio.Future[None] | None,
    ) -> None:
        """Queue the beginning: tell the protocol, then read, then tell who waits for it."""
        self._transports[sock.fileno()] = transport
        self.call_soon(protocol.connection_made, transport)
        self.call_soon(transport._start)
        if waiter is not None:
            self.call_soon(futures._set_result_unless_cancelled, waiter, None)  # type: ignore[attr-defined]

    def _make_ssl_transport(
        self,
        rawsock: socket.socket,
        protocol: asyncio.BaseProtocol,
        sslcontext: Any,
        waiter: asyncio.Future[None] | None = None,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        extra: dict[str, Any] | None = None,
        server: Any = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
    ) -> asyncio.Transport:
        self._ensure_fd_no_transport(rawsock)
        try:
            tls = TLSProtocol(
                self,
                protocol,
                sslcontext or sslproto._create_transport_context(server_side, server_hostname),
                waiter,
                server_side=server_side,
                server_hostname=server_hostname,
                ssl_handshake_timeout=ssl_handshake_timeout,
                ssl_shutdown_timeout=ssl_shutdown_timeout,
            )
        except BaseException:
            # It was handed over, and nobody else will close it.
            rawsock.close()
            raise
        self._make_socket_transport(rawsock, tls, extra=extra, server=server)
        return tls.transport

    async def start_tls(
        self,
        transport: asyncio.BaseTransport,
        protocol: asyncio.BaseProtocol,
        sslcontext: ssl.SSLContext,
        *,
        server_side: bool = False,
        server_hostname: str | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
    ) -> TLSTransport:
        """Begin TLS on a connection; return the transport that `protocol` uses from now on.

        Timeouts are in seconds; 60 for the handshake and 30 for the shutdown where they are None.

        Raises TypeError for a transport that cannot carry TLS or a context that is none,
        ssl.SSLError if the handshake fails, ConnectionError if the peer leaves or takes too long.
        The transport is closed then.
        """
        if sslproto.ssl is None:  # type: ignore[attr-defined]
            raise RuntimeError("this Python was built without its ssl module")
        if not isinstance(sslcontext, sslproto.ssl.SSLContext):  # type: ignore[attr-defined]
            raise TypeError(
                f"sslcontext is expected to be an instance of ssl.SSLContext, got {sslcontext!r}"
            )
        if not getattr(transport, "_start_tls_compatible", False):
            raise TypeError(f"transport {transport!r} is not supported by start_tls()")
        waiter = self.create_future()
        tls = TLSProtocol(
            self,
            protocol,
            sslcontext,
            waiter,
            server_side=server_side,
            server_hostname=server_hostname,
            call_connection_made=False,
            ssl_handshake_timeout=ssl_handshake_timeout,
            ssl_shutdown_timeout=ssl_shutdown_timeout,
        )
        carrier = cast(asyncio.Transport, transport)
        # Nothing may arrive before the handshake has begun.
        carrier.pause_reading()
        carrier.set_protocol(tls)
        begun = self.call_soon(tls.connection_made, carrier)
        resumed = self.call_soon(carrier.resume_reading)
        try:
            await waiter
        except BaseException:
            transport.close()
            begun.cancel()
            resumed.cancel()
            raise
        return tls.transport


def _is_plain(sock: socket.socket) -> bool:
    """Whether the engine may do by itself what the methods of this socket would do."""
    return type(sock) is socket.socket and sock.family in FAMILIES


def _with_addresses(sock: socket.socket, extra: dict[str, Any] | None) -> dict[str, Any]:
    """Add a socket's own address and its peer's to what `get_extra_info` tells."""
    known: dict[str, Any] = dict(extra or {})
    for name, ask in (("sockname", sock.getsockname), ("peername", sock.getpeername)):
        if name not in known:
            try:
                known[name] = ask()
            except OSError:
                known[name] = None
    return known


def _send_held_before_fork() -> None:
    """What is held back in both, the parent and its child would both send."""
    loop = events._get_running_loop()
    if isinstance(loop, EventLoop):
        loop._send_held()


os.register_at_fork(before=_send_held_before_fork)


class _Watched:
    """What the standard library's transports ask of the selector when they show themselves."""

    def __init__(self, loop: EventLoop) -> None:
        # Weak, so that a loop is freed when its last user lets go of it.
        self._loop = weakref.ref(loop)

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        """Tell what a descriptor is watched for; KeyError if for nothing."""
        loop = self._loop()
        readable, writable = (False, False) if loop is None else loop._is_watched(fileobj)
        events = selectors.EVENT_READ * readable | selectors.EVENT_WRITE * writable
        if not events:
            raise KeyError(f"{fileobj!r} is not registered")
        fd = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        return selectors.SelectorKey(fileobj, fd, events, None)

    def select(self, timeout: float | None = None) -> NoReturn:
        """Refuse: there is nothing to poll, as only the engine runs the loop."""
        # nest_asyncio, known from notebooks, replaces the methods that run a loop and comes here.
        raise RuntimeError(
            "hoopsnake's event loop cannot be run inside itself, nor polled by others; "
            "await the coroutine instead, or use a loop in another thread"
        )

    def close(self) -> None:
        """Nothing is open here: the engine has the descriptors."""


def new_event_loop() -> EventLoop:
    """Make an event loop that runs on hoopsnake's engine, and return it.

    It is not set as the current loop, just as `asyncio.new_event_loop` does not. Whoever makes it
    closes it. Raises OSError if the system has no descriptors left for it.
    """
    return EventLoop()


def run(main: Coroutine[Any, Any, Result], *, debug: bool | None = None) -> Result:
    """Run the coroutine `main` on a new loop and return its result, as `asyncio.run` does.

    `debug` turns asyncio's debug mode on or off; None leaves it to the environment
    (`PYTHONASYNCIODEBUG`, `-X dev`). Ctrl-C cancels `main` and raises KeyboardInterrupt
    (`asyncio.Runner`). At the end, tasks that are left are cancelled and the loop is closed.

    Raises whatever `main` raises, ValueError or TypeError if it is no coroutine, and RuntimeError
    if a loop runs in this thread already.
    """
    if events._get_running_loop() is not None:
        raise RuntimeError("hoopsnake.run() cannot be called from a running event loop")
    with asyncio.Runner(debug=debug, loop_factory=new_event_loop) as runner:
        return runner.run(main)
