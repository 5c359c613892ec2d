"""Requests that are sent again: which, how often, how long after, and what one sees of it."""

from __future__ import annotations

import asyncio
import email.utils
import time
from collections.abc import AsyncIterator

import pytest
from scripted_server import answering, response, scripted
from test_http2_goodbyes import Leaving, leaving

import hoopsnake
from hoopsnake.limits import RetryBudget

BUSY = response(b"busy", status="503 Service Unavailable")
NOW = hoopsnake.Retries(3, first=0.001, longest=0.001)


def breaking_off(times: int):  # type: ignore[no-untyped-def]
    """Close a connection instead of an answer, so often; then answer."""

    async def handle(server, reader, writer):  # type: ignore[no-untyped-def]
        head = await server.head(reader)
        await server.body(head, reader)
        if len(server.requests) > times:
            writer.write(response())

    return handle


async def test_without_policies_nothing_is_sent_again() -> None:
    async with scripted(answering(BUSY, response())) as server, hoopsnake.Client() as client:
        got = await client.get(server.url)
        assert got.status_code == 503
        assert "attempts" not in got.extensions
    assert len(server.requests) == 1


async def test_an_answer_of_a_server_that_is_busy_is_asked_for_again() -> None:
    async with (
        scripted(answering(BUSY, BUSY, response())) as server,
        hoopsnake.Client(retries=NOW) as client,
    ):
        got = await client.get(server.url)
        assert (got.status_code, got.content) == (200, b"hello")
        attempts = got.extensions["attempts"]
        assert [each.status for each in attempts] == [503, 503, 200]
        assert [each.number for each in attempts] == [1, 2, 3]
        assert [each.pause is None for each in attempts] == [False, False, True]
        assert all(each.elapsed > 0 for each in attempts)
    assert len(server.requests) == 3


async def test_the_last_answer_is_the_answer() -> None:
    async with (
        scripted(answering(BUSY)) as server,
        hoopsnake.Client(retries=NOW) as client,
    ):
        got = await client.get(server.url)
        assert (got.status_code, got.content) == (503, b"busy")
        assert len(got.extensions["attempts"]) == 4


@pytest.mark.parametrize(
    ("method", "headers", "sent"),
    [
        ("GET", {}, 2),
        ("PUT", {}, 2),
        ("POST", {}, 1),
        ("PATCH", {}, 1),
        ("POST", {"idempotency-key": "a1"}, 2),
    ],
)
async def test_only_what_may_be_done_twice_is_sent_again(
    method: str, headers: dict[str, str], sent: int
) -> None:
    for handle in (answering(BUSY, response()), breaking_off(1)):
        async with scripted(handle) as server, hoopsnake.Client(retries=NOW) as client:
            try:
                got = await client.request(method, server.url, headers=headers, content=b"x")
                assert got.status_code == (200 if sent == 2 else 503)
            except hoopsnake.RemoteProtocolError as error:
                assert sent == 1
                assert [each.error for each in error.attempts] == ["RemoteProtocolError"]
                assert not error.was_left_alone
            assert len(server.requests) == sent


async def test_the_statuses_and_methods_are_settings() -> None:
    teapot = response(status="418 I am a teapot")
    retries = hoopsnake.Retries(1, statuses={418}, methods={"POST"}, first=0.001)
    async with (
        scripted(answering(teapot, response(), BUSY)) as server,
        hoopsnake.Client(retries=retries) as client,
    ):
        assert (await client.post(server.url)).status_code == 200
        assert (await client.post(server.url)).status_code == 503
        assert len(server.requests) == 3


async def test_what_nobody_has_heard_is_sent_again_whatever_it_is() -> None:
    listener = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    listener.close()
    await listener.wait_closed()
    async with hoopsnake.Client(retries=NOW) as client:
        with pytest.raises(hoopsnake.ConnectError) as caught:
            await client.post(f"http://127.0.0.1:{port}/", content=b"x")
    error = caught.value
    assert error.was_left_alone
    assert [each.error for each in error.attempts] == ["ConnectError"] * 4
    assert any(note.startswith("4 attempts: 1: ConnectError after") for note in error.__notes__)
    assert any("no other: the last of 4" in note for note in error.__notes__)


async def test_a_stream_that_was_refused_was_left_alone() -> None:
    async with leaving("refusal") as url:
        retries = hoopsnake.Retries(1, first=0.001)
        async with hoopsnake.Client(http1=False, retries=retries) as client:
            assert (await client.post(url, content=b"x")).content == b"hello"
            with pytest.raises(hoopsnake.RemoteProtocolError, match="refused") as caught:
                await client.post(url, content=b"x")
        assert caught.value.was_left_alone
        assert len(caught.value.attempts) == 2
        assert Leaving.connections == 1


async def test_a_body_that_is_made_as_it_goes_is_sent_once() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"once"

    async with (
        scripted(answering(BUSY, response())) as server,
        hoopsnake.Client(retries=NOW) as client,
    ):
        assert (await client.put(server.url, content=pieces())).status_code == 503
        assert len(server.requests) == 1


