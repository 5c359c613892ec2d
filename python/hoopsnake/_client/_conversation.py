"""One request between an ASGI application that answers it and a client that reads the answer."""

from __future__ import annotations

import asyncio
import collections
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Any

from hoopsnake._client._errors import RemoteProtocolError, StreamClosed, shown
from hoopsnake._client._request import Request
from hoopsnake._errors import ClientDisconnected
from hoopsnake._native import Headers, Response

ASGIApplication = Callable[..., Awaitable[None]]
Event = dict[str, Any]

# An application may be so many bytes ahead of whoever reads its response.
AHEAD = 64 * 1024
# In this order, the third only if the first has promised it.
START, BODY, TRAILERS = (f"http.response.{part}" for part in ("start", "body", "trailers"))


class Conversation:
    """What the application receives and sends; also the iterator of its response's body."""

    def __init__(self, request: Request, raises: bool) -> None:
        self._request = request
        self._raises = raises
        content = request.content
        self._upload = aiter(content) if isinstance(content, AsyncIterable) else None
        self._is_upload_over = False
        self._start: Event | None = None
        self._pieces: collections.deque[bytes] = collections.deque()
        self._ahead = 0
        self._due: str | None = START
        self._is_closed = self._has_ended = False
        self._failure: Exception | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self.trailers = Headers()

    async def run(self, app: ASGIApplication, scope: Event) -> None:
        """Run the application to its end; what it raises is kept for the client."""
        try:
            await app(scope, self._receive, self._send)
        except Exception as error:
            # One that learned of its client's leaving by an exception may let that pass.
            if not (self._is_closed and isinstance(error, ClientDisconnected)):
                self._failure = error
        finally:
            self._has_ended = True
            self._tell()

    async def response(self) -> Response:
        """Wait for the head of the response."""
        await self._until(lambda: self._start is not None or self._has_ended)
        if self._start is not None:
            headers = [(bytes(name), bytes(value)) for name, value in self._start["headers"]]
            return Response(
                self._start["status"],
                headers=headers,
                stream=self,
                request=self._request,
                extensions={"http_version": b"HTTP/1.1"},
            )
        if self._failure is None:
            raise self._broken("the application has returned without a response")
        if self._raises:
            raise self._failure
        return Response(500, text="Internal Server Error", request=self._request)

    def close(self) -> None:
        """Leave: the application hears of it as it receives or sends."""
        self._is_closed = True
        self._pieces.clear()
        self._ahead = 0
        self._tell()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        await self._until(lambda: bool(self._pieces) or self._has_ended or self._is_closed)
        if self._is_closed:
            raise StreamClosed("the response was closed while it was read")
        if self._pieces:
            piece = self._pieces.popleft()
            self._ahead -= len(piece)
            self._tell()
            return piece
        if self._failure is not None and self._raises:
            raise self._failure
        if self._due is not None:
            raise self._broken("the application has ended before its response was complete")
        raise StopAsyncIteration

    async def _receive(self) -> Event:
        if not self._is_upload_over and not self._is_closed:
            if self._upload is None:
                self._is_upload_over = True
                content = self._request.content
                whole = content if isinstance(content, bytes) else b""
                return {"type": "http.request", "body": whole, "more_body": False}
            piece = await anext(self._upload, None)
            self._is_upload_over = piece is None
            return {
                "type": "http.request",
                "body": b"" if piece is None else bytes(piece),
                "more_body": piece is not None,
            }
        await self._until(lambda: self._is_closed or self._due is None)
        return {"type": "http.disconnect"}

    async def _send(self, message: Event) -> None:
        kind = message["type"]
        if kind != self._due:
            due = f"{self._due!r} was due" if self._due else "its response was complete"
            raise RuntimeError(f"the application sent {kind!r} when {due}")
        if self._is_closed:
            raise ClientDisconnected("the client has closed the response")
        if kind == START:
            status, headers = message["status"], message.get("headers", ())
            self._start = {**message, "status": status, "headers": headers}
            self._due = BODY
        elif kind == BODY:
            self._take(bytes(message.get("body", b"")), bool(message.get("more_body", False)))
        else:
            for name, value in message.get("headers", ()):
                self.trailers.append(bytes(name), bytes(value))
            self._due = TRAILERS if message.get("more_trailers", False) else None
        self._tell()
        # Whoever is too far ahead waits, as it would for a connection.
        await self._until(lambda: self._ahead <= AHEAD or self._is_closed)

    def _take(self, piece: bytes, has_more: bool) -> None:
        if piece and self._request.method != "HEAD":
            self._pieces.append(piece)
            self._ahead += len(piece)
        if not has_more:
            promised = self._start is not None and self._start.get("trailers", False)
            self._due = TRAILERS if promised else None

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    def _tell(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _broken(self, words: str) -> RemoteProtocolError:
        request = self._request
        error = RemoteProtocolError(f"{request.method} {shown(request)}: {words} (read phase)")
        error.request, error.phase = request, "read"
        return error
