"""When and how often a request is sent: retries, hedges, rates, places, breakers, deadlines.

They go around whatever carries a request. From the outside in: the deadline, retries, and for each
attempt a hedge; for each request that a hedge sends the host's places, its rate, its breaker.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from hoopsnake._client._attempts import Attempt, told
from hoopsnake._client._cookies import attach
from hoopsnake._client._errors import PoolTimeout, RequestError, TotalTimeout, transport_error
from hoopsnake._client._hops import discard
from hoopsnake._client._hosts import Hosts, Place, has_reached_nobody
from hoopsnake._client._limit_errors import REFUSALS, limit_error
from hoopsnake._client._retries import PASSING, BadAnswer, Retries, can_be_sent_again
from hoopsnake.limits import Deadline, RateLimit
from hoopsnake.limits._retry import Trials

if TYPE_CHECKING:
    from hoopsnake._client._cookies import Cookies
    from hoopsnake._client._policy_options import PolicyOptions
    from hoopsnake._client._request import Request
    from hoopsnake._client._settings import TimeoutTuple
    from hoopsnake._native import URL, Response

RetriesOption = Retries | int | None
RateOption = RateLimit | float | None


class Carrier(Protocol):
    """What sends one request, and is told how long that may take."""

    def __call__(
        self, request: Request, limits: TimeoutTuple | None, *, stream: bool
    ) -> Awaitable[Response]: ...


class Policies:
    """A client's own: its settings, its retry budget, and what it knows of each host."""

    def __init__(self, options: PolicyOptions, timeouts: TimeoutTuple) -> None:
        retries, rate = options.get("retries"), options.get("rate_limit")
        breaker = options.get("breaker")
        asked = Retries(retries) if isinstance(retries, int) else retries
        if not isinstance(asked, Retries | None):
            raise TypeError(f"retries is a whole number or Retries, not {retries!r}")
        self.retries = asked if asked is not None and asked.most > 0 else None
        self.retry = None if self.retries is None else self.retries._retry()
        budget = self.retry._budget if self.retry is not None else None
        self.hosts = Hosts(options.get("hedge"), options.get("concurrency"), breaker, budget)
        self.rate = RateLimit(rate) if isinstance(rate, int | float) else rate
        self.heed_deadline = options.get("heed_deadline", True)
        self.deadline_header = options.get("deadline_header")
        self.timeouts = timeouts
        # Whether waiting for a host's limits is part of the time that a request may take.
        self.waiting_counts = True
        self.bad_statuses = set(self.retries.statuses if self.retries is not None else PASSING)
        if breaker:
            self.bad_statuses |= set(range(500, 600))

    async def exchange(
        self,
        request: Request,
        limits: TimeoutTuple | None,
        *,
        stream: bool,
        carrier: Carrier,
        cookies: Cookies,
        waited: Callable[[float], None],
        may_hedge: bool = True,
    ) -> Response:
        """Send a request, as often as it takes and as the host's limits let it through.

        `cookies` keep what each answer sets that is not the one returned, `waited` is called with
        the seconds of each wait that is no part of the time that the request may take. Raises a
        subclass of RequestError, whose `attempts` are what was tried; those of the response are in
        its `extensions`.
        """
        timeouts = limits or self.timeouts
        exchange = Exchange(self, request, timeouts, stream, carrier, cookies, waited)
        exchange.is_hedged &= may_hedge
        answer: Response | None = None
        try:
            answer = response = await exchange.run()
            response.extensions["attempts"] = tuple(exchange.attempts)
            return response
        except RequestError as error:
            error.attempts = tuple(exchange.attempts)
            if len(exchange.attempts) > 1:
                error.add_note(told(exchange.attempts))
            raise
        finally:
            self.hosts.leave(exchange.host)
            exchange.drop_all_but(answer)


