"""Limits around an application: rates, time, bodies, how many at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgi_messages import Answer, ask, echo, scope_of, text
from hypothesis import example, given
from hypothesis import strategies as st

from hoopsnake.web import App, Request
from hoopsnake.web._gcra import Gcra
from hoopsnake.web._rate_limit import client_address
from hoopsnake.web._request import HTTPConnection
from hoopsnake.web.middleware import (
    BodyLimitMiddleware,
    ConcurrencyLimitMiddleware,
    RateLimit,
    RateLimitMiddleware,
    TimeoutMiddleware,
)

# Rates.


@example(interval=1.8153740507484244, burst=1, steps=[1.8098593275836024, 1.8153740507484244])
@given(
    interval=st.floats(0.001, 100),
    burst=st.integers(1, 20),
    steps=st.lists(st.floats(0, 50), min_size=1, max_size=200),
)
def test_no_window_has_more_than_burst_and_rate(
    interval: float, burst: int, steps: list[float]
) -> None:
    gcra, now, allowed = Gcra(interval, burst), 0.0, []
    for step in steps:
        now += step
        verdict = gcra.check("k", now)
        if verdict.is_allowed:
            allowed.append(now)
        else:
            # Whoever waits as long as it is told comes in, and nobody before, but for what sums of
            # floats are off by.
            assert verdict.retry_after > 0
            if verdict.retry_after > 1e-6:
                assert not gcra.check("k", now + verdict.retry_after * 0.99).is_allowed
    for first, start in enumerate(allowed):
        for number, end in enumerate(allowed[first:], 1):
            assert number <= burst + (end - start) / interval + 1e-6


def test_a_refusal_tells_when_to_come_again() -> None:
    gcra = Gcra(2.0, 3)
    assert [gcra.check("k", 100).remaining for _ in range(3)] == [2, 1, 0]
    refused = gcra.check("k", 100)
    assert refused == (False, 0, 2.0, 6.0)
    assert gcra.check("other", 100).is_allowed
    assert gcra.check("k", 100 + refused.retry_after).is_allowed
    assert gcra.check("k", 1000) == (True, 2, 0.0, 2.0)


def test_the_number_of_keys_is_bounded_and_new_ones_count() -> None:
    gcra = Gcra(1.0, 1, most_keys=10)
    for number in range(100):
        gcra.check(f"old {number}", 0)
    assert len(gcra) <= 10
    assert gcra.check("new", 1000).is_allowed
    assert not gcra.check("new", 1000).is_allowed
    assert len(gcra) <= 10
    with pytest.raises(ValueError, match="no rate"):
        Gcra(0, 1)


@pytest.mark.parametrize(
    "rate", ["", "10", "0/second", "5/0seconds", "ten/minute", "1/week", "-1/day"]
)
def test_a_rate_has_to_be_one(rate: str) -> None:
    with pytest.raises(ValueError, match="a rate is"):
        RateLimit(rate)


def test_rates_are_read() -> None:
    for rate, limit, per in (
        ("100/minute", 100, 60),
        ("5/10seconds", 5, 10),
        ("1 / 2 hours", 1, 7200),
    ):
        found = RateLimit(rate)
        assert (found.limit, found.per) == (limit, per)


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("no:address", "no:address"),
    ],
)
def test_a_client_is_counted_by_what_it_cannot_change(host: str, key: str) -> None:
    assert client_address(HTTPConnection({"client": (host, 1)})) == key
    assert client_address(HTTPConnection({"client": None})) is None


async def test_too_many_requests_are_refused_each_client_by_itself() -> None:
    now = 0.0
    limit = RateLimit("2/10seconds", clock=lambda: now)
    app = RateLimitMiddleware(text, limit, exempt=["/health"])
    first = await ask(app, scope_of())
    assert (first.status, first.header("ratelimit")) == (200, '"default";r=1;t=5')
    assert first.header("ratelimit-policy") == '"default";q=2;w=10'
    assert (await ask(app, scope_of())).status == 200
    refused = await ask(app, scope_of())
    assert (refused.status, refused.header("retry-after")) == (429, "5")
    assert (await ask(app, {**scope_of(), "client": ("198.51.100.1", 1)})).status == 200
    assert (await ask(app, scope_of("GET", "/health"))).status == 200
    assert (await ask(app, {**scope_of(), "client": None})).status == 200
    now += 5
    assert (await ask(app, scope_of())).status == 200
    by_key = RateLimit("1/hour", key=lambda connection: connection.headers.get("x-key"))
    app = RateLimitMiddleware(text, by_key)
    statuses = [(await ask(app, scope_of(x_key=key))).status for key in ("a", "b", "a")]
    assert statuses == [200, 200, 429]
    assert (await ask(app, scope_of())).status == 200


# Time.


async def test_an_application_that_does_not_begin_in_time_is_cancelled() -> None:
    seen: list[str] = []

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            seen.append("cancelled")
            # What it says on its way out comes too late.
            await text(scope, receive, send)
            if scope["path"] == "/stubborn":
                return
            raise

    for path in ("/", "/stubborn"):
        answer = await ask(TimeoutMiddleware(slow, 0.2), scope_of("GET", path))
        assert (answer.status, answer.body) == (504, b"The answer took too long")
    assert seen == ["cancelled"] * 2
    assert (await ask(TimeoutMiddleware(text, 60), scope_of())).body == b"ok"


async def test_an_answer_that_has_begun_takes_its_time() -> None:
    go_on = asyncio.Event()

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        asyncio.get_running_loop().call_later(0.4, go_on.set)
        await go_on.wait()
        await send({"type": "http.response.body", "body": b"late"})

    assert (await ask(TimeoutMiddleware(slow, 0.2), scope_of())).body == b"late"


async def test_a_timeout_of_the_applications_own_stays_its_own() -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        await ask(TimeoutMiddleware(failing, 60), scope_of())


# Bodies.


@pytest.mark.parametrize("length", ["11", "9" * 30, "x", "-1"])
async def test_a_body_that_says_it_is_too_large_is_not_read(length: str) -> None:
    async def untouched(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError

    answer = await ask(BodyLimitMiddleware(untouched, 10), scope_of("POST", content_length=length))
    assert (answer.status, answer.body) == (413, b"Content Too Large")


async def test_a_body_that_grows_too_large_is_refused_by_any_application() -> None:
    async def catching(scope: Any, receive: Any, send: Any) -> None:
        try:
            await echo(scope, receive, send)
        except Exception:
            await text(scope, receive, send)

    async def rewording(scope: Any, receive: Any, send: Any) -> None:
        try:
            await echo(scope, receive, send)
        except Exception as error:
            raise ValueError("reworded") from error

    framework = App()

    @framework.post("/")
    async def handler(request: Request) -> str:
        return (await request.body()).decode()

    pieces = [b"12345", b"67890", b"x"]
    for app in (echo, catching, rewording, framework):
        limited = BodyLimitMiddleware(app, 10)
        assert (await ask(limited, scope_of("POST"), pieces)).status == 413, app
        assert (await ask(limited, scope_of("POST"), pieces[:2])).status == 200, app


async def test_an_answer_that_has_begun_before_the_body_is_too_large_breaks_off() -> None:
    async def early(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await receive()

    with pytest.raises(Exception, match="more than 10 bytes"):
        await ask(BodyLimitMiddleware(early, 10), scope_of("POST"), [b"x" * 11])


# How many.


async def test_what_is_too_much_at_once_waits_and_what_is_too_much_for_that_goes_away() -> None:
    go_on, inside = asyncio.Event(), 0

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        nonlocal inside
        inside += 1
        await go_on.wait()
        await text(scope, receive, send)

    app = ConcurrencyLimitMiddleware(slow, 2, queue=1, retry_after=7)
    asked = [asyncio.ensure_future(ask(app, scope_of())) for _ in range(3)]
    await asyncio.sleep(0)
    refused = await ask(app, scope_of())
    assert (refused.status, refused.header("retry-after"), inside) == (503, "7", 2)
    go_on.set()
    answers: list[Answer] = await asyncio.gather(*asked)
    assert [each.status for each in answers] == [200] * 3
    assert (await ask(app, scope_of())).status == 200


async def test_nobody_waits_longer_than_is_allowed() -> None:
    never = asyncio.get_running_loop().create_future()

    async def stuck(scope: Any, receive: Any, send: Any) -> None:
        await never

    app = ConcurrencyLimitMiddleware(stuck, 1, queue=5, wait=0.001)
    first = asyncio.ensure_future(ask(app, scope_of()))
    await asyncio.sleep(0)
    assert (await ask(app, scope_of())).status == 503
    first.cancel()
    await asyncio.wait([first])
    assert app._turnstile.inside == 0
