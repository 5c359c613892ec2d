"""Requests that are answered from a recording."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path
from types import TracebackType
from typing import Literal, get_args

from hoopsnake._client import _errors
from hoopsnake._client._request import Request
from hoopsnake._client._transports import Transport
from hoopsnake._native import Headers, Response
from hoopsnake.har import _archive
from hoopsnake.har._archive import Exchange
from hoopsnake.har._matching import Asked, Criteria, look_for, nearness
from hoopsnake.har._recording import RecordingTransport
from hoopsnake.har._secrets import SECRET_HEADERS

ReplayMode = Literal["strict", "once", "repeat"]
# Of the body as it went over the wire; a recording has it unpacked and whole.
OF_THE_WIRE = ("content-encoding", "transfer-encoding", "content-length")


class NoRecordedExchange(LookupError):
    """A request for which a recording has no answer; the message names the nearest that it has.

    It is no HTTPError: a program that puts up with a failing server does not put up with a
    recording that is out of date.
    """


class ReplayTransport(Transport):
    """Answers a client's requests from a HAR file: no connection is made."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        match: Criteria = ("method", "url"),
        mode: ReplayMode = "once",
        redact_params: Collection[str] = (),
    ) -> None:
        """Read a HAR file: ours, or a browser's.

        Parameters: `match` names what of a request has to be the same: "method", "url", or "host",
        "path" and "query" of it, "body", "header:NAME"; `mode` is "once" if each exchange
        answers once, "repeat" if the last that matches goes on to answer, "strict" if they
        answer in the order in which they were recorded; `redact_params` as for the recording.
        Raises HARError for a file that is none, OSError for one that cannot be read, ValueError
        for a mode or a criterion that does not exist.
        """
        if mode not in get_args(ReplayMode):
            raise ValueError(f"mode is one of {', '.join(get_args(ReplayMode))}, not {mode!r}")
        for criterion in match:
            look_for(criterion)
        self.path = path
        self._criteria = match
        self._mode = mode
        self._params = redact_params
        self._exchanges = _archive.load(path)
        self._played: set[int] = set()

    @property
    def unplayed(self) -> list[Exchange]:
        """The exchanges that have answered nothing yet."""
        return [
            exchange
            for number, exchange in enumerate(self._exchanges)
            if number not in self._played
        ]

    async def handle_async_request(self, request: Request) -> Response:
        """Answer from the recording. Raises NoRecordedExchange, and what was recorded as raised."""
        await request.aread()
        asked = Asked(request, self._params)
        number = self._find(asked)
        if number is None:
            raise NoRecordedExchange(self._complaint(asked))
        self._played.add(number)
        return answered(self._exchanges[number])

    def _find(self, asked: Asked) -> int | None:
        if self._mode == "strict":
            due = len(self._played)
            is_due = due < len(self._exchanges) and self._matches(asked, due)
            return due if is_due else None
        matching = [
            number for number in range(len(self._exchanges)) if self._matches(asked, number)
        ]
        for number in matching:
            if number not in self._played:
                return number
        return matching[-1] if matching and self._mode == "repeat" else None

    def _matches(self, asked: Asked, number: int) -> bool:
        return not asked.differences(self._exchanges[number], self._criteria)

    def _complaint(self, asked: Asked) -> str:
        text = f"no exchange of {self.path} answers {asked}"
        if not self._exchanges:
            return f"{text}; it has none at all"
        if self._mode == "strict":
            if not self.unplayed:
                return f"{text}: all {len(self._exchanges)} have answered"
            number = len(self._played)
            text += f"; in mode 'strict' number {number + 1} is due, which is"
        else:
            number = max(
                range(len(self._exchanges)),
                key=lambda each: nearness(asked.exchange, self._exchanges[each]),
            )
            text += f"; the nearest is number {number + 1}"
        nearest = self._exchanges[number]
        text += f"\n  {nearest.method} {nearest.url}"
        differences = asked.differences(nearest, self._criteria)
        if not differences:
            return f"{text}\n  which has answered already; mode 'repeat' lets it answer again"
        return "\n  ".join([text, *differences])


def answered(exchange: Exchange) -> Response:
    """Make the response that was recorded. Raises the error that was recorded instead."""
    if exchange.error is not None:
        name, text = exchange.error
        kind = getattr(_errors, name, None)
        if isinstance(kind, type) and issubclass(kind, _errors.RequestError):
            raise kind(text)
        raise _errors.ConnectError(text)
    headers = Headers(exchange.headers)
    for name in OF_THE_WIRE:
        headers.pop(name, None)
    extensions = {"http_version": exchange.http_version.encode()}
    if exchange.reason:
        extensions["reason_phrase"] = exchange.reason.encode()
    return Response(exchange.status, headers=headers, content=exchange.body, extensions=extensions)


class RecordingOnce(RecordingTransport):
    """Leaves no file behind that a test has not got to the end of."""

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            await self.aclose()
        else:
            await self.let_go()


def record_once(
    path: str | os.PathLike[str],
    around: Transport | None = None,
    *,
    match: Criteria = ("method", "url"),
    mode: ReplayMode = "once",
    redact: Collection[str] = SECRET_HEADERS,
    redact_params: Collection[str] = (),
    edit: Callable[[Exchange], Exchange | None] | None = None,
) -> RecordingTransport | ReplayTransport:
    """Replay a HAR file if there is one, and record it if not: for tests that keep their answers.

    Delete the file to record it anew. A client's block that ends with an exception leaves none
    behind. Parameters are those of the two transports; raises what
    they raise.
    """
    if Path(path).exists():
        return ReplayTransport(path, match=match, mode=mode, redact_params=redact_params)
    return RecordingOnce(path, around, redact=redact, redact_params=redact_params, edit=edit)
