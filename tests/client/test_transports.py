"""Requests that a transport answers instead of a connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from scripted_server import answering, response, scripted

import hoopsnake
from hoopsnake import Client, MockTransport, Request, Response
from hoopsnake._client._transports import Engine


def echo(request: Request) -> Response:
    assert isinstance(request.content, bytes | None)
    return Response(
        200,
        json={
            "method": request.method,
            "url": str(request.url),
            "host": request.headers["host"],
            "body": (request.content or b"").decode(),
        },
    )


async def test_a_function_answers() -> None:
    async with Client(transport=MockTransport(echo), base_url="http://shop:81") as client:
        got = await client.get("/tea", params={"a": 1})
        assert got.json() == {
            "method": "GET",
            "url": "http://shop:81/tea?a=1",
            "host": "shop:81",
            "body": "",
        }
        assert (await client.get("http://[::1]:5/")).json()["host"] == "[::1]:5"
        assert str(got.url) == "http://shop:81/tea?a=1"
        assert got.request.method == "GET"
        assert got.elapsed.total_seconds() > 0
        assert (await client.post("/", content=b"bytes")).json()["body"] == "bytes"
        assert (await client.put("/", content=b"bytes")).json()["method"] == "PUT"
        assert client.stats().opened == 0


async def test_a_coroutine_function_answers() -> None:
    async def handler(request: Request) -> Response:
        await asyncio.sleep(0)
        return Response(202)

    async with Client(transport=MockTransport(handler)) as client:
        assert (await client.head("http://shop/")).status_code == 202


async def test_a_handler_sees_the_body_that_an_iterator_makes() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    async with Client(transport=MockTransport(echo)) as client:
        got = await client.post("http://shop/", content=pieces())
        assert got.json()["body"] == "one two"
        form = await client.post("http://shop/", files={"f": ("n.txt", b"text")})
        assert 'filename="n.txt"' in form.json()["body"]


async def test_what_goes_around_an_exchange_is_the_same() -> None:
    def handler(request: Request) -> Response:
        if request.url.path == "/old":
            return Response(302, headers={"location": "/new"})
        return Response(200, text=request.headers["authorization"])

    seen: list[str] = []
    async with Client(
        transport=MockTransport(handler),
        follow_redirects=True,
        auth=("user", "word"),
        event_hooks={
            "request": [lambda request: seen.append(request.url.path)],
            "response": [lambda response: seen.append(str(response.status_code))],
        },
    ) as client:
        got = await client.get("http://shop/old")
    assert got.text == "Basic dXNlcjp3b3Jk"
    assert [str(before.url) for before in got.history] == ["http://shop/old"]
    assert seen == ["/old", "302", "/new", "200"]


async def test_a_streamed_response_is_read_as_it_is_made() -> None:
    gone = asyncio.Event()

    async def ticks() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"tick\n"
        finally:
            gone.set()

    async with (
        Client(transport=MockTransport(lambda request: Response(200, stream=ticks()))) as client,
        client.stream("GET", "http://shop/") as got,
    ):
        lines = got.aiter_lines()
        assert [await anext(lines), await anext(lines)] == ["tick", "tick"]
        await got.aclose()
    assert gone.is_set()


async def test_what_a_handler_raises_tells_the_request() -> None:
    def slow(request: Request) -> Response:
        raise hoopsnake.ReadTimeout("too slow")

    async with Client(transport=MockTransport(slow)) as client:
        with pytest.raises(hoopsnake.ReadTimeout, match="too slow") as caught:
            await client.get("http://shop/a")
    assert caught.value.request is not None
    assert str(caught.value.request.url) == "http://shop/a"
    assert caught.value.elapsed is not None


async def test_a_limit_for_all_of_a_request_holds() -> None:
    cancelled = asyncio.Event()

    async def never(request: Request) -> Response:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            cancelled.set()
        raise AssertionError

    timeout = hoopsnake.Timeout(5, total=0.2)
    async with Client(transport=MockTransport(never), timeout=timeout) as client:
        with pytest.raises(hoopsnake.TotalTimeout, match=r"GET http://shop/: .* as a whole"):
            await client.get("http://shop/")
    assert cancelled.is_set()


async def test_a_time_out_of_the_handlers_own_is_its_own() -> None:
    def handler(request: Request) -> Response:
        raise TimeoutError("mine")

    async with Client(transport=MockTransport(handler)) as client:
        with pytest.raises(TimeoutError, match="mine"):
            await client.get("http://shop/")


async def test_what_is_no_response_is_refused() -> None:
    async with Client(transport=MockTransport(lambda request: "text")) as client:  # type: ignore[arg-type, return-value]
        with pytest.raises(TypeError, match="answers with a Response, not with 'text'"):
            await client.get("http://shop/")


async def test_a_transport_may_go_around_the_clients_own_connections() -> None:
    class Stamping(hoopsnake.Transport):
        closed = 0

        async def exchange(self, request: Request, engine: Engine) -> Response:
            request.headers["x-stamp"] = "1"
            got = await engine(request)
            assert not got.is_closed
            got.extensions["stamped"] = True
            return got

        async def aclose(self) -> None:
            self.closed += 1

    stamping = Stamping()
    async with scripted(answering(response(b"hello"))) as server:
        async with Client(transport=stamping) as client:
            got = await client.get(server.url)
            assert got.content == b"hello"
            assert got.extensions["stamped"]
            stats = client.stats()
            assert (stats.opened, stats.idle) == (1, 1)
            async with client.stream("GET", server.url) as streamed:
                assert [piece async for piece in streamed.aiter_raw()] == [b"hello"]
    assert b"x-stamp: 1" in server.requests[0]
    assert stamping.closed == 1


async def test_a_transport_without_an_answer_says_so() -> None:
    async with Client(transport=hoopsnake.Transport()) as client:
        with pytest.raises(NotImplementedError, match="handle_async_request"):
            await client.get("http://shop/")


def test_a_transport_works_on_any_loop() -> None:
    async def fetch() -> str:
        async with Client(transport=MockTransport(lambda _: Response(200, text="here"))) as client:
            return (await client.get("http://shop/")).text

    assert asyncio.run(fetch()) == "here"


@pytest.mark.parametrize("phase", ["read", "total"])
async def test_a_body_that_does_not_come_is_waited_for_no_longer_than_it_may(phase: str) -> None:
    async def stops() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.Event().wait()

    limits = hoopsnake.Timeout(None, read=0.2 if phase == "read" else None)
    if phase == "total":
        limits = hoopsnake.Timeout(None, total=1)
    kind = hoopsnake.ReadTimeout if phase == "read" else hoopsnake.TotalTimeout
    transport = MockTransport(lambda request: Response(200, content=stops()))
    async with Client(transport=transport, timeout=limits) as client:
        async with asyncio.timeout(10), client.stream("GET", "http://shop/") as got:
            with pytest.raises(kind) as caught:
                async for piece in got.aiter_bytes():
                    assert piece == b"first"
            assert caught.value.phase == "read"
            assert caught.value.request is got.request
            assert got.is_closed
