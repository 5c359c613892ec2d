"""Responses that a program makes: what they tell, and how they are read."""

from __future__ import annotations

import asyncio
import gzip
import io
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import hoopsnake
from hoopsnake import Response


async def three_pieces() -> AsyncIterator[bytes]:
    for piece in (b"one ", b"two ", b"three"):
        yield piece


@pytest.mark.parametrize(
    ("given", "kind", "content"),
    [
        ({}, None, b""),
        ({"content": b"bytes"}, None, b"bytes"),
        ({"content": bytearray(b"array")}, None, b"array"),
        ({"content": "täxt"}, None, "täxt".encode()),
        ({"text": "täxt"}, "text/plain; charset=utf-8", "täxt".encode()),
        ({"html": "<p>"}, "text/html; charset=utf-8", b"<p>"),
        ({"json": {"a": ["ü"]}}, "application/json", '{"a":["ü"]}'.encode()),
    ],
)
def test_a_body_says_its_type_and_its_length(
    given: dict[str, Any], kind: str | None, content: bytes
) -> None:
    response = Response(200, **given)
    assert (response.content, response.headers.get("content-type")) == (content, kind)
    assert response.headers.get("content-length") == (str(len(content)) if content else None)
    assert response.is_closed


def test_what_the_headers_say_already_stays() -> None:
    headers = [("Content-Type", "text/x"), ("set-cookie", "a=1"), ("set-cookie", "b=2")]
    response = Response(201, headers=headers, text="text")
    assert response.headers["content-type"] == "text/x"
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert (response.status_code, response.reason_phrase) == (201, "Created")


def test_it_tells_what_a_fetched_one_tells() -> None:
    request = hoopsnake.Request("GET", "http://example.com/a")
    extensions = {"http_version": b"HTTP/2", "reason_phrase": b"Fine", "mine": 1}
    response = Response(200, json=[1], request=request, extensions=extensions)
    assert (response.json(), response.http_version, response.reason_phrase) == (
        [1],
        "HTTP/2",
        "Fine",
    )
    assert response.request is request
    assert str(response.url) == "http://example.com/a"
    assert response.extensions == extensions
    assert response.elapsed.total_seconds() == 0
    assert response.history == []
    assert len(response.trailers) == 0
    assert response.raise_for_status() is response
    response.extensions["more"] = 2
    assert response.extensions["more"] == 2
    assert "more" not in extensions


def test_one_that_answers_nothing_says_so() -> None:
    response = Response(404)
    with pytest.raises(RuntimeError, match="answers no request yet"):
        response.request  # noqa: B018
    with pytest.raises(RuntimeError, match="answers no request yet"):
        response.url  # noqa: B018
    response.request = hoopsnake.Request("GET", "http://example.com/")
    with pytest.raises(hoopsnake.HTTPStatusError, match="404 Not Found, a client error"):
        response.raise_for_status()


@pytest.mark.parametrize("status", [0, 99, 1000])
def test_a_status_has_three_digits(status: int) -> None:
    with pytest.raises(ValueError, match="three digits"):
        Response(status)


def test_a_body_of_another_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="bytes, str or an iterator of bytes"):
        Response(200, content=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Response(200, extensions={"http_version": "HTTP/2"})


def test_a_packed_body_is_unpacked() -> None:
    response = Response(
        200, headers={"content-encoding": "gzip"}, content=gzip.compress(b"unpacked" * 100)
    )
    assert response.content == b"unpacked" * 100
    with pytest.raises(hoopsnake.DecodingError, match="Content-Encoding"):
        Response(200, headers={"content-encoding": "gzip"}, content=b"no gzip at all")


async def test_an_iterator_is_read_as_it_is_asked_for() -> None:
    taken: list[bytes] = []

    async def pieces() -> AsyncIterator[bytes]:
        async for piece in three_pieces():
            taken.append(piece)
            yield piece

    response = Response(200, content=pieces())
    assert response.headers["transfer-encoding"] == "chunked"
    assert not response.is_closed
    with pytest.raises(hoopsnake.ResponseNotRead):
        response.content  # noqa: B018
    iterator = response.aiter_bytes()
    assert await anext(iterator) == b"one "
    assert taken == [b"one "]
    assert [piece async for piece in iterator] == [b"two ", b"three"]
    assert response.num_bytes_downloaded == 13
    assert response.is_closed
    with pytest.raises(hoopsnake.StreamClosed):
        await response.aread()


async def test_an_iterator_is_read_whole() -> None:
    response = Response(200, stream=three_pieces())
    assert "transfer-encoding" not in response.headers
    assert await response.aread() == b"one two three" == response.content
    assert await response.aread() == b"one two three"
    assert response.text == "one two three"


def plain_pieces() -> Iterator[bytes]:
    yield b"a\n"
    yield b"b"


async def test_an_iterator_may_be_a_plain_one() -> None:
    assert [line async for line in Response(200, content=plain_pieces()).aiter_lines()] == [
        "a",
        "b",
    ]
    assert await Response(200, content=io.BytesIO(b"x\ny")).aread() == b"x\ny"


async def test_a_packed_iterator_is_unpacked_or_left_raw() -> None:
    packed = gzip.compress(b"much " * 1000)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(packed), 7):
            yield packed[start : start + 7]

    headers = {"content-encoding": "gzip"}
    assert await Response(200, headers=headers, stream=pieces()).aread() == b"much " * 1000
    raw = [piece async for piece in Response(200, headers=headers, stream=pieces()).aiter_raw()]
    assert b"".join(raw) == packed


async def test_a_broken_off_packed_iterator_is_an_error_of_its_request() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield gzip.compress(b"much " * 1000)[:30]

    request = hoopsnake.Request("GET", "http://example.com/")
    response = Response(200, headers={"content-encoding": "gzip"}, stream=pieces(), request=request)
    with pytest.raises(hoopsnake.DecodingError, match="ends too early") as caught:
        await response.aread()
    assert caught.value.request is request
    assert response.is_closed


async def test_what_an_iterator_raises_closes_the_response() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        raise LookupError("no more")

    response = Response(200, stream=pieces())
    with pytest.raises(LookupError, match="no more"):
        await response.aread()
    with pytest.raises(hoopsnake.StreamClosed):
        await response.aread()


async def test_closing_ends_the_iterator() -> None:
    ended = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        try:
            yield b"one"
            yield b"two"
        finally:
            ended.set()

    response = Response(200, stream=pieces())
    assert await anext(response.aiter_bytes()) == b"one"
    await response.aclose()
    assert ended.is_set()
    assert response.is_closed


async def test_two_may_not_read_at_once() -> None:
    going_on = asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        await going_on.wait()
        yield b"one"

    response = Response(200, stream=pieces())
    reading = asyncio.create_task(response.aread())
    await asyncio.sleep(0)
    with pytest.raises(hoopsnake.StreamConsumed):
        await response.aread()
    going_on.set()
    assert await reading == b"one"


def test_it_is_read_on_any_loop() -> None:
    async def read() -> bytes:
        response = Response(200, stream=three_pieces())
        content = await response.aread()
        await Response(200, stream=three_pieces()).aclose()
        return content

    assert asyncio.run(read()) == b"one two three"
