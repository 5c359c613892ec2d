"""What carries a client's requests instead of its own connections."""

from __future__ import annotations

import asyncio
import datetime
import inspect
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from hoopsnake._client._errors import RequestError, TotalTimeout, shown
from hoopsnake._client._made import BodyTime
from hoopsnake._client._request import Request
from hoopsnake._client._settings import TimeoutTuple
from hoopsnake._native import URL, Response

# A client's own way to send a request: its response's body is still to be read.
Engine = Callable[[Request], Awaitable[Response]]


class Transport:
    """The base of what `Client(transport=…)` takes.

    A subclass has `handle_async_request`, which answers a request. One that goes around what
    carries requests otherwise has `exchange` instead, and finds that in `engine`.
    """

    async def handle_async_request(self, request: Request) -> Response:
        """Answer a request. What it raises, the client's caller gets."""
        raise NotImplementedError(f"{type(self).__name__} has no handle_async_request()")

    async def exchange(self, request: Request, engine: Engine) -> Response:
        """Answer a request of a client. `engine(request)` sends it over the client's connections.

        A response whose body is still to be read is read, or closed, by the client.
        """
        return await self.handle_async_request(request)

    async def aclose(self) -> None:
        """Let go of what the transport holds; the client calls it as it is closed."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


class MockTransport(Transport):
    """Answers requests by a function, for tests: no connection is made.

    Parameters: `handler`, a function or a coroutine function that is given the `Request`, its body
    read, and returns the `Response`. What it raises the client raises, so a test of a time-out
    raises `hoopsnake.ReadTimeout("too slow")`.
    """

    def __init__(
        self, handler: Callable[[Request], Response] | Callable[[Request], Awaitable[Response]]
    ) -> None:
        self.handler = handler

    async def handle_async_request(self, request: Request) -> Response:
        """Read the request's body, and have the function answer."""
        await request.aread()
        answer = self.handler(request)
        return await answer if inspect.isawaitable(answer) else answer


def may_connect(transport: Transport | None) -> bool:
    """Tell whether requests may go over the client's own connections."""
    return transport is None or type(transport).exchange is not Transport.exchange


async def carry(
    transport: Transport, request: Request, engine: Engine, limits: TimeoutTuple, *, stream: bool
) -> Response:
    """Have a transport answer, as the engine does: in time, and read unless it is a `stream`."""
    request.headers.setdefault("host", authority(request.url))
    begun = time.monotonic()
    *_, read, _, total = limits
    response: Response | None = None
    limit = asyncio.timeout(total)
    try:
        async with limit:
            answer = await transport.exchange(request, engine)
            if not isinstance(answer, Response):
                raise TypeError(f"a transport answers with a Response, not with {answer!r}")
            response = answer
            response.request = request
            if not response.elapsed:
                response._note(0, datetime.timedelta(seconds=time.monotonic() - begun))
            if not response.is_closed:
                response._tie(BodyTime(None if total is None else begun + total, read))
                if not stream:
                    await response.aread()
    except BaseException as error:
        if response is not None:
            response._close()
        if isinstance(error, TimeoutError) and limit.expired():
            raise out_of_time(request, time.monotonic() - begun) from None
        if isinstance(error, RequestError) and error.request is None:
            error.request, error.elapsed = request, time.monotonic() - begun
        raise
    return response


def authority(url: URL) -> str:
    """Write host and port as the Host header has them."""
    host = f"[{url.host}]" if ":" in url.host else url.host
    return host if url.port is None else f"{host}:{url.port}"


def out_of_time(request: Request, elapsed: float) -> TotalTimeout:
    """Make what is raised when a transport has not answered in time."""
    error = TotalTimeout(
        f"{request.method} {shown(request)}: the request has taken longer than it may as a whole "
        f"(read phase, after {elapsed:.3f} s)"
    )
    error.request, error.phase, error.elapsed = request, "read", elapsed
    return error
