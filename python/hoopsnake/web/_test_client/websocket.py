"""A WebSocket as a test has it: the client's end of one."""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import struct
from collections.abc import Callable, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from hoopsnake.web._headers import Headers
from hoopsnake.web._test_client.connection import Connection
from hoopsnake.web._test_client.exchange import Exchange
from hoopsnake.web._test_client.frames import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Message,
    frame,
    read_message,
)
from hoopsnake.web._test_client.request import Options, make_request, target_of
from hoopsnake.web._test_client.response import TestResponse
from hoopsnake.web._test_client.served import Served
from hoopsnake.web._websocket import WebSocketDisconnect

__all__ = ["WebSocketRefused", "WebSocketTestSession", "connect"]

Mode = Literal["text", "binary"]

# What a closing handshake is called that has no code, and one that never came (RFC 6455, 7.1.5).
_NO_CODE, _ABNORMAL = 1005, 1006

# Seconds that an application gets, once its client has left, before it is cancelled.
_PATIENCE = 1.0


class WebSocketRefused(WebSocketDisconnect):
    """The application has not accepted; `response` is what it answered instead."""

    def __init__(self, response: TestResponse) -> None:
        super().__init__(_ABNORMAL, f"refused with {response.status_code}")
        self.response = response


class WebSocketTestSession:
    """Messages to and from the application; a context manager, whose end closes it.

    Waiting raises TimeoutError after the client's `timeout`. What the application raises is raised
    by `receive`, or at the end.
    """

    def __init__(
        self,
        connection: Connection,
        headers: Headers,
        fail: Callable[[bool], None],
        end: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._fail = fail
        self._end = end
        self._is_closed = False
        self._has_left = False
        self.headers = headers
        """Those of the answer to the handshake."""
        self.accepted_subprotocol = headers.get("sec-websocket-protocol")
        """Which of the protocols the application has chosen; None for none."""

    # Sending.

    def send_text(self, data: str) -> None:
        """Send a text."""
        self._send(TEXT, data.encode())

    def send_bytes(self, data: bytes) -> None:
        """Send bytes."""
        self._send(BINARY, data)

    def send_json(self, data: Any, mode: Mode = "text") -> None:
        """Send a value as JSON."""
        text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
        self._send(TEXT if mode == "text" else BINARY, text.encode())

    def close(self, code: int = 1000, reason: str | None = None) -> None:
        """Tell the application that this is the end."""
        if not self._is_closed:
            self._is_closed = self._has_left = True
            self._send(CLOSE, struct.pack("!H", code) + (reason or "").encode())

    # Receiving.

    def receive(self) -> str | bytes:
        """Wait for a message; raises WebSocketDisconnect once the application has closed."""
        message = self.receive_message()
        return message.data.decode() if message.kind == TEXT else message.data

    def receive_text(self) -> str:
        """Wait for a text."""
        message = self.receive()
        if not isinstance(message, str):
            raise AssertionError(f"bytes came where a text was due: {message!r}")
        return message

    def receive_bytes(self) -> bytes:
        """Wait for bytes."""
        message = self.receive()
        if isinstance(message, str):
            raise AssertionError(f"a text came where bytes were due: {message!r}")
        return message

    def receive_json(self, mode: Mode = "text") -> Any:
        """Wait for a message that is JSON."""
        return json.loads(self.receive_text() if mode == "text" else self.receive_bytes())

    def receive_message(self) -> Message:
        """Wait for a text or bytes, with its kind; pings are answered."""
        while True:
            try:
                message = read_message(self._connection.reader)
            except ConnectionResetError:
                message = None
            if message is None:
                self._is_closed = True
                self._fail(self._has_left)
                raise WebSocketDisconnect(_ABNORMAL)
            if message.kind == PING:
                self._send(PONG, message.data)
            elif message.kind == CLOSE:
                self._answer_close(message.data)
            elif message.kind != PONG:
                return message

    def _answer_close(self, data: bytes) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._send(CLOSE, data[:2])
        self._fail(self._has_left)
        code = struct.unpack("!H", data[:2])[0] if len(data) >= 2 else _NO_CODE
        raise WebSocketDisconnect(code, data[2:].decode("utf-8", "replace"))

    def _send(self, kind: int, data: bytes) -> None:
        # To an application that has gone a message is lost, as it is on any network.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._connection.send(frame(kind, data))

    # The end of it.

    def finish(self) -> None:
        """Close it, wait until the application is through, and raise what it has raised."""
        try:
            self.close()
            with contextlib.suppress(WebSocketDisconnect):
                while True:
                    self.receive_message()
        finally:
            self.release()

    def release(self) -> None:
        """Let go of the connection."""
        self._connection.close()
        self._end()

    def wait_for_ever(self) -> float | None:
        """Have waits of its own no end from now on; return when they would have ended."""
        return self._connection.wait_for_ever()

    def __enter__(self) -> WebSocketTestSession:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.finish()
            return
        # What the test has raised counts.
        with contextlib.suppress(Exception):
            self.finish()


def connect(
    exchange: Exchange,
    served: Served,
    url: str,
    subprotocols: Sequence[str] | None,
    options: Options,
) -> WebSocketTestSession:
    """Open a WebSocket; raises WebSocketRefused, or what the application has raised."""
    request = make_request("GET", url, exchange.base_url, exchange.headers, options)
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    asked = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", key),
    ]
    if subprotocols:
        asked.append(("sec-websocket-protocol", ", ".join(subprotocols)))
    fields = [each for each in request.headers if each[0].lower() != "connection"]
    request = request._replace(url=_over_http(request.url), headers=[*fields, *asked])
    target = target_of(request.url)
    conversation = contextlib.ExitStack()
    conversation.enter_context(served.conversation())
    try:
        connection = Connection(served.port, exchange.timeout)
        conversation.callback(connection.close)

        def fail(has_left: bool) -> None:
            if has_left:
                served.dismiss(connection.port, _PATIENCE)
            served.settle(connection.port, exchange.timeout)
            served.witness.raise_failure("GET", target)

        connection.send(exchange.head_of(request, target, options.cookies))
        head = connection.read_head()
        if head.status != 101:
            refusal = TestResponse(request, head, connection.body(head, "GET"), lambda: None)
            refusal.read()
            fail(False)
            raise WebSocketRefused(refusal)
        exchange.cookies.take(request.url, Headers(head.headers).getlist("set-cookie"))
    except BaseException:
        conversation.close()
        raise
    return WebSocketTestSession(connection, Headers(head.headers), fail, conversation.close)


def _over_http(url: str) -> str:
    parts = urlsplit(url)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    return urlunsplit(parts._replace(scheme=scheme))
