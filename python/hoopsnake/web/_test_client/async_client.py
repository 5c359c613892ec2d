"""`AsyncTestClient`: an application asked from a test that is a coroutine."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

from hoopsnake._event_loop import EventLoop
from hoopsnake._server_config import ServerConfig
from hoopsnake.web._test_client.asking import Asking
from hoopsnake.web._test_client.async_parts import AsyncTestResponse, AsyncWebSocketTestSession
from hoopsnake.web._test_client.request import Options
from hoopsnake.web._test_client.response import TestResponse
from hoopsnake.web._test_client.served import Served, ServedHere, ServedInThread
from hoopsnake.web._test_client.websocket import connect

__all__ = ["AsyncTestClient"]

Result = TypeVar("Result")

# Each waits for one answer or one WebSocket; they are made as they are needed.
_MOST_THREADS = 1024


class AsyncTestClient(Asking):
    """`TestClient` for coroutines: the same options, the same requests, to be awaited.

    On a loop of hoopsnake's the application runs on that very loop, so that a test and its
    application may share what belongs to a loop. On another loop it gets one of its own, in a
    thread. `async with client:` runs the application's lifespan; without it there is none, and
    `aclose` ends the server.
    """

    __test__ = False

    def _ready(self) -> None:
        self._served: ServedHere | ServedInThread | None = None
        self._starting = asyncio.Lock()
        self._threads = ThreadPoolExecutor(_MOST_THREADS, "hoopsnake-test-client")

    # Requests.

    async def request(
        self, method: str, url: str, *, follow_redirects: bool | None = None, **options: Any
    ) -> TestResponse:
        """Send a request, and return the whole response."""
        return await self._request(method, url, follow_redirects, options, stream=False)

    async def get(self, url: str, **options: Any) -> TestResponse:
        """Send a GET."""
        return await self.request("GET", url, **options)

    async def options(self, url: str, **options: Any) -> TestResponse:
        """Send an OPTIONS."""
        return await self.request("OPTIONS", url, **options)

    async def head(self, url: str, **options: Any) -> TestResponse:
        """Send a HEAD."""
        return await self.request("HEAD", url, **options)

    async def post(self, url: str, **options: Any) -> TestResponse:
        """Send a POST."""
        return await self.request("POST", url, **options)

    async def put(self, url: str, **options: Any) -> TestResponse:
        """Send a PUT."""
        return await self.request("PUT", url, **options)

    async def patch(self, url: str, **options: Any) -> TestResponse:
        """Send a PATCH."""
        return await self.request("PATCH", url, **options)

    async def delete(self, url: str, **options: Any) -> TestResponse:
        """Send a DELETE."""
        return await self.request("DELETE", url, **options)

    @contextlib.asynccontextmanager
    async def stream(
        self, method: str, url: str, *, follow_redirects: bool | None = None, **options: Any
    ) -> AsyncIterator[AsyncTestResponse]:
        """Send a request; the response's body is read as it comes, with `aiter_bytes` and its like.

        Leaving the block early closes the connection, of which the application hears.
        """
        response = await self._request(method, url, follow_redirects, options, stream=True)
        streamed = AsyncTestResponse(response, self._in_thread)
        try:
            yield streamed
        finally:
            response.close()

    @contextlib.asynccontextmanager
    async def websocket_connect(
        self, url: str, subprotocols: Sequence[str] | None = None, **options: Any
    ) -> AsyncIterator[AsyncWebSocketTestSession]:
        """Open a WebSocket for a block; `options` are `params`, `headers` and `cookies`.

        Raises WebSocketDisconnect if the application does not accept: a WebSocketRefused, with its
        response.
        """
        served = await self._running()
        session = await self._in_thread(
            connect, self._exchange, served, url, subprotocols, Options(**options)
        )
        mirrored = AsyncWebSocketTestSession(session, self._in_thread)
        try:
            yield mirrored
        except BaseException:
            # What the test has raised counts.
            with contextlib.suppress(Exception):
                await mirrored.finish()
            raise
        await mirrored.finish()

    async def _request(
        self,
        method: str,
        url: str,
        follow_redirects: bool | None,
        options: dict[str, Any],
        *,
        stream: bool,
    ) -> TestResponse:
        follow = self.follow_redirects if follow_redirects is None else follow_redirects
        ask = functools.partial(self._exchange.request, follow_redirects=follow, stream=stream)
        return await self._in_thread(ask, await self._running(), method, url, Options(**options))

    async def _in_thread(self, call: Callable[..., Result], *arguments: Any) -> Result:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, functools.partial(call, *arguments))

    # Its life.

    async def __aenter__(self) -> AsyncTestClient:
        await self._stop()
        await self._start(self._exchange.config)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop the server, and with `async with` the application's lifespan."""
        await self._stop()
        self._threads.shutdown(wait=False)
        self._threads = ThreadPoolExecutor(_MOST_THREADS, "hoopsnake-test-client")

    async def _running(self) -> Served:
        async with self._starting:
            if self._served is None:
                await self._start(replace(self._exchange.config, lifespan="off"))
        assert self._served is not None
        return self._served

    async def _start(self, config: ServerConfig) -> None:
        if isinstance(asyncio.get_running_loop(), EventLoop):
            here = ServedHere(self.app, config, self._exchange.raises)
            await here.start()
            self._served = here
        else:
            elsewhere = ServedInThread(self.app, config, self._exchange.raises)
            await self._in_thread(elsewhere.start)
            self._served = elsewhere

    async def _stop(self) -> None:
        self._exchange.close()
        served, self._served = self._served, None
        if isinstance(served, ServedHere):
            await served.end()
        elif served is not None:
            await self._in_thread(served.end)
