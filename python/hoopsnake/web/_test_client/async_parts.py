"""What an `AsyncTestClient` gives out: streamed responses and WebSockets, to be awaited."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from hoopsnake.web._test_client.frames import TEXT, Message
from hoopsnake.web._test_client.response import TestResponse
from hoopsnake.web._test_client.websocket import Mode, WebSocketTestSession
from hoopsnake.web._websocket import WebSocketDisconnect

__all__ = ["AsyncTestResponse", "AsyncWebSocketTestSession"]

InThread = Callable[..., Awaitable[Any]]


class AsyncTestResponse:
    """A response whose body is read as it comes; all else is as in a `TestResponse`."""

    def __init__(self, response: TestResponse, in_thread: InThread) -> None:
        self._response = response
        self._in_thread = in_thread

    def __getattr__(self, name: str) -> Any:
        return getattr(self._response, name)

    async def aread(self) -> bytes:
        """Read the body to its end."""
        content: bytes = await self._in_thread(self._response.read)
        return content

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Go through the body as it comes, uncompressed."""
        async for piece in self._each(self._response.iter_bytes()):
            yield piece

    async def aiter_text(self) -> AsyncIterator[str]:
        """Go through the body as text, as it comes."""
        async for text in self._each(self._response.iter_text()):
            yield text

    async def aiter_lines(self) -> AsyncIterator[str]:
        """Go through the lines, as they come, without their ends."""
        async for line in self._each(self._response.iter_lines()):
            yield line

    async def _each(self, pieces: Iterator[Any]) -> AsyncIterator[Any]:
        end = object()
        while (piece := await self._in_thread(next, pieces, end)) is not end:
            yield piece


class AsyncWebSocketTestSession:
    """`WebSocketTestSession`, to be awaited; a wait that is cancelled loses no message."""

    def __init__(self, session: WebSocketTestSession, in_thread: InThread) -> None:
        self._session = session
        self._in_thread = in_thread
        self._loop = asyncio.get_running_loop()
        self._timeout = session.wait_for_ever()
        self._received: asyncio.Queue[Message | BaseException] = asyncio.Queue()
        self._reader = threading.Thread(target=self._read, name="websocket", daemon=True)
        self._reader.start()
        self.headers = session.headers
        """Those of the answer to the handshake."""
        self.accepted_subprotocol = session.accepted_subprotocol
        """Which of the protocols the application has chosen; None for none."""

    async def send_text(self, data: str) -> None:
        """Send a text."""
        await self._in_thread(self._session.send_text, data)

    async def send_bytes(self, data: bytes) -> None:
        """Send bytes."""
        await self._in_thread(self._session.send_bytes, data)

    async def send_json(self, data: Any, mode: Mode = "text") -> None:
        """Send a value as JSON."""
        await self._in_thread(self._session.send_json, data, mode)

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Tell the application that this is the end."""
        await self._in_thread(self._session.close, code, reason)

    async def receive(self) -> str | bytes:
        """Wait for a message; raises WebSocketDisconnect once the application has closed."""
        async with asyncio.timeout(self._timeout):
            received = await self._received.get()
        if isinstance(received, BaseException):
            # The same for whoever asks next.
            self._received.put_nowait(received)
            raise received
        return received.data.decode() if received.kind == TEXT else received.data

    async def receive_text(self) -> str:
        """Wait for a text."""
        message = await self.receive()
        if not isinstance(message, str):
            raise AssertionError(f"bytes came where a text was due: {message!r}")
        return message

    async def receive_bytes(self) -> bytes:
        """Wait for bytes."""
        message = await self.receive()
        if isinstance(message, str):
            raise AssertionError(f"a text came where bytes were due: {message!r}")
        return message

    async def receive_json(self, mode: Mode = "text") -> Any:
        """Wait for a message that is JSON."""
        return json.loads(await (self.receive_text() if mode == "text" else self.receive_bytes()))

    async def finish(self) -> None:
        """Close it, wait until the application is through, and raise what it has raised."""
        try:
            await self.close()
            with contextlib.suppress(WebSocketDisconnect):
                while True:
                    await self.receive()
        finally:
            self._session.release()

    def _read(self) -> None:
        """Take in what comes, until there is no more."""
        try:
            while True:
                self._tell(self._session.receive_message())
        except BaseException as error:
            self._tell(error)

    def _tell(self, received: Message | BaseException) -> None:
        # A loop that is closed has nobody left who waits.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._received.put_nowait, received)
