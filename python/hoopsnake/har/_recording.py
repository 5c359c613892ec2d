"""Requests that are recorded as they are answered."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Collection
from functools import partial

from hoopsnake._client._errors import RequestError, shown
from hoopsnake._client._request import Request
from hoopsnake._client._transports import Engine, Transport
from hoopsnake._native import BodyDecoder, Headers, Response
from hoopsnake.har import _archive
from hoopsnake.har._archive import Exchange
from hoopsnake.har._secrets import (
    SECRET_HEADERS,
    address,
    body_without,
    text_without,
    without_secrets,
)

CLOSED_EARLY = "the client closed the response before its end"


class RecordingTransport(Transport):
    """Records what a client asks and is answered, and writes it to a HAR file as it is closed."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        around: Transport | None = None,
        *,
        redact: Collection[str] = SECRET_HEADERS,
        redact_params: Collection[str] = (),
        edit: Callable[[Exchange], Exchange | None] | None = None,
    ) -> None:
        """Record to a file, which is written anew.

        Parameters: `around` is what carries the requests, the client's own connections if None;
        `redact`, the names of headers whose secrets are left out, and `redact_params` those of
        parameters, in URLs and in forms that are bodies; `edit` is given each exchange before it
        is kept, may change it, and drops it by returning None.
        """
        self.path = path
        self.exchanges: list[Exchange] = []
        self._around = around
        self._redact = redact
        self._params = redact_params
        self._edit = edit

    async def exchange(self, request: Request, engine: Engine) -> Response:
        """Have the request answered; it is kept once its response was read, or closed."""
        body = await request.aread()
        exchange = Exchange(
            method=request.method,
            url=address(str(request.url), self._params),
            request_headers=without_secrets(request.headers, self._redact, self._params),
            request_body=body_without(body, request.headers, self._params),
        )
        begun = time.monotonic()
        try:
            if self._around is None:
                response = await engine(request)
            else:
                response = await self._around.exchange(request, engine)
        except RequestError as error:
            exchange.waited = time.monotonic() - begun
            exchange.error = (type(error).__name__, self._told(request, error))
            self._keep(exchange)
            raise
        exchange.waited = time.monotonic() - begun
        exchange.status, exchange.reason = response.status_code, response.reason_phrase
        exchange.http_version = response.http_version
        exchange.headers = without_secrets(response.headers, self._redact, self._params)
        if response.is_closed:
            # It was made with its content, which has been unpacked already.
            exchange.body, exchange.size = response.content, len(response.content)
            self._keep(exchange)
            return response
        return Response(
            response.status_code,
            headers=response.headers,
            stream=Recorded(response, exchange, self._keep, partial(self._told, request)),
            request=request,
            extensions=response.extensions,
        )

    async def handle_async_request(self, request: Request) -> Response:
        """Refuse: without a client, `around` has to say what carries requests."""
        raise RuntimeError("a RecordingTransport is for a client: Client(transport=…)")

    def _keep(self, exchange: Exchange) -> None:
        exchange.body = body_without(exchange.body, exchange.headers, self._params)
        kept = exchange if self._edit is None else self._edit(exchange)
        if kept is not None:
            self.exchanges.append(kept)

    def _told(self, request: Request, error: RequestError) -> str:
        """Write an error's text, which names the request's URL."""
        return text_without(str(error), (str(request.url), shown(request)), self._params)

    def save(self) -> None:
        """Write the file, with what was recorded so far. Raises OSError if that fails."""
        _archive.save(self.path, self.exchanges)

    async def aclose(self) -> None:
        """Write the file. Raises OSError if that fails."""
        await self.let_go()
        await asyncio.to_thread(self.save)

    async def let_go(self) -> None:
        """Close what carries the requests, and write nothing."""
        if self._around is not None:
            await self._around.aclose()


class Recorded:
    """A response's body that is kept as it passes."""

    def __init__(
        self,
        response: Response,
        exchange: Exchange,
        keep: Callable[[Exchange], None],
        told: Callable[[RequestError], str],
    ) -> None:
        self._response = response
        self._exchange = exchange
        self._keep: Callable[[Exchange], None] | None = keep
        self._told = told
        self._pieces: list[bytes] = []
        self._begun = time.monotonic()
        self.trailers = Headers()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await self._response._chunk(True)
        except RequestError as error:
            self._end(f"{type(error).__name__}: {self._told(error)}")
            raise
        if piece is None:
            self.trailers = self._response.trailers
            self._end("")
            raise StopAsyncIteration
        self._pieces.append(piece)
        return piece

    def close(self) -> None:
        """Keep what there is, if that was not all."""
        self._response._close()
        self._end(CLOSED_EARLY)

    def _end(self, comment: str) -> None:
        keep, self._keep = self._keep, None
        if keep is None:
            return
        exchange, raw = self._exchange, b"".join(self._pieces)
        decoder = BodyDecoder(self._response.headers)
        try:
            exchange.body = decoder.feed(raw)
            if not comment:
                exchange.body += decoder.finish()
        except RequestError as error:
            exchange.body, comment = raw, comment or f"{type(error).__name__}: {self._told(error)}"
        exchange.received = time.monotonic() - self._begun
        exchange.size, exchange.comment = len(raw), comment
        keep(exchange)
