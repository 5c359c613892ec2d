"""The server under test: an ordinary one, on a loop in a thread or on the loop that runs."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, cast

from hoopsnake._errors import LifespanError, ServerError
from hoopsnake._event_loop import EventLoop, run
from hoopsnake._native import Server
from hoopsnake._server import serve_attended
from hoopsnake._server_config import ServerConfig
from hoopsnake._stop import Stop
from hoopsnake._wsgi.interface import is_wsgi
from hoopsnake.web._app import App
from hoopsnake.web._test_client.witness import Witness

__all__ = ["Served", "ServedHere", "ServedInThread"]


class Served:
    """A server for one application, on a port that the system chose. It is its own attendant."""

    has_peers = False

    def __init__(self, application: Callable[..., Any], config: ServerConfig, raises: bool) -> None:
        self._application = _named_scope(application, config)
        self._config = config
        self.witness = Witness(raises)
        self.port = 0
        self.loop: EventLoop | None = None
        self._server: Server | None = None
        self._conversations = 0
        self._waiters: set[concurrent.futures.Future[None]] = set()
        self._failure: BaseException | None = None

    # What `serve_attended` tells.

    @contextlib.contextmanager
    def attend(self, loop: EventLoop, server: Server, config: ServerConfig) -> Iterator[None]:
        """Take the server."""
        self._server = server
        yield

    def serving(self, addresses: Sequence[str]) -> None:
        """Take the port."""
        self.port = int(addresses[0].rpartition(":")[2])
        self._started()

    def stopping(self) -> None:
        """Nothing waits for that."""

    def stopped(self) -> None:
        """Nothing waits for that either: the end of the coroutine says it."""

    def _started(self) -> None:
        raise NotImplementedError

    async def _serve(self) -> None:
        self.loop = cast(EventLoop, asyncio.get_running_loop())
        self.stop = Stop()
        try:
            await serve_attended(self._application, self._config, self.witness, self)
        except LifespanError as error:
            # What the application has raised is what its test is about.
            self._failure = error.__cause__ or error
        except BaseException as error:
            self._failure = error
            raise
        finally:
            for waiter in self._waiters:
                waiter.cancel()

    # What a conversation asks for, in whatever thread.

    def settle(self, port: int, timeout: float | None) -> None:
        """Wait until the application is through with the connection of a client's `port`.

        That is after its background tasks. Raises TimeoutError after `timeout` seconds.
        """
        waiter: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._waiters.add(waiter)
        try:
            assert self.loop is not None
            self.loop.call_soon_threadsafe(self._look, port, waiter)
            waiter.result(timeout)
        except (RuntimeError, concurrent.futures.CancelledError):
            # The loop is closed, or ends: no task of the application is left on it.
            if self._failure is not None:
                raise self._failure from None
        except concurrent.futures.TimeoutError:
            raise TimeoutError(
                f"the application is still at work {timeout:g} s after its response"
            ) from None
        finally:
            self._waiters.discard(waiter)

    def dismiss(self, port: int, patience: float) -> None:
        """Cancel what works for a connection whose client has left, after `patience` seconds."""
        try:
            self.settle(port, patience)
        except TimeoutError:
            assert self.loop is not None
            with contextlib.suppress(RuntimeError):
                self.loop.call_soon_threadsafe(self._cancel, port)

    def _cancel(self, port: int) -> None:
        for each in self._tasks_of(port):
            each.cancel("its client has left")

    def _tasks_of(self, port: int) -> list[asyncio.Task[None]]:
        assert self._server is not None
        return [each for each in self._server.tasks() if self._is_of(each, port)]

    def _look(self, port: int, waiter: concurrent.futures.Future[None]) -> None:
        tasks = self._tasks_of(port)
        if tasks:
            # The server takes a task off its list a moment after its end, so look again.
            watch = asyncio.ensure_future(asyncio.wait(tasks))
            watch.add_done_callback(lambda _: self._look(port, waiter))
        elif not waiter.done():
            waiter.set_result(None)

    def _is_of(self, task: asyncio.Task[None], port: int) -> bool:
        """Whether a task works for a connection; its scope tells, in the frame of its coroutine."""
        frame = getattr(task.get_coro(), "cr_frame", None)
        scope = frame.f_locals.get("scope") if frame is not None else None
        client = scope.get("client") if isinstance(scope, dict) else None
        if client is None:
            return self._conversations <= 1
        return bool(client[1] == port)

    @contextlib.contextmanager
    def conversation(self) -> Iterator[None]:
        """Count a request or a WebSocket for as long as it goes on."""
        self._conversations += 1
        try:
            yield
        finally:
            self._conversations -= 1


class ServedInThread(Served):
    """A server with a loop and a thread of its own."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hoopsnake-test-client", daemon=True)

    def start(self) -> None:
        """Return when it serves; raises what the application raises at its start."""
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def end(self) -> None:
        """Stop it, and wait for that; raises what the application raises at its end."""
        if self._thread.is_alive() and self.loop is not None:
            # It may end by itself at any moment.
            with contextlib.suppress(RuntimeError):
                self.loop.call_soon_threadsafe(self.stop.asked.set)
        self._thread.join()
        self.witness.raise_end()

    def _started(self) -> None:
        self._ready.set()

    def _run(self) -> None:
        try:
            run(self._serve())
        except BaseException as error:
            self._failure = error
        finally:
            self._ready.set()


class ServedHere(Served):
    """A server on the loop that runs, which is one of ours."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return when it serves; raises what the application raises at its start."""
        self._task = asyncio.create_task(self._serve(), name="test client's server")
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait((ready, self._task), return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self._task.done():
            self._task.result()
            raise self._failure or ServerError("the server ended before it served")

    async def end(self) -> None:
        """Stop it, and wait for that; raises what the application raises at its end."""
        if self._task is not None:
            self.stop.asked.set()
            await self._task
        self.witness.raise_end()

    def _started(self) -> None:
        self._ready.set()


def _named_scope(application: Callable[..., Any], config: ServerConfig) -> Callable[..., Any]:
    """Give an application a frame that has its scope by that name; an `App` has one."""
    if isinstance(application, App) or is_wsgi(application, config.interface):
        return application

    async def asgi(
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        await application(scope, receive, send)

    return asgi
