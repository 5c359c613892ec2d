"""A WebSocket as its handler has it (ASGI 3.0, "WebSocket")."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable
from functools import lru_cache
from typing import Any, TypeVar

from hoopsnake.web._json import to_json
from hoopsnake.web._request import HTTPConnection, Receive, Scope, Send
from hoopsnake.web._responses import Response
from hoopsnake.web._validation import Invalid, Validator, validator

__all__ = ["WebSocket", "WebSocketDisconnect", "WebSocketException"]

Model = TypeVar("Model")


class WebSocketDisconnect(Exception):
    """The client has gone; `code` and `reason` are those of its close frame (RFC 6455)."""

    def __init__(self, code: int = 1000, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class WebSocketException(Exception):
    """Closes the WebSocket with this code and reason; for handlers and what they depend on."""

    def __init__(self, code: int, reason: str | None = None) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason or ""


class WebSocket(HTTPConnection):
    """Messages to and from one client, once `accept` was awaited."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope)
        self._receive = receive
        self._send = send
        self._is_connected = False
        self._when_over: dict[object, Callable[[], object]] = {}
        """What follows once it has ended, by whom that matters to."""
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

    async def deny(self, response: Response) -> None:
        """Refuse the handshake: with this response where the server can, else with 403."""
        await self._connect()
        self.is_closed = True
        if "websocket.http.response" not in self.scope.get("extensions", {}):
            await self._send({"type": "websocket.close", "code": 1008, "reason": ""})
            return

        async def send(message: dict[str, Any]) -> None:
            # http.response.start is websocket.http.response.start here, and so on.
            await self._send({**message, "type": f"websocket.{message['type']}"})

        await response(send)

    async def receive(self) -> str | bytes:
        """Wait for a message; raises WebSocketDisconnect when the client has gone."""
        if not self.is_accepted:
            raise RuntimeError("await accept() before messages are received")
        event = await self._receive()
        if event["type"] == "websocket.disconnect":
            self._ended()
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
        except (ValueError, RecursionError):
            raise await self._refused("this takes JSON", 1007) from None

    async def receive_model(self, kind: type[Model]) -> Model:
        """Wait for a message that is JSON of a type: of any that a handler's body may have.

        One that is not closes with 1007, says where it is wrong and raises WebSocketDisconnect.
        Raises WebError where the library is missing that checks such a type.
        """
        model_validator = _validator_of(kind)
        message = await self.receive()
        data = message.encode() if isinstance(message, str) else message
        try:
            model: Model = model_validator.of_json(data)
        except Invalid as invalid:
            raise await self._refused(in_a_close_frame(invalid.errors), 1007) from None
        return model

    async def send_text(self, data: str) -> None:
        """Send a text; waits while the client does not keep up.

        Raises WebSocketDisconnect if it has gone, as sending does in every form.
        """
        await self._tell({"type": "websocket.send", "text": data})

    async def send_bytes(self, data: bytes) -> None:
        """Send bytes; waits while the client does not keep up."""
        await self._tell({"type": "websocket.send", "bytes": data})

    async def send_json(self, data: Any) -> None:
        """Send a value as JSON, in a text."""
        await self.send_text(to_json(data).decode())

    async def send_model(self, value: Any) -> None:
        """Send a model as JSON, in a text; the twin of `receive_model`."""
        await self.send_json(value)

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

    async def iter_models(self, kind: type[Model]) -> AsyncIterator[Model]:
        """Go through the messages as `receive_model` reads them, until the client has gone."""
        try:
            while True:
                yield await self.receive_model(kind)
        except WebSocketDisconnect:
            return

    def leave_rooms(self) -> None:
        """Leave every room, as a WebSocket does by itself when it ends or its handler does."""
        following, self._when_over = self._when_over, {}
        for each in following.values():
            each()

    def _ended(self) -> None:
        self.is_closed = True
        self.leave_rooms()

    async def _connect(self) -> None:
        """Take the handshake's event, which comes first."""
        if not self._is_connected:
            self._is_connected = True
            await self._receive()

    async def _tell(self, message: dict[str, Any]) -> None:
        try:
            await self._send(message)
        except OSError as error:
            # What servers raise for a client that has gone (ASGI spec 2.4).
            self.is_closed = True
            raise WebSocketDisconnect(1006) from error

    async def _refused(self, reason: str, code: int = 1003) -> WebSocketDisconnect:
        await self.close(code, reason)
        return WebSocketDisconnect(code, reason)


_known_validator = lru_cache(maxsize=256)(validator)


def _validator_of(kind: Any) -> Validator:
    try:
        hash(kind)
    except TypeError:
        # Annotated with something that is not hashable.
        return validator(kind)
    return _known_validator(kind)


def in_a_close_frame(errors: Iterable[Any]) -> str:
    """Say what is wrong in the 123 bytes that a close frame holds (RFC 6455 section 5.5)."""
    told = "; ".join(": ".join(_place_and_message(each)) for each in errors)
    return told.encode()[:123].decode(errors="ignore")


def _place_and_message(error: Any) -> list[str]:
    place = ".".join(map(str, error["loc"]))
    return [place, error["msg"]] if place else [error["msg"]]
