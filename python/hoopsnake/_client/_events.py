"""Server-sent events: a stream that is read, and connected to again where it breaks off."""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import json
import random
from collections import deque
from collections.abc import AsyncGenerator, Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from hoopsnake._client._errors import (
    DecodingError,
    HTTPStatusError,
    LocalProtocolError,
    RequestError,
    ResponseTooLarge,
    StreamClosed,
    TooManyRedirects,
    TotalTimeout,
    TransportError,
    UnsupportedProtocol,
    shown,
    status_error,
)
from hoopsnake._client._settings import Timeout
from hoopsnake._ending import end_all
from hoopsnake._native import EventReader

if TYPE_CHECKING:
    from hoopsnake._client._client import Client, RequestOptions
    from hoopsnake._client._request import Request
    from hoopsnake._native import URL, Response

CONTENT_TYPE = "text/event-stream"
# Bytes of one line, and of one event's data.
LONGEST_LINE = 1024 * 1024
LARGEST_EVENT = 8 * 1024 * 1024
# Answers after which the same request may be answered otherwise.
PASSING = frozenset({429, 500, 502, 503, 504})
# What connecting again does not help against.
LASTING = (
    DecodingError,
    LocalProtocolError,
    ResponseTooLarge,
    TooManyRedirects,
    TotalTimeout,
    UnsupportedProtocol,
)


