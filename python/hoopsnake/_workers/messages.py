"""What a supervisor and its workers tell each other: one JSON object a line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

__all__ = [
    "Answer",
    "Failed",
    "Heartbeat",
    "Message",
    "Question",
    "Ready",
    "Started",
    "Stop",
    "Stopping",
    "decode",
    "encode",
]


@dataclass(frozen=True, slots=True)
class Started:
    """A worker's loop runs and hears what it is told; its application is still to start."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A worker accepts connections."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A worker's loop turns; sent once a second, by the loop itself."""

    requests: int
    """Requests and WebSockets that its application was given so far."""
    connections: int
    """Connections that are open."""
    tasks: int
    """Calls of the application that have not ended."""
    memory: int
    """Resident bytes of the process."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """A worker has begun to stop, whoever asked for it."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A worker cannot serve, and ends."""

    text: str
    """Why: a sentence, or a traceback."""
    status: int
    """With which exit status the command is to end if all workers fail so."""


@dataclass(frozen=True, slots=True)
class Stop:
    """A worker is to stop."""

    at_once: bool = False
    """Without time for the requests under way."""
    linger: float = 0.0
    """Seconds for which idle connections stay open, for requests that are on their way."""


@dataclass(frozen=True, slots=True)
class Question:
    """A worker is asked something: `hoopsnake._workers.questions` knows what may be asked."""

    number: int
    name: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker says to a question."""

    number: int
    value: Any
    """What JSON can hold; None if the worker does not know the question."""


Message = Started | Ready | Heartbeat | Stopping | Failed | Stop | Question | Answer

_KINDS: dict[str, type[Message]] = {
    kind.__name__.lower(): kind
    for kind in (Started, Ready, Heartbeat, Stopping, Failed, Stop, Question, Answer)
}


def encode(message: Message) -> bytes:
    """Write a message as a line."""
    kind = type(message).__name__.lower()
    return json.dumps({"kind": kind, **asdict(message)}).encode() + b"\n"


def decode(line: bytes) -> Message:
    """Read a line; raises ValueError if it is no message."""
    try:
        fields = json.loads(line)
        return _KINDS[fields.pop("kind")](**fields)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"{line[:200]!r} is no message: {error}") from None
