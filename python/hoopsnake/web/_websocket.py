"""A WebSocket as its handler has it (ASGI 3.0, "WebSocket")."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

from hoopsnake.web._json import to_json
from hoopsnake.web._request import HTTPConnection, Receive, Scope, Send

__all__ = ["WebSocket", "WebSocketDisconnect"]


class WebSocketDisconnect(Exception):
    """The client has gone; `code` and `reason` are those of its close frame (RFC 6455)."""

    def __init__(self, code: int = 1000, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class WebSocket(HTTPConnection):
    """Messages to and from one client, once `accept` was awaited."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope)
        self._receive = receive
        self._send = send
        self._is_connected = False
        self.is_accepted = False
        """Whether the handshake was answered with yes."""
        self.is_closed = False
        """Whether either side has closed it."""

    async def accept(
        self, subprotocol: str | None = None, headers: Iterable[tuple[bytes, bytes]] = ()
    ) -> None:
        """Answer the handshake with yes, and with one of the protocols that the client offered."""
        await self._connect()
        await self._send(
            {"type": "websocket.accept", "subprotocol": subprotocol, "headers": list(headers)}
        )
        self.is_accepted = True

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close it; before `accept` that refuses the handshake with 403."""
        await self._connect()
        self.is_closed = True
        await self._send({"type": "websocket.close", "code": code, "reason": reason})

    async def receive(self) -> str | bytes:
        """Wait for a message; raises WebSocketDisconnect when the client has gone."""
        if not self.is_accepted:
            raise RuntimeError("await accept() before messages are received")
        event = await self._receive()
        if event["type"] == "websocket.disconnect":
            self.is_closed = True
            raise WebSocketDisconnect(event.get("code", 1005), event.get("reason") or "")
        text: str | None = event.get("text")
        if text is not None:
            return text
        data: bytes = event["bytes"]
        return data

    async def receive_text(self) -> str:
        """Wait for a text; a message of bytes closes with 1003 and raises WebSocketDisconnect."""
        message = await self.receive()
        if isinstance(message, str):
            return message
        raise await self._refused("this takes texts, not bytes")

    async def receive_bytes(self) -> bytes:
        """Wait for bytes; a text closes with 1003 and raises WebSocketDisconnect."""
        message = await self.receive()
        if isinstance(message, bytes):
            return message
        raise await self._refused("this takes bytes, not texts")

    async def receive_json(self) -> Any:
        """Wait for a message that is JSON; any other closes with 1007, WebSocketDisconnect."""
        message = await self.receive()
        try:
            return json.loads(message)
        except ValueError:
            raise await self._refused("this takes JSON", 1007) from None

    async def send_text(self, data: str) -> None:
        """Send a text; waits while the client does not keep up."""
        await self._send({"type": "websocket.send", "text": data})

    async def send_bytes(self, data: bytes) -> None:
        """Send bytes; waits while the client does not keep up."""
        await self._send({"type": "websocket.send", "bytes": data})

    async def send_json(self, data: Any) -> None:
        """Send a value as JSON, in a text."""
        await self.send_text(to_json(data).decode())

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Go through the messages until the client has gone."""
        try:
            while True:
                yield await self.receive()
        except WebSocketDisconnect:
            return

    async def iter_text(self) -> AsyncIterator[str]:
        """Go through the texts until the client has gone."""
        try:
            while True:
                yield await self.receive_text()
        except WebSocketDisconnect:
            return

    async def iter_bytes(self) -> AsyncIterator[bytes]:
        """Go through the messages of bytes until the client has gone."""
        try:
            while True:
                yield await self.receive_bytes()
        except WebSocketDisconnect:
            return

    async def iter_json(self) -> AsyncIterator[Any]:
        """Go through the messages as JSON until the client has gone."""
        try:
            while True:
                yield await self.receive_json()
        except WebSocketDisconnect:
            return

    async def _connect(self) -> None:
        """Take the handshake's event, which comes first."""
        if not self._is_connected:
            self._is_connected = True
            await self._receive()

    async def _refused(self, reason: str, code: int = 1003) -> WebSocketDisconnect:
        await self.close(code, reason)
        return WebSocketDisconnect(code, reason)