E = TypeVar("E", bound=RequestError)
T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event.

    Attributes: `event`, its type, "message" if it has none; `data`, its text; `id`, the last id
    that the stream has named, empty if none; `retry`, the milliseconds that this event asks to
    wait before connecting again, or None.
    """

    event: str
    data: str
    id: str
    retry: int | None

    def json(self) -> Any:
        """Read the data as JSON."""
        return json.loads(self.data)


class EventStreamError(TransportError):
    """The answer is no event stream, or the stream does not come to an event.

    `response` is the answer.
    """

    response: Response


# It is known, and shown in tracebacks, by where people find it.
EventStreamError.__module__ = ServerSentEvent.__module__ = "hoopsnake"


async def events_of(response: Response) -> AsyncGenerator[ServerSentEvent]:
    """Read the events of a response. Raises EventStreamError if it is of another type."""
    check_type(response)
    reader = new_reader("")
    try:
        async for piece in response.aiter_bytes():
            for event in fed(reader, piece):
                yield event
            check_fault(reader, response)
    finally:
        response._close()


def new_reader(last_id: str) -> EventReader:
    """Make a reader for a stream that goes on behind this id."""
    return EventReader(last_id, LONGEST_LINE, LARGEST_EVENT)


def fed(reader: EventReader, piece: bytes) -> list[ServerSentEvent]:
    """Read the events that a piece completes."""
    events = reader.feed(piece)
    return [ServerSentEvent(kind, data, id, retry) for id, kind, data, retry in events]


def check_fault(reader: EventReader, response: Response) -> None:
    """Raise ResponseTooLarge for what does not end, once the events before it were handed out."""
    if (fault := reader.fault) is not None:
        response._close()
        raise blamed(ResponseTooLarge, fault, response.request)


def blamed(kind: type[E], words: str, request: Request) -> E:
    """Make an exception that names its request."""
    error = kind(f"{request.method} {shown(request)}: {words}")
    error.request, error.phase = request, "read"
    return error


def check_type(response: Response) -> None:
    """Raise EventStreamError if a response is none of events."""
    given = response.headers.get("content-type", "")
    if given.partition(";")[0].strip().lower() == CONTENT_TYPE:
        return
    words = f"Content-Type is {given!r}, not {CONTENT_TYPE!r}"
    response._close()
    raise of_response(words, response)


def of_response(words: str, response: Response) -> EventStreamError:
    """Make an exception that has the answer."""
    error = blamed(EventStreamError, words, response.request)
    error.response = response
    return error


class EventSource:
    """An event stream that is connected to again where it breaks off: `client.events()` makes it.

    Inside `async with` it is an asynchronous iterator of its events. `last_event_id` is what a new
    connection goes on behind; `response` is the answer that is being read, None once it is over.
    """

    def __init__(
        self,
        client: Client,
        method: str,
        url: URL | str,
        options: RequestOptions,
        *,
        last_event_id: str,
        reconnect: bool,
        retry: float,
        longest_pause: float,
        max_attempts: int | None,
        deadline: float | None,
    ) -> None:
        for name, seconds in (("retry", retry), ("longest_pause", longest_pause)):
            if not seconds >= 0:
                raise ValueError(f"{name} is a number of seconds, not {seconds!r}")
        if max_attempts is not None and max_attempts < 1:
            raise ValueError(f"max_attempts is at least 1, not {max_attempts!r}")
        self._client = client
        self._method, self._url, self._options = method, url, dict(options)
        self._reconnects = reconnect
        self._retry = retry
        self._longest_pause = longest_pause
        self._most = max_attempts
        self._seconds = deadline
        self._ends: float | None = None
        self._reader = new_reader(last_event_id)
        self._waiting: deque[ServerSentEvent] = deque()
        self._failed = 0
        # What reads on, and outlives whoever was cancelled who waited for it.
        self._reading: asyncio.Task[None] | None = None
        self._context: contextvars.Context | None = None
        self.response: Response | None = None

    @property
    def last_event_id(self) -> str:
        """The id that a new connection goes on behind; empty if there is none."""
        return self._reader.last_id

    async def __aenter__(self) -> Self:
        """Connect. Raises what a request raises, and EventStreamError for another type."""
        if self._seconds is not None:
            self._ends = asyncio.get_running_loop().time() + self._seconds
        # A deadline around one read is none of the connection's that is made meanwhile.
        self._context = contextvars.copy_context()
        self.response = await self._within(self._connected())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End it; what has come and was not asked for is dropped."""
        self._waiting.clear()
        if self.response is not None:
            self.response._close()
            self.response = None
        reading, self._reading = self._reading, None
        if reading is not None:
            await end_all([reading])

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ServerSentEvent:
        """Wait for the next event. Who is cancelled loses none, and the connection stays."""
        while not self._waiting:
            if self._reading is None and self.response is None:
                raise StopAsyncIteration
            await self._within(self._read())
        return self._waiting.popleft()

    async def _read(self) -> None:
        """Wait for what reads on, and begin that if nothing does."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_on(), context=self._context)
        reading = self._reading
        await asyncio.wait([reading])
        if self._reading is reading:
            self._reading = None
        # Cancelled it was by `aclose()` alone: then there is nothing more.
        if not reading.cancelled():
            reading.result()

    async def _read_on(self) -> None:
        """Read until there is an event, or the stream is over."""
        while (response := self.response) is not None and not self._waiting:
            try:
                # The events before it were taken; nothing behind it can be read.
                check_fault(self._reader, response)
            except RequestError:
                self.response = None
                raise
            failure: RequestError | None = None
            piece: bytes | None = None
            try:
                piece = await response._chunk(False)
            except StreamClosed:
                # Somebody else has closed it, as `response` lets anybody do.
                pass
            except RequestError as error:
                failure = error
            if piece is not None:
                self._waiting += fed(self._reader, piece)
                self._failed = 0 if self._waiting else self._failed
                continue
            response._close()
            self.response = await self._again(failure)

    async def _again(self, failure: RequestError | None) -> Response | None:
        """Connect again after the stream has ended, by a failure or in order."""
        if not self._reconnects:
            if failure is not None:
                raise failure
            return None
        # Of an event that has come in part the whole comes again.
        if self._reader.retry is not None:
            self._retry = self._reader.retry / 1000
        self._reader = new_reader(self._reader.last_id)
        await self._pause(failure)
        return await self._connected()

    async def _pause(self, failure: RequestError | HTTPStatusError | None) -> None:
        """Wait before the next attempt. Raises the failure if it helps nothing, or was the last."""
        if isinstance(failure, LASTING):
            raise failure
        self._failed += 1
        if self._most is not None and self._failed >= self._most:
            if failure is not None:
                raise failure
            assert self.response is not None
            words = f"the stream has ended {self._failed} times without an event"
            raise of_response(words, self.response)
        longest = self._longest_pause
        # The standard lets a client wait longer than it was told; so they do not all come at once.
        doubled = self._retry * 2 ** min(self._failed - 1, 30) * random.uniform(1, 1.5)
        asked = 0.0
        if isinstance(failure, HTTPStatusError):
            given = failure.response.headers.get("retry-after", "")
            asked = float(given) if given.isdecimal() and len(given) < 9 else 0.0
        await asyncio.sleep(min(longest, max(doubled, asked)))

    async def _connected(self) -> Response | None:
        """Connect, as often as it takes. None if the server says that there is nothing more."""
        while True:
            failure: RequestError | HTTPStatusError
            try:
                response = await self._open()
                if response.status_code == 204:
                    response._close()
                    return None
                if response.status_code == 200:
                    check_type(response)
                    return response
                response._close()
                failure = status_error(response)
                if response.status_code not in PASSING:
                    raise failure
            except EventStreamError:
                raise
            except RequestError as error:
                failure = error
            if not self._reconnects:
                raise failure
            await self._pause(failure)

    async def _open(self) -> Response:
        """Ask once."""
        options: dict[str, Any] = dict(self._options)
        own = ("auth", "follow_redirects")
        how: dict[str, Any] = {name: options.pop(name) for name in own if name in options}
        if "timeout" not in options:
            usual = self._client._timeout
            # A stream may be silent, and has no end.
            options["timeout"] = Timeout(
                connect=usual.connect,
                tls=usual.tls,
                pool=usual.pool,
                write=usual.write,
                read=None,
            )
        how["timeout"] = options.pop("timeout")
        request = self._client.build_request(self._method, self._url, **options)
        headers = request.headers
        if headers.get("accept", "*/*") == "*/*":
            headers["accept"] = CONTENT_TYPE
        headers.setdefault("cache-control", "no-store")
        if last_id := self._reader.last_id:
            headers["last-event-id"] = last_id.encode()
        return await self._client.send(request, stream=True, **how)

    async def _within(self, work: Coroutine[Any, Any, T]) -> T:
        """Await something until the deadline, if there is one."""
        limit = asyncio.timeout_at(self._ends)
        try:
            async with limit:
                return await work
        except TimeoutError:
            if not limit.expired():
                raise
            await self.aclose()
            words = f"not done after {self._seconds} s, which is all the time it has"
            request = self._client.build_request(self._method, self._url)
            raise blamed(TotalTimeout, words, request) from None
