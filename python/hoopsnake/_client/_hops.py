"""The way to a response: cookies, hooks, authentication and redirects around exchanges."""

from __future__ import annotations

import contextlib
import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hoopsnake._client._auth import Auth
from hoopsnake._client._cookies import attach
from hoopsnake._client._errors import transport_error
from hoopsnake._client._redirects import next_request, once_more, too_many
from hoopsnake._client._request import Request

if TYPE_CHECKING:
    from hoopsnake._client._client import Client
    from hoopsnake._client._settings import TimeoutTuple
    from hoopsnake._native import Response

Hook = Callable[[Any], Any]

# An answer that is not the last is read up to here, so that its connection serves again.
MOST_READ = 64 * 1024


class Journey:
    """All exchanges of one request of the program's."""

    def __init__(self, client: Client, limits: TimeoutTuple | None, *, stream: bool) -> None:
        self.client = client
        self.limits = limits
        self.stream = stream
        self.history: list[Response] = []
        self.began = time.monotonic()
        self.is_first = True
        # What the time of a total does not count of, as the client's policies have it.
        self.waited = 0.0

    async def follow(self, request: Request, auth: Auth | None, most: int | None) -> Response:
        """Send a request, and go where the answers lead, `most` times; with None, nowhere."""
        redirects = 0
        while True:
            response = await self.authenticate(request, auth)
            if most is None or not response.has_redirect_location:
                return response
            try:
                following = next_request(response.request, response)
                await discard(response)
            except BaseException:
                response._close()
                raise
            if following is None:
                return response
            self.history.append(response)
            redirects += 1
            if redirects > most:
                raise too_many(request, most)
            if following._has_left:
                # Whoever has led us here may not have what was meant for the first origin.
                auth = None
            request = following

    async def authenticate(self, request: Request, auth: Auth | None) -> Response:
        """Send a request as often as its authentication asks for."""
        if auth is None:
            return await self.exchange(request)
        if auth.requires_request_body:
            await request.aread()
        async with contextlib.aclosing(auth.async_auth_flow(request)) as flow:
            request = await anext(flow)
            while True:
                response = await self.exchange(request)
                try:
                    try:
                        following = await flow.asend(response)
                    except StopAsyncIteration:
                        return response
                    following.content = once_more(following, "authentication")
                    await discard(response)
                except BaseException:
                    response._close()
                    raise
                self.history.append(response)
                request = following

    async def exchange(self, request: Request) -> Response:
        """Send a request once. The cookies of every response are kept here, whatever carried it."""
        client = self.client
        attach(client._cookies, request)
        for hook in client._on_request:
            await called(hook, request)
        response = await self.carry(request)
        try:
            client._cookies._jar.store(response.url, response.headers)
            if self.history:
                response._set_history(list(self.history))
            for hook in client._on_response:
                await called(hook, response)
        except BaseException:
            response._close()
            raise
        return response

    async def carry(self, request: Request) -> Response:
        """Have a request carried there and its response back."""
        return await self.client._exchange_by_policy(
            request, self.limits_left(request), stream=self.stream, waited=self.has_waited
        )

    def has_waited(self, seconds: float) -> None:
        """Note a wait that does not count."""
        self.waited += seconds

    def limits_left(self, request: Request) -> TimeoutTuple | None:
        """Return the limits of an exchange that begins now: a total is one for all of them.

        Raises TotalTimeout if nothing is left of it.
        """
        limits = self.client._timeout._for_engine() if self.limits is None else self.limits
        is_first, self.is_first = self.is_first, False
        *phases, total = limits
        elapsed = time.monotonic() - self.began - self.waited
        # What goes straight out has the time as it was given, and says so if that was too short.
        if total is None or (is_first and elapsed < 0.001):
            return self.limits
        if elapsed >= total:
            words = f"the request has taken longer than the {total:g} s that it may as a whole"
            raise transport_error("TotalTimeout", words, "total", elapsed, request, True)
        connect, tls, pool, read, write = phases
        return (connect, tls, pool, read, write, total - elapsed)


async def discard(response: Response) -> None:
    """Be done with an answer that is not the last: a short one is read, a long one closed."""
    if response.is_closed:
        return
    length = response.headers.get("content-length", "")
    if length.isdecimal() and int(length) <= MOST_READ:
        await response.aread()
    else:
        response._close()


def hooks_of(given: Mapping[str, Sequence[Hook]]) -> tuple[list[Hook], list[Hook]]:
    """Read the hooks of requests, and those of responses."""
    return list(given.get("request", ())), list(given.get("response", ()))


async def called(hook: Hook, argument: object) -> None:
    """Call a hook, which may be a coroutine function."""
    outcome = hook(argument)
    if inspect.isawaitable(outcome):
        await outcome
