"""Requests that an ASGI application answers in this process, without a server or a socket."""

from __future__ import annotations

import asyncio
import copy
from typing import Any, Literal, Self
from urllib.parse import unquote

from hoopsnake._client._conversation import ASGIApplication, Conversation
from hoopsnake._client._request import Request
from hoopsnake._client._transports import Transport
from hoopsnake._journal import Journal
from hoopsnake._lifespan import Lifespan
from hoopsnake._native import Response

# Seconds that the end of a lifespan may take.
PATIENCE = 10.0
DEFAULT_PORTS = {"http": 80, "https": 443}


class ASGITransport(Transport):
    """Has an ASGI application answer a client's requests, in the client's own task and loop.

    A response is there once its head is: one that never ends can be streamed, and who closes it
    early has disconnected, of which the application hears. A response that is read to its end
    is over when the application has returned, its background tasks done.
    """

    def __init__(
        self,
        app: ASGIApplication,
        *,
        raise_app_exceptions: bool = True,
        root_path: str = "",
        client: tuple[str, int] = ("127.0.0.1", 123),
        lifespan: Literal["auto", "on", "off"] = "auto",
    ) -> None:
        """Take an application.

        Parameters: `raise_app_exceptions`, whether what the application raises is raised by the
        client too, or answered with 500; `root_path` and `client`, what the scope has for them;
        `lifespan`, whether the application is told of a start, as the client is entered or sends
        its first request, and of the end, as the client is closed: "auto" if it listens, "on" if
        it has to, "off" never.
        """
        self._app = app
        self._raises = raise_app_exceptions
        self._root_path = root_path
        self._client = client
        self._lifespan = Lifespan(app, lifespan, Journal())
        self._starting: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        """Start the application. Raises LifespanError if that fails."""
        await self._started()
        return self

    async def _started(self) -> None:
        if self._starting is None:
            self._starting = asyncio.create_task(self._lifespan.startup())
        await asyncio.shield(self._starting)

    async def handle_async_request(self, request: Request) -> Response:
        """Have the application answer."""
        await self._started()
        conversation = Conversation(request, self._raises)
        scope = self._scope(request)
        task = asyncio.create_task(conversation.run(self._app, scope), name="ASGI application")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            return await conversation.response()
        except BaseException:
            conversation.close()
            raise

    def _scope(self, request: Request) -> dict[str, Any]:
        url, headers = request.url, request.headers.copy()
        if isinstance(request.content, bytes):
            headers["content-length"] = str(len(request.content))
        elif request.content is not None:
            headers.setdefault("transfer-encoding", "chunked")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": url.scheme,
            "path": unquote(url.path),
            "raw_path": url.path.encode(),
            "query_string": url.query.encode(),
            "root_path": self._root_path,
            "headers": headers.raw,
            "client": self._client,
            "server": (url.host, url.port or DEFAULT_PORTS.get(url.scheme)),
            "state": copy.copy(self._lifespan.state),
            "extensions": {"http.response.trailers": {}},
        }

    async def aclose(self) -> None:
        """Cancel what is still at work in the application, and tell it of the end."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        starting, self._starting = self._starting, None
        if starting is None:
            return
        if not starting.done():
            starting.cancel()
            await asyncio.wait([starting])
        elif not starting.cancelled() and starting.exception() is None:
            await self._lifespan.shutdown(PATIENCE)
