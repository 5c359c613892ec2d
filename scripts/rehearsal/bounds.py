"""What keeps requests within bounds: a client's policies, a route's limits, WSGI in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import hoopsnake
from hoopsnake.limits import CircuitBreaker, ConcurrencyLimit, Deadline, RateLimit, Retry
from scripts.rehearsal.amount import Amount, expect
from scripts.rehearsal.asgi_application import GREETING, application
from scripts.rehearsal.serving import serving


async def run(amount: Amount) -> None:
    """Each of them."""
    await guarded_calls(amount.of(1_500))
    await a_client_with_policies(amount)
    await a_server_with_limits(amount)
    await wsgi(amount)


async def guarded_calls(count: int) -> None:
    """Limits around calls of one's own."""
    rate, places, breaker = RateLimit(1e6, burst=1_000_000), ConcurrencyLimit(4), CircuitBreaker()

    @Retry(on=ConnectionError, attempts=2)
    @breaker
    @rate
    @places
    async def call(number: int) -> int:
        await asyncio.sleep(0)
        return number

    for begin in range(0, count, 10):
        async with Deadline(20):
            got = await hoopsnake.gather(*[call(number) for number in range(begin, begin + 10)])
        expect(list(got) == list(range(begin, begin + 10)), "calls were lost")


async def a_client_with_policies(amount: Amount) -> None:
    """Retries, rates, places and a breaker, none of which has to say no."""
    async with (
        serving(application) as url,
        hoopsnake.Client(
            base_url=url, retries=2, rate_limit=1e6, concurrency=12, breaker=True
        ) as client,
    ):

        async def once(_number: int) -> None:
            expect((await client.get("/greeting")).content == GREETING, "another greeting")

        await amount.repeat(600, once, at_once=30)


async def a_server_with_limits(amount: Amount) -> None:
    """Fewer at work than there are who ask."""
    limits = hoopsnake.ServerLimits(concurrency=6, queue=200)
    async with (
        serving(application, limits=limits) as url,
        hoopsnake.Client(base_url=url) as client,
    ):

        async def once(number: int) -> None:
            path = "/wait" if number % 5 == 0 else "/greeting"
            expect((await client.get(path)).content == GREETING, "another greeting")

        await amount.repeat(400, once, at_once=30)


def in_a_thread(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """A WSGI application that sends back what it was sent."""
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("content-type", "text/plain"), ("content-length", str(len(body)))])
    return [body]


async def wsgi(amount: Amount) -> None:
    """Requests that are answered in threads."""
    async with (
        serving(in_a_thread, interface="wsgi", wsgi_threads=2) as url,
        hoopsnake.Client(base_url=url) as client,
    ):

        async def once(_number: int) -> None:
            got = await client.post("/", content=b"hello" * 20)
            expect(got.content == b"hello" * 20, "another body")

        await amount.repeat(300, once, at_once=4)