class Exchange:
    """One request, and all attempts of it."""

    def __init__(
        self,
        policies: Policies,
        request: Request,
        limits: TimeoutTuple,
        stream: bool,
        carrier: Carrier,
        cookies: Cookies,
        waited: Callable[[float], None],
    ) -> None:
        self.policies = policies
        self.request = request
        self.stream = stream
        self.carrier = carrier
        self.cookies = cookies
        self.waited = waited
        self.began = time.monotonic()
        self.attempts: list[Attempt] = []
        left = Deadline.left() if policies.heed_deadline else None
        *self.phases, own = limits
        totals = [total for total in (own, left) if total is not None]
        self.until = self.began + min(totals) if totals else None
        retries = policies.retries or Retries(0)
        self.is_hedged = retries._is_idempotent(request) and can_be_sent_again(request)
        self.sent_in_round = 0
        # Those of this round, in the order in which they came.
        self.answers: list[Response] = []
        self.host = policies.hosts.enter(name_of(request.url))

    async def run(self) -> Response:
        """Try until there is an answer, or no other attempt."""
        policies, retries = self.policies, self.policies.retries
        trials = Trials(policies.retry) if policies.retry is not None else None
        while True:
            try:
                return await self.answer()
            except BadAnswer as answer:
                again = retries is not None and retries._are_for_answer(answer, self.request)
                pause = trials.pause_after(answer, self.left()) if trials and again else None
                if pause is None:
                    return answer.response
                with contextlib.suppress(RequestError):
                    await discard(answer.response)
            except RequestError as error:
                again = retries is not None and retries._are_for(error, self.request)
                pause = trials.pause_after(error, self.left()) if trials and again else None
                if pause is None:
                    raise
            self.attempts[-1].pause = pause
            # Whatever this round has opened would keep its places for the next.
            self.drop_all_but(None)
            await asyncio.sleep(pause)
            attach(self.cookies, self.request)

    async def answer(self) -> Response:
        """Send it, and once more beside that if the answer is late."""
        self.sent_in_round = 0
        hedge = self.host.hedge
        if hedge is None or not self.is_hedged:
            return await self.attempt()
        retry = self.policies.retry
        if self.attempts or (retry is not None and retry._budget is hedge._budget):
            # One request pays in once, however often it is sent, and whatever for.
            return await hedge._call(self.attempt)
        return await hedge.call(self.attempt)

    async def attempt(self) -> Response:
        """Send it once, and note what becomes of that; raises BadAnswer for a bad answer."""
        noted = Attempt(len(self.attempts) + 1, is_hedge=self.sent_in_round > 0)
        self.sent_in_round += 1
        self.attempts.append(noted)
        began = time.monotonic()
        try:
            response = await self.past_limits(noted)
        except BadAnswer as answer:
            noted.status = answer.response.status_code
            raise
        except REFUSALS as refused:
            error = limit_error(refused, self.request, self.host.name, self.elapsed())
            noted.error = type(error).__name__
            raise error from None
        except BaseException as error:
            noted.error = type(error).__name__
            raise
        finally:
            noted.elapsed = time.monotonic() - began
        noted.status = response.status_code
        return response

    async def past_limits(self, noted: Attempt) -> Response:
        """Send it once the host's limits let it through, a hedge like any other."""
        places, rate = self.host.places, self.policies.rate
        place = None
        began = time.monotonic()
        if places is not None:
            await self.in_time(places.acquire(), self.phases[2])
            place = Place(places)
        try:
            if rate is not None:
                await self.in_time(rate.acquire(self.host.name))
            noted.waited = time.monotonic() - began
            response = await self.past_breaker()
        except BadAnswer as answer:
            if place is not None:
                # While a hedge beside a bad answer may wait for its place it keeps none.
                self.leave(place, answer.response if self.host.hedge is None else None)
            raise
        except BaseException:
            if place is not None:
                place.release()
            raise
        if place is not None:
            self.leave(place, response)
        return response

    def leave(self, place: Place, response: Response | None) -> None:
        """Give a place back, once the body has come that is still to come."""
        if not (self.stream and response is not None and response._tie(place)):
            place.release()

    async def past_breaker(self) -> Response:
        """Send it unless the host failed too often, which is counted of what has reached it."""
        if self.host.breaker is None:
            return await self.judged()
        try:
            async with self.host.breaker:
                try:
                    return await self.judged()
                except RequestError as error:
                    if has_reached_nobody(error):
                        raise Unheard(error) from None
                    raise
        except Unheard as unheard:
            raise unheard.error from unheard.error.__cause__

    async def judged(self) -> Response:
        response = await self.carrier(self.request, self.limits_left(), stream=self.stream)
        self.answers.append(response)
        if response.status_code in self.policies.bad_statuses:
            raise BadAnswer(response)
        return response

    def drop_all_but(self, answer: Response | None) -> None:
        """Be done with answers that came to nothing: a hedge's loser, one that nobody waited for.

        Their cookies count all the same (RFC 6265 section 5.3), and before those of the answer.
        """
        answers, self.answers = self.answers, []
        for each in answers:
            if each is not answer:
                self.cookies._jar.store(each.url, each.headers)
                if self.stream:
                    each._close()

    async def in_time(self, waiting: Awaitable[None], most: float | None = None) -> None:
        """Wait for a limit as long as there is time, and no longer than `most` for a place."""
        counts = self.policies.waiting_counts
        began = time.monotonic()
        left = self.left() if counts else None
        is_short = most is not None and (left is None or most < left)
        passed = asyncio.timeout(most if is_short else left)
        try:
            async with passed:
                await waiting
            if self.until is not None and not counts:
                seconds = time.monotonic() - began
                self.until += seconds
                self.waited(seconds)
        except TimeoutError:
            if not passed.expired():
                raise
            if is_short:
                raise self.too_late(PoolTimeout, f"had no place for it within {most:g} s") from None
            raise self.too_late(TotalTimeout, "had no room for it in all the time it has") from None

    def limits_left(self) -> TimeoutTuple:
        """Return the time that an attempt has which begins now, and have its header say so."""
        left = self.left()
        connect, tls, pool, read, write = self.phases
        header = self.policies.deadline_header
        if header is not None and left is not None:
            self.request.headers[header] = str(int(left * 1000))
        return (connect, tls, pool, read, write, left)

    def left(self) -> float | None:
        """Return the seconds that are left; None: any time."""
        return None if self.until is None else max(0.0, self.until - time.monotonic())

    def elapsed(self) -> float:
        return time.monotonic() - self.began

    def too_late(self, kind: type[RequestError], why: str) -> Exception:
        words = f"{self.host.name} {why}"
        return transport_error(kind.__name__, words, "limit", self.elapsed(), self.request, True)


class Unheard(BaseException):
    """What says nothing of a host: for its breaker, which counts no BaseException."""

    def __init__(self, error: RequestError) -> None:
        super().__init__(str(error))
        self.error = error


def name_of(url: URL) -> str:
    """Name a host as its limits know it: with its port, where that is not the scheme's own."""
    return url.host if url.port is None else f"{url.host}:{url.port}"
