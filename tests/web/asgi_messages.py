"""Asks an ASGI application with whatever a client could send, message by message."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

Message = dict[str, Any]


def scope_of(method: str = "GET", url: str = "/", **headers: str | list[str]) -> dict[str, Any]:
    """Describe a request; underscores of names are hyphens, and lists are several of one name."""
    path, _, query = url.partition("?")
    pairs = []
    for name, values in headers.items():
        for value in [values] if isinstance(values, str) else values:
            pairs.append((name.replace("_", "-").encode(), value.encode("latin-1")))
    return {
        "type": "http",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": pairs,
        "client": ("192.0.2.1", 1),
        "server": ("here", 80),
    }


class Answer:
    """What an application has sent."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def hear(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def status(self) -> int:
        status: int = self.messages[0]["status"]
        return status

    @property
    def body(self) -> bytes:
        return b"".join(each.get("body", b"") for each in self.messages[1:])

    def header(self, name: str) -> str | None:
        found = self.headers(name)
        return ", ".join(found) if found else None

    def headers(self, name: str) -> list[str]:
        pairs = self.messages[0]["headers"]
        return [value.decode("latin-1") for key, value in pairs if key.lower() == name.encode()]


async def ask(app: Any, scope: dict[str, Any], body: Iterable[bytes] = (b"",)) -> Answer:
    """Ask, with a body in these pieces; then the client waits, and does not leave."""
    pieces = list(body)
    events = [
        {"type": "http.request", "body": piece, "more_body": number + 1 < len(pieces)}
        for number, piece in enumerate(pieces)
    ]

    async def receive() -> Message:
        if events:
            return events.pop(0)
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    answer = Answer()
    await app(scope, receive, answer.hear)
    return answer


async def text(scope: Any, receive: Any, send: Any) -> None:
    """An application that says "ok"."""
    head = [(b"content-type", b"text/plain"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": b"ok"})


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """An application that says what it is told."""
    body, more = b"", True
    while more:
        event = await receive()
        body += event["body"]
        more = event["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