async def test_a_stream_is_the_one_of_the_last_attempt() -> None:
    async def handle(server, reader, writer):  # type: ignore[no-untyped-def]
        await server.head(reader)
        writer.write(BUSY if len(server.requests) == 1 else response(b"whole"))

    async with scripted(handle) as server, hoopsnake.Client(retries=NOW) as client:
        async with client.stream("GET", server.url) as got:
            assert got.status_code == 200
            assert await got.aread() == b"whole"
        assert len(got.extensions["attempts"]) == 2
        assert client.stats().open <= 1


@pytest.mark.parametrize("kind", ["seconds", "date"])
async def test_a_server_is_left_alone_for_as_long_as_it_asks(kind: str) -> None:
    async def handle(server, reader, writer):  # type: ignore[no-untyped-def]
        await server.head(reader)
        moments.append(time.monotonic())
        if len(moments) > 1:
            writer.write(response())
            return
        # A date has whole seconds: the one after the next is at least one away.
        asked = "1" if kind == "seconds" else email.utils.formatdate(time.time() + 2, usegmt=True)
        writer.write(response(b"", f"retry-after: {asked}", status="429 Too Many Requests"))

    moments: list[float] = []
    async with scripted(handle) as server, hoopsnake.Client(retries=NOW) as client:
        got = await client.get(server.url)
    assert got.status_code == 200
    assert moments[1] - moments[0] >= 0.9
    assert got.extensions["attempts"][0].pause >= 0.9


async def test_a_server_that_asks_for_too_long_is_not_asked_again() -> None:
    answer = response(b"", "retry-after: 61", status="503 Service Unavailable")
    async with scripted(answering(answer)) as server, hoopsnake.Client(retries=NOW) as client:
        assert (await client.get(server.url)).status_code == 503
        assert len(server.requests) == 1


async def test_no_attempt_begins_after_the_time_for_all() -> None:
    answer = response(b"", "retry-after: 5", status="503 Service Unavailable")
    async with scripted(answering(answer)) as server, hoopsnake.Client(retries=NOW) as client:
        got = await client.get(server.url, timeout=hoopsnake.Timeout(total=4))
        assert got.status_code == 503
        assert len(server.requests) == 1


async def test_all_attempts_share_the_time_there_is() -> None:
    async def handle(server, reader, writer):  # type: ignore[no-untyped-def]
        await server.head(reader)
        await asyncio.Event().wait()

    timeout = hoopsnake.Timeout(read=0.02, total=2)
    retries = hoopsnake.Retries(1000, first=0.001, longest=0.001, budget=None)
    async with (
        scripted(handle) as server,
        hoopsnake.Client(retries=retries, timeout=timeout) as client,
    ):
        # The time is up in an attempt; or after one, where it does not reach for the pause.
        with pytest.raises((hoopsnake.TotalTimeout, hoopsnake.ReadTimeout)) as caught:
            await client.get(server.url)
        *earlier, last = caught.value.attempts
        assert earlier and {each.error for each in earlier} == {"ReadTimeout"}
        assert last.error == type(caught.value).__name__
        assert len(earlier) <= 100


async def test_the_end_of_all_time_is_a_time_out_as_asyncio_knows_it() -> None:
    async def handle(server, reader, writer):  # type: ignore[no-untyped-def]
        await server.head(reader)
        await asyncio.Event().wait()

    timeout = hoopsnake.Timeout(None, total=0.05)
    async with scripted(handle) as server, hoopsnake.Client(timeout=timeout) as client:
        with pytest.raises(TimeoutError) as caught:
            await client.get(server.url)
    assert type(caught.value) is hoopsnake.TotalTimeout


async def test_a_budget_bounds_what_retries_add() -> None:
    budget = RetryBudget(0.5, reserve_per_second=0)
    retries = hoopsnake.Retries(3, first=0.001, longest=0.001, budget=budget)
    async with scripted(answering(BUSY)) as server, hoopsnake.Client(retries=retries) as client:
        for _ in range(20):
            assert (await client.get(server.url)).status_code == 503
        assert len(server.requests) == 30
    assert budget.stats().retries == 10


async def test_a_request_that_is_cancelled_in_its_pause_ends() -> None:
    first = asyncio.Event()

    async def handle(server, reader, writer):  # type: ignore[no-untyped-def]
        await server.head(reader)
        writer.write(BUSY)
        first.set()

    retries = hoopsnake.Retries(3, first=60, longest=60, jitter="none")
    async with scripted(handle) as server, hoopsnake.Client(retries=retries) as client:
        task = asyncio.create_task(client.get(server.url))
        await first.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"retries": hoopsnake.Retries}, "a whole number or Retries"),
        ({"hedge": 0.0}, "above 0"),
        ({"concurrency": 0}, "at least 1"),
        ({"concurrency": 1.5}, "whole number"),
        ({"breaker": "often"}, "CircuitBreaker"),
        ({"retry": 3}, "no setting retry"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        hoopsnake.Client(**settings)  # type: ignore[arg-type]
