"""Fetches one URL, and says in a record what became of it."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from hoopsnake import (
    Client,
    HTTPError,
    InvalidURL,
    Limits,
    Request,
    RequestError,
    Retries,
    Timeout,
    TotalTimeout,
    TransportError,
)
from hoopsnake._fetch.addresses import complete
from hoopsnake._fetch.bodies import Body, BodyTooLarge
from hoopsnake._fetch.options import FetchOptions
from hoopsnake.limits import Retry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hoopsnake import Response
    from hoopsnake._client._attempts import Attempt

__all__ = ["Fetcher"]

MOST_REDIRECTS = 20


class BrokenOff(Exception):
    """A body that broke off: the client has given the response, and cannot try again."""

    def __init__(self, error: TransportError) -> None:
        super().__init__(str(error))
        self.error = error


class Fetcher:
    """A client with the limits that were asked for: `async with Fetcher(options) as fetcher`.

    Raises ValueError, InvalidURL and LocalProtocolError for a proxy or a header that is none.
    """

    def __init__(self, options: FetchOptions) -> None:
        self._options = options
        self._client = Client(
            headers=options.header,
            timeout=self._timeout(0.0),
            follow_redirects=options.redirects,
            max_redirects=MOST_REDIRECTS,
            http2=options.http2,
            verify=not options.insecure,
            proxy=options.proxy or None,
            proxies={"all://": None} if options.proxy == "" else None,
            limits=Limits(max_connections=options.concurrency, max_keepalive_connections=100),
            retries=Retries(options.retries),
            rate_limit=options.rate_per_host or None,
            concurrency=options.concurrency_per_host,
        )  # fmt: skip
        if self._client._policies is not None:
            self._client._policies.waiting_counts = False
        self._again = Retry(on=BrokenOff, attempts=options.retries + 1)

    def _timeout(self, spent: float) -> Timeout:
        """Return the limits of a request for which so many seconds were spent already."""
        options = self._options
        total = max(0.0, options.timeout - spent) if options.timeout else None
        return Timeout(30.0, connect=options.connect_timeout or None, pool=None, total=total)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def fetch(self, url: str) -> dict[str, Any]:
        """Fetch a URL; what goes wrong with it is in what is returned."""
        record: dict[str, Any] = {
            "url": url,
            "final_url": None,
            "status": None,
            "elapsed": None,
            "bytes": None,
            "attempts": 0,
            "error": None,
        }
        try:
            request = self._client.build_request(
                self._options.method, complete(url), content=self._options.data
            )
            record |= await self._again.call(self._once, url, request, record, Spent())
        except BrokenOff as broken:
            record |= failed(broken.error)
        except UnicodeEncodeError:
            record |= failed(InvalidURL("it is no text in UTF-8"))
        except (HTTPError, InvalidURL, BodyTooLarge) as error:
            record |= failed(error)
        return record

    async def _once(
        self, url: str, request: Request, record: dict[str, Any], spent: Spent
    ) -> dict[str, Any]:
        """Fetch it to the end of its body; raises BrokenOff if that is worth another attempt."""
        before = record["attempts"]
        try:
            limits = self._timeout(spent.seconds() if before else 0.0)
            response = await self._client.send(request, stream=True, timeout=limits)
        except RequestError as error:
            record["attempts"] = before + len(error.attempts)
            raise
        sent = [one for each in (*response.history, response) for one in attempts_of(each)]
        record["attempts"] = before + len(sent)
        spent.waited += sum(one.waited for one in sent)
        record |= {"final_url": str(response.url), "status": response.status_code}
        try:
            return await self._read(url, response, record)
        except TotalTimeout:
            raise
        except TransportError as error:
            if request.method in ("GET", "HEAD"):
                raise BrokenOff(error) from error
            raise
        finally:
            response._close()

    async def _read(self, url: str, response: Response, record: dict[str, Any]) -> dict[str, Any]:
        options = self._options
        body = Body(
            url,
            response,
            inline=options.inline,
            folder=options.save_to,
            sums=options.sha256,
            most=options.max_body,
        )
        try:
            async for piece in response.aiter_bytes():
                body.take(piece)
            said = body.finish()
        finally:
            body.give_up()
            record["bytes"] = body.size
        return {"elapsed": round(response.elapsed.total_seconds(), 6)} | said


class Spent:
    """The time that was spent on a URL, but for the waits for the limits that were asked for."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.waited = 0.0

    def seconds(self) -> float:
        return time.monotonic() - self.began - self.waited


def attempts_of(response: Response) -> Sequence[Attempt]:
    """Return the attempts that led to a response."""
    attempts: Sequence[Attempt] = response.extensions["attempts"]
    return attempts


def failed(error: Exception) -> dict[str, Any]:
    """Say what went wrong."""
    elapsed = getattr(error, "elapsed", None)
    said = {
        "type": type(error).__name__,
        "message": str(error),
        "phase": getattr(error, "phase", None),
    }
    return {"elapsed": None if elapsed is None else round(elapsed, 6), "error": said}
