"""Redirects: where they lead, what is sent there, and that they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

import pytest
from scripted_server import ScriptedServer, answering, response, scripted

import hoopsnake


def redirect(status: str, location: str) -> bytes:
    return response(b"moved", f"location: {location}", status=status)


async def test_they_are_followed_where_that_was_asked_for_alone() -> None:
    answers = (redirect("302 Found", "/next"), response())
    async with scripted(answering(*answers)) as server, hoopsnake.Client() as client:
        got = await client.get(server.url)
        assert (got.status_code, got.is_redirect, got.history) == (302, True, [])
    async with scripted(answering(*answers)) as server, hoopsnake.Client() as client:
        got = await client.get(server.url, follow_redirects=True)
        assert (got.content, [each.status_code for each in got.history]) == (b"hello", [302])
        assert str(got.url) == server.url + "next"


@pytest.mark.parametrize(
    ("status", "method", "keeps"),
    [
        ("301 Moved", "GET", False),
        ("302 Found", "GET", False),
        ("303 See Other", "GET", False),
        ("307 Temporary", "POST", True),
        ("308 Permanent", "POST", True),
    ],
)
async def test_the_status_says_whether_the_body_is_sent_again(
    status: str, method: str, keeps: bool
) -> None:
    answers = (redirect(status, "/next"), response())
    async with scripted(answering(*answers)) as server, hoopsnake.Client() as client:
        await client.post(server.url, json={"a": 1}, follow_redirects=True)
    second = server.requests[1]
    assert second.startswith(f"{method} /next ".encode())
    assert (b"content-type" in second) == keeps
    assert (b"content-length: 7" in second) == keeps


async def test_a_body_that_is_made_once_is_not_sent_again() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"once"

    answers = (redirect("307 Temporary", "/next"), response())
    async with scripted(answering(*answers)) as server, hoopsnake.Client() as client:
        with pytest.raises(hoopsnake.StreamConsumed, match="made once"):
            await client.post(server.url, content=pieces(), follow_redirects=True)
    assert len(server.requests) == 1


async def test_secrets_are_for_their_origin_alone() -> None:
    async with scripted(answering(response())) as other:
        answers = (redirect("302 Found", other.url), response())
        async with scripted(answering(*answers)) as server:
            async with hoopsnake.Client(auth="token", cookies={"a": "b"}) as client:
                await client.get(server.url, follow_redirects=True)
    assert b"authorization" in server.requests[0] and b"cookie" in server.requests[0]
    assert b"authorization" not in other.requests[0] and b"cookie" not in other.requests[0]


async def test_those_without_an_end_are_given_up() -> None:
    async with scripted(answering(redirect("302 Found", "/again"))) as server:
        async with hoopsnake.Client(follow_redirects=True, max_redirects=5) as client:
            with pytest.raises(hoopsnake.TooManyRedirects, match="more than 5 redirects"):
                await client.get(server.url)
    assert len(server.requests) == 6
    assert server.connections == 1


async def test_the_next_request_is_there_for_who_follows_by_hand() -> None:
    answers = (redirect("303 See Other", "/next#part"), response())
    async with scripted(answering(*answers)) as server, hoopsnake.Client() as client:
        got = await client.post(server.url, json={"a": 1}, auth=("user", "password"))
        following = got.next_request
        assert got.has_redirect_location and following is not None
        assert (following.method, str(following.url)) == ("GET", server.url + "next#part")
        assert (following.content, "content-type" in following.headers) == (None, False)
        got = await client.send(following)
        assert (got.content, got.next_request, got.has_redirect_location) == (b"hello", None, False)
    assert b"authorization: Basic" in server.requests[1]


@pytest.mark.parametrize(
    ("location", "error"),
    [
        ("file:///etc/passwd", hoopsnake.UnsupportedProtocol),
        ("data:text/plain,hello", hoopsnake.UnsupportedProtocol),
        ("ftp://127.0.0.1/", hoopsnake.UnsupportedProtocol),
        ("javascript:alert(1)", hoopsnake.UnsupportedProtocol),
        ("http://[::1/", hoopsnake.RemoteProtocolError),
        ("http://", hoopsnake.RemoteProtocolError),
        ("//:0x/", hoopsnake.RemoteProtocolError),
    ],
)
async def test_those_that_lead_nowhere_are_errors(
    location: str, error: type[hoopsnake.RequestError]
) -> None:
    async with scripted(answering(redirect("302 Found", location))) as server:
        async with hoopsnake.Client(follow_redirects=True) as client:
            with pytest.raises(error, match=f"GET {server.url}: the redirect") as caught:
                await client.get(server.url)
            request = caught.value.request
            assert request is not None and str(request.url) == server.url
            # Who does not follow them has the response.
            got = await client.get(server.url, follow_redirects=False)
            assert got.headers["location"] == location


async def test_a_streamed_response_is_followed_on_one_connection() -> None:
    answers = (redirect("302 Found", "/next"), response())
    async with scripted(answering(*answers)) as server, hoopsnake.Client() as client:
        async with client.stream("GET", server.url, follow_redirects=True) as got:
            assert await got.aread() == b"hello"
            assert got.history[0].content == b"moved"
        assert server.connections == 1


async def test_the_way_back_does_not_bring_the_secrets_back() -> None:
    homes: list[str] = []

    async def lead_back(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await server.head(reader)
        writer.write(redirect("302 Found", homes[0]))

    async with scripted(lead_back) as other:
        answers = (redirect("302 Found", other.url), response())
        async with scripted(answering(*answers)) as home:
            homes.append(home.url)
            async with hoopsnake.Client(auth="token", follow_redirects=True) as client:
                assert (await client.get(home.url)).content == b"hello"
    assert b"authorization: Bearer token" in home.requests[0]
    assert b"authorization" not in other.requests[0] + home.requests[1]


@pytest.mark.parametrize("way", ["plain", "policies", "asked for"])
async def test_the_time_of_a_request_is_that_of_all_redirects_together(way: str) -> None:
    async def handle(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            await server.head(reader)
            # No hop takes as long as the whole may.
            await asyncio.sleep(0.1)
            writer.write(redirect("302 Found", "/next"))

    limits = hoopsnake.Timeout(None, total=0.3)
    client = hoopsnake.Client(
        timeout=None if way == "asked for" else limits,
        retries=2 if way == "policies" else None,
        follow_redirects=True,
        max_redirects=30,
    )
    async with scripted(handle) as server, client:
        with pytest.raises(hoopsnake.TotalTimeout):
            await client.request("GET", server.url, timeout=limits)
        assert len(server.requests) <= 3
        if way != "asked for":
            with pytest.raises(hoopsnake.TotalTimeout):
                await client.get(server.url)
            assert len(server.requests) <= 6


async def test_the_time_of_a_request_is_that_of_its_authentication_too() -> None:
    class Slow(hoopsnake.Auth):
        """A login that takes its time."""

        async def async_auth_flow(
            self, request: hoopsnake.Request
        ) -> AsyncGenerator[hoopsnake.Request, hoopsnake.Response]:
            await asyncio.sleep(0.05)
            yield request

    async with scripted(answering(response())) as server, hoopsnake.Client(auth=Slow()) as client:
        with pytest.raises(hoopsnake.TotalTimeout, match="as a whole") as caught:
            await client.get(server.url, timeout=hoopsnake.Timeout(total=0.03))
        assert caught.value.was_left_alone
        assert (await client.get(server.url)).content == b"hello"
    assert len(server.requests) == 1
