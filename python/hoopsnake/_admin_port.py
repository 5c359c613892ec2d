"""Where operators look: metrics and health, on a port of their own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, cast

from hoopsnake._event_loop import EventLoop
from hoopsnake._exposition import OPEN_METRICS, TEXT, exposition, wants_open_metrics
from hoopsnake._journal import Journal
from hoopsnake._listening import open_sockets
from hoopsnake._metrics import Snapshot
from hoopsnake._native import Server
from hoopsnake._server_config import ServerConfig
from hoopsnake._server_limits import ServerLimits

__all__ = ["Snapshots", "Unready", "admin_port"]

Snapshots = Callable[[], Awaitable[Sequence[tuple[str | None, Snapshot]]]]
"""Takes the snapshots that are to be shown, each with the name of its worker, if there are any."""

# Its own, so that a crowd at the public port takes nothing away from whoever looks after it.
_LIMITS = ServerLimits(
    header_timeout=5.0,
    keep_alive_timeout=60.0,
    send_timeout=10.0,
    response_timeout=10.0,
    body_size=1024,
    head_size=16 * 1024,
    pipelined_requests=4,
    connections=64,
    concurrency=16,
    queue=64,
)
# How long its own requests may take at the end, in seconds.
_PATIENCE = 1.0
_PLAIN = "text/plain; charset=utf-8"
_PATHS = ("/metrics", "/health/live", "/health/ready")


Unready = Callable[[], str | None]
"""Tells why the application is not to be sent requests, if it is not."""


@contextlib.asynccontextmanager
async def admin_port(
    bind: str,
    journal: Journal,
    snapshots: Snapshots,
    unready: Unready,
    unix_mode: int | None = None,
) -> AsyncIterator[None]:
    """Serve `/metrics` and health on a place of its own, on the running loop.

    `snapshots` is called for each look at the metrics, and `unready` for each at the readiness.
    `unix_mode` is the access mode of a Unix socket's file. Raises ListenError if the place cannot
    be listened on.
    """
    config = ServerConfig(bind=(bind,), uds_permissions=unix_mode, backlog=128, limits=_LIMITS)
    loop = cast(EventLoop, asyncio.get_running_loop())
    answers = _Answers(snapshots, unready)
    server = Server(loop, answers, config, journal, None)
    with contextlib.closing(open_sockets(config)) as sockets:
        server.start(sockets)
        journal.admin_port(server.addresses)
        try:
            yield
        finally:
            sockets.close()
            server.drain(0.0)
            try:
                async with asyncio.timeout(_PATIENCE):
                    await server.drained()
            except TimeoutError:
                pass
            finally:
                server.abort()


class _Answers:
    """The ASGI application of the admin port."""

    def __init__(self, snapshots: Snapshots, unready: Unready) -> None:
        self._snapshots = snapshots
        self._unready = unready

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        if scope["type"] != "http":
            await receive()
            await send({"type": "websocket.close"})
            return
        status, content_type, text = await self._response(scope)
        headers = [
            (b"content-type", content_type.encode()),
            (b"cache-control", b"no-store"),
            (b"vary", b"accept"),
        ]
        if status == 405:
            headers.append((b"allow", b"GET, HEAD"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": text.encode()})

    async def _response(self, scope: dict[str, Any]) -> tuple[int, str, str]:
        path = scope["path"]
        if path not in ("/", *_PATHS):
            return 404, _PLAIN, "There is nothing here.\n"
        if scope["method"] not in ("GET", "HEAD"):
            return 405, _PLAIN, "This is only for looking.\n"
        if path == "/metrics":
            accept = b",".join(value for name, value in scope["headers"] if name == b"accept")
            open_metrics = wants_open_metrics(accept.decode("latin-1"))
            text = exposition(await self._snapshots(), open_metrics=open_metrics)
            return 200, OPEN_METRICS if open_metrics else TEXT, text
        if path == "/health/live":
            return 200, _PLAIN, "live\n"
        if path == "/health/ready":
            reason = self._unready()
            if reason is not None:
                return 503, _PLAIN, f"not ready: {reason}\n"
            return 200, _PLAIN, "ready\n"
        return 200, _PLAIN, "".join(f"{each}\n" for each in _PATHS)
