"""A WSGI application as an ASGI one: each request to a thread, and its orders carried out."""

from __future__ import annotations

import asyncio
import contextvars
import io
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

from hoopsnake._errors import ClientDisconnected
from hoopsnake._journal import Journal
from hoopsnake._wsgi.environ import Environs
from hoopsnake._wsgi.exchange import END, FETCH, Exchange
from hoopsnake._wsgi.request_body import blocking_file
from hoopsnake._wsgi.thread_pool import ThreadPool
from hoopsnake._wsgi.wakeups import Wakeups

__all__ = ["WsgiApplication"]

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

# A body that is no longer is taken in before a thread is: so a slow client holds none.
_TAKEN_IN_FIRST = 64 * 1024
# So much of a longer body goes to the thread at once, if it is there.
_FETCHED_AT_ONCE = 256 * 1024


class WsgiApplication:
    """Serves a WSGI application; made on the loop that serves it."""

    def __init__(
        self,
        application: Callable[..., Iterable[bytes]],
        *,
        threads: int,
        root_path: str,
        journal: Journal,
        has_peers: bool = False,
    ) -> None:
        self._application = application
        self._journal = journal
        self._environs = Environs(root_path, threads, has_peers)
        self._pool = ThreadPool(threads, "wsgi")
        self._loop = asyncio.get_running_loop()
        self._wakeups = Wakeups(self._loop)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; a WebSocket is refused with 403."""
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})
            return
        exchange = Exchange(
            self._wakeups,
            is_head=scope["method"] == "HEAD",
            sends_files="http.response.zerocopysend" in scope["extensions"],
        )
        length = _short_length(scope)
        file: Any
        if length is None:
            file = blocking_file(exchange.fetch)
        elif length:
            file = io.BytesIO(await _whole_body(receive))
        else:
            file = io.BytesIO()
        environ = partial(self._environs.of, scope, file)
        context = contextvars.copy_context()
        application = self._application
        self._pool.submit(lambda: context.run(exchange.run, application, environ))
        try:
            await self._attend(exchange, receive, send)
        except asyncio.CancelledError:
            # The thread goes on until it notices; what it raises then is still somebody's fault.
            exchange.leave(partial(self._tell, scope))
            raise

    def _tell(self, scope: Scope, raised: BaseException) -> None:
        request = f"{scope['method']} {scope['raw_path'].decode('latin-1')}"
        known = scope["extensions"].get("hoopsnake.request_id")
        request_id = None if known is None else known["id"]
        self._journal.application_failed(raised, request, True, False, request_id)

    async def close(self, patience: float, journal: Journal) -> None:
        """Wait for the threads, for `patience` seconds; tell of those that are still at work."""
        self._pool.close()
        await asyncio.to_thread(self._pool.join, patience)
        frames = sys._current_frames()
        for thread in self._pool.threads:
            frame = frames.get(thread.ident or 0)
            stack = "".join(traceback.format_stack(frame)) if frame is not None else ""
            journal.straggler(f"the thread {thread.name}, which cannot be cancelled\n{stack}")

    async def _attend(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        """Carry out a thread's orders until it is through; raise what has gone wrong."""
        orders = exchange.orders
        try:
            while True:
                while orders:
                    order = orders.popleft()
                    if order is END:
                        exchange.end()
                        return
                    if exchange.failure is not None:
                        continue
                    try:
                        if isinstance(order, dict):
                            await send(order)
                            continue
                        if order is FETCH:
                            exchange.fetched, exchange.body_ended = await _fetched(receive)
                        exchange.open_gate()
                    except Exception as error:
                        # The thread learns it from what it does next, and ends with it.
                        exchange.give_up(error)
                exchange.waiter = self._loop.create_future()
                await exchange.waiter
        except asyncio.CancelledError as cancelled:
            exchange.give_up(cancelled)
            raise


def _short_length(scope: Scope) -> int | None:
    """Tell the length of a short body; None if it is long or unknown, or its client wants a 100."""
    length = 0
    for name, value in scope["headers"]:
        if name == b"content-length":
            length = int(value)
        elif name in (b"transfer-encoding", b"expect"):
            return None
    if length == 0 and scope["http_version"] == "2":
        return None  # there a body needs no word of it in the head
    return length if length <= _TAKEN_IN_FIRST else None


async def _whole_body(receive: Receive) -> bytes:
    pieces, more = [], True
    while more:
        event = await receive()
        pieces.append(_piece(event))
        more = event["more_body"]
    return b"".join(pieces)


async def _fetched(receive: Receive) -> tuple[bytes, bool]:
    """Wait for a piece of the body, and take what there is beside it; whether that was its end."""
    pieces: list[bytes] = []
    size, more = 0, True
    event: dict[str, Any] | None = await receive()
    while event is not None:
        pieces.append(_piece(event))
        size, more = size + len(event["body"]), event["more_body"]
        if not more or size >= _FETCHED_AT_ONCE:
            break
        event = _at_once(receive) if size else await receive()
    return b"".join(pieces), not more


def _piece(event: dict[str, Any]) -> bytes:
    if event["type"] == "http.disconnect":
        raise ClientDisconnected("the client left before its request was there")
    body: bytes = event["body"]
    return body


def _at_once(receive: Receive) -> dict[str, Any] | None:
    """Return the next event if it is there; the server keeps one for whom nobody waits any more."""
    waiting = receive().__await__()
    try:
        next(waiting)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    waiting.close()
    return None
