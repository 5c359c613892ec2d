"""Policies go around whatever answers: a mock, an application, and the cookies that it sets."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from scripted_server import answering, response, scripted

import hoopsnake
from hoopsnake import Request, Response
from hoopsnake.limits import CircuitBreaker, Deadline

SOON = hoopsnake.Retries(3, first=0.001, longest=0.001)


async def test_a_mock_is_asked_again() -> None:
    asked: list[str] = []

    def handle(request: Request) -> Response:
        asked.append(request.method)
        if len(asked) == 1:
            raise hoopsnake.ReadTimeout("too slow")
        return Response(503 if len(asked) == 2 else 200, text="page")

    transport = hoopsnake.MockTransport(handle)
    async with hoopsnake.Client(transport=transport, retries=SOON) as client:
        got = await client.get("http://shop/")
        assert (got.text, asked) == ("page", ["GET"] * 3)
        attempts = got.extensions["attempts"]
        assert [each.error or each.status for each in attempts] == ["ReadTimeout", 503, 200]


async def test_a_mock_s_stream_has_its_place_until_it_is_closed() -> None:
    def handle(request: Request) -> Response:
        return Response(200, content=b"page")

    transport = hoopsnake.MockTransport(handle)
    async with hoopsnake.Client(transport=transport, concurrency=1) as client:
        for _ in range(3):
            async with client.stream("GET", "http://shop/") as got:
                assert await got.aread() == b"page"


async def test_a_mock_that_fails_opens_the_circuit() -> None:
    def handle(request: Request) -> Response:
        raise hoopsnake.ConnectError("nobody there")

    breaker = CircuitBreaker(least_calls=2, open_for=3600)
    transport = hoopsnake.MockTransport(handle)
    async with hoopsnake.Client(transport=transport, breaker=breaker) as client:
        for _ in range(2):
            with pytest.raises(hoopsnake.ConnectError):
                await client.get("http://shop/")
        with pytest.raises(hoopsnake.CircuitOpen, match="GET http://shop/: shop: the circuit"):
            await client.get("http://shop/")


async def test_a_mock_has_no_more_time_than_its_caller() -> None:
    async def handle(request: Request) -> Response:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def ask() -> str:
        with pytest.raises(hoopsnake.TotalTimeout):
            await client.get("http://shop/")
        return "in time"

    transport = hoopsnake.MockTransport(handle)
    async with hoopsnake.Client(transport=transport, retries=SOON) as client:
        with contextlib.suppress(TimeoutError):
            async with Deadline(0.02):
                asking = asyncio.create_task(ask())
                await asyncio.Event().wait()
        assert await asking == "in time"


async def test_the_cookies_of_an_answer_that_is_not_the_last_are_sent_with_the_next() -> None:
    busy = response(b"", "set-cookie: node=7", status="503 Service Unavailable")
    async with (
        scripted(answering(busy, response())) as server,
        hoopsnake.Client(retries=SOON) as client,
    ):
        assert (await client.get(server.url)).status_code == 200
        assert b"cookie: node=7" in server.requests[1].lower()
        assert client.cookies["node"] == "7"


class Racing(hoopsnake.Transport):
    """Answers a request and its hedge in the same turn, with what a test has for each."""

    def __init__(self, first: int | Exception, second: int | Exception) -> None:
        self.answers = [first, second]
        self.asked: list[asyncio.Event] = []

    async def handle_async_request(self, request: Request) -> Response:
        number = len(self.asked)
        self.asked.append(asyncio.Event())
        if number == 0:
            await self.asked[0].wait()
        else:
            self.asked[0].set()
        answer = self.answers[min(number, 1)]
        if isinstance(answer, Exception):
            raise answer
        cookies = [("set-cookie", f"of{number}=1"), ("set-cookie", f"last={number}")]
        return Response(answer, headers=cookies, content=b"page")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("first", "second", "taken", "kept"),
    [
        # The hedge's answer counts, and so does the first by its cookies.
        (503, 200, 200, {"of0": "1", "of1": "1", "last": "1"}),
        # The same the other way round: what the program gets has the last word.
        (200, 503, 200, {"of0": "1", "of1": "1", "last": "0"}),
        # Neither is good.
        (502, 503, None, {"of0": "1", "of1": "1"}),
        # Who has not answered has set nothing; who has, does not do so in vain.
        (503, hoopsnake.ReadError("gone"), None, {"of0": "1", "last": "0"}),
        (hoopsnake.ReadError("gone"), 503, None, {"of1": "1", "last": "1"}),
    ],
)
async def test_each_answer_of_a_hedged_request_sets_its_cookies(
    first: int | Exception,
    second: int | Exception,
    taken: int | None,
    kept: dict[str, str],
    stream: bool,
) -> None:
    transport = Racing(first, second)
    async with hoopsnake.Client(transport=transport, hedge=0.001) as client:
        request = client.build_request("GET", "http://shop/")
        try:
            got = await client.send(request, stream=stream)
            assert taken in (None, got.status_code)
            assert await got.aread() == b"page"
        except hoopsnake.ReadError:
            assert taken is None
        assert len(transport.asked) == 2
        assert kept.items() <= client.cookies.items()
        assert len(client.cookies) == (3 if "of0" in kept and "of1" in kept else 2)


async def test_the_cookies_of_a_hedge_that_lost_go_with_the_next_round() -> None:
    sent: list[str] = []

    class Twice(Racing):
        async def handle_async_request(self, request: Request) -> Response:
            sent.append(request.headers.get("cookie", ""))
            return await super().handle_async_request(request)

    retries = hoopsnake.Retries(1, first=0.001, longest=0.001)
    transport = Twice(502, 503)
    async with hoopsnake.Client(transport=transport, hedge=0.001, retries=retries) as client:
        await client.get("http://shop/")
    assert sent[:2] == ["", ""]
    assert "of0=1" in sent[2] and "of1=1" in sent[2]


async def test_an_answer_that_is_streamed_and_not_the_last_leaves_its_connection() -> None:
    busy = response(b"busy", status="503 Service Unavailable")
    async with (
        scripted(answering(busy, response(b"whole"))) as server,
        hoopsnake.Client(retries=SOON) as client,
    ):
        async with client.stream("GET", server.url) as got:
            assert await got.aread() == b"whole"
        assert server.connections == 1
