"""The HTTP client as a typed program uses it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Generator, Sequence
from typing import assert_type

import hoopsnake
from hoopsnake.limits import CircuitBreaker, ConcurrencyLimit, Deadline, RateLimit


async def pieces() -> AsyncIterator[bytes]:
    yield b"piece"


class Signed(hoopsnake.Auth):
    requires_response_body = True

    def auth_flow(
        self, request: hoopsnake.Request
    ) -> Generator[hoopsnake.Request, hoopsnake.Response, None]:
        response = yield request
        request.headers["x-token"] = response.text
        yield request


def through_proxies(context: ssl.SSLContext) -> list[hoopsnake.Client]:
    login = hoopsnake.Proxy("http://host:3128", auth=("user", "password"), headers={"x-a": "1"})
    return [
        hoopsnake.Client(verify=context, proxy="socks5://localhost", trust_env=False),
        hoopsnake.Client(proxies={"https://": login, "all://*.example.com": None}),
        hoopsnake.Client(auth=hoopsnake.BasicAuth("user", b"password"), cookies=[("a", "1")]),
    ]


async def fetch() -> None:
    timeout = hoopsnake.Timeout(5, total=60)
    limits = hoopsnake.Limits(max_connections=10)
    async with hoopsnake.Client(
        base_url="http://example.com", timeout=timeout, limits=limits
    ) as client:
        got = assert_type(await client.get("/", params={"a": [1, 2]}), hoopsnake.Response)
        assert_type(got.status_code, int)
        assert_type(got.headers.get("etag"), str | None)
        assert_type(got.headers.get("etag", ""), str)
        assert_type(got.raise_for_status().text, str)
        assert_type(got.url, hoopsnake.URL)
        assert_type(got.request, hoopsnake.Request)
        await client.post("/", json={"a": 1}, headers=[("x-a", "1")], timeout=None)
        await client.put("/", content=pieces(), auth=("user", "password"))
        await client.patch("/", files={"file": ("name.txt", b"text", "text/plain")})
        async with client.stream("GET", "/", follow_redirects=True) as streamed:
            async for line in streamed.aiter_lines():
                assert_type(line, str)
            async for piece in streamed.aiter_bytes(1024):
                assert_type(piece, bytes)
        assert_type(client.stats().waiting, int)
        assert_type(client.cookies.get("session"), str | None)
        assert_type(got.cookies["session"], str)
        client.cookies.set("a", "1", domain="example.com", path="/deep")
        client.cookies = {"a": "1"}
        await client.get("/", cookies={"b": "2"}, auth=hoopsnake.DigestAuth("user", "password"))
        await client.get("/", auth=hoopsnake.NetRCAuth("logins"))
        following = assert_type(got.next_request, hoopsnake.Request | None)
        if following is not None:
            await client.send(following, auth=Signed())
        try:
            await client.send(client.build_request("DELETE", "/"))
        except hoopsnake.TimeoutException as error:
            assert_type(error.phase, str | None)


def host_breaker(host: str) -> CircuitBreaker:
    return CircuitBreaker(least_calls=5)


async def fetch_patiently() -> None:
    async with hoopsnake.Client(
        retries=hoopsnake.Retries(3, statuses={503}, budget=None),
        hedge=0.2,
        rate_limit=RateLimit(10, burst=5),
        concurrency=lambda host: ConcurrencyLimit(3),
        breaker=host_breaker,
        heed_deadline=True,
        deadline_header="x-time-left-ms",
    ) as client:
        try:
            got = await client.get("http://example.com/")
            attempts: tuple[hoopsnake.Attempt, ...] = got.extensions["attempts"]
            assert_type(attempts[0].status, int | None)
        except hoopsnake.CircuitOpen as error:
            assert_type(error.host, str)
            assert_type(error.retry_after, float | None)
        except hoopsnake.RequestError as error:
            assert_type(error.attempts, Sequence[hoopsnake.Attempt])
            assert_type(error.was_left_alone, bool)
    hoopsnake.Client(retries=3, hedge=True, rate_limit=5, concurrency=3, breaker=True)
    async with Deadline(1) as deadline:
        deadline.withdraw()
        assert_type(deadline.is_over, bool)


async def talk(client: hoopsnake.Client) -> None:
    terms = hoopsnake.Deflate(server_no_context_takeover=True)
    async with client.websocket("ws://example.com/", compression=terms) as socket:
        assert_type(socket, hoopsnake.ClientWebSocket)
        await socket.send("text")
        await socket.send_json({"a": 1})
        assert_type(await socket.receive(), str | bytes)
        assert_type(await socket.ping(), float)
        async for message in socket:
            assert_type(message, str | bytes)
        assert_type(socket.close_code, int | None)
    try:
        async with hoopsnake.connect_websocket("wss://example.com/", subprotocols=["a"]) as socket:
            assert_type(socket.subprotocol, str | None)
    except hoopsnake.HandshakeRefused as refusal:
        assert_type(refusal.response, hoopsnake.Response)
    except hoopsnake.ConnectionClosed as closed:
        assert_type(closed.code, int)


async def listen(client: hoopsnake.Client) -> None:
    async with client.events("http://example.com/", deadline=60, params={"a": 1}) as events:
        assert_type(events.last_event_id, str)
        async for event in events:
            assert_type(event, hoopsnake.ServerSentEvent)
            assert_type(event.data, str)
    async with client.stream("POST", "http://example.com/", json={}) as response:
        async for event in response.aiter_events():
            assert_type(event.retry, int | None)
