"""Compression of what the application sends, over real sockets."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from applications import body, start
from http2 import client_of
from served import Application, Receive, Scope, Send, served
from wire import Answer

import hoopsnake

TEXT = b"All work and no play makes Jack a dull boy. " * 100
PLAIN = (b"content-type", b"text/plain; charset=utf-8")
ALL = ("zstd", "br", "gzip")


def answering(content: bytes, *headers: tuple[bytes, bytes], status: int = 200) -> Application:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(status, headers))
        await send(body(content))

    return app


async def ask(
    application: Application, *fields: str, method: str = "GET", **settings: Any
) -> Answer:
    settings = {"compress": ALL, "lifespan": "off", **settings}
    async with served(application, **settings) as server, await server.connect() as wire:
        await wire.get("/", *fields, method=method)
        return await wire.answer(method)


def inflated(answer: Answer) -> bytes:
    assert answer.one("content-encoding") == "gzip"
    return gzip.decompress(answer.body)


@pytest.mark.parametrize(
    ("accepted", "offered", "coding"),
    [
        ("gzip", ALL, "gzip"),
        ("gzip, deflate, br, zstd", ALL, "zstd"),
        ("gzip, deflate, br, zstd", ("br", "gzip"), "br"),
        ("gzip;q=1, zstd;q=0.5", ALL, "gzip"),
        ("zstd", ("gzip",), None),
        ("identity", ALL, None),
        ("gzip;q=0", ALL, None),
        ("*", ALL, "zstd"),
        ("identity;q=0, *;q=0", ALL, None),
    ],
)
async def test_the_client_and_then_the_server_choose(
    accepted: str, offered: tuple[str, ...], coding: str | None
) -> None:
    headers = (PLAIN, (b"etag", b'"1"'), (b"vary", b"Cookie"), (b"content-length", b"4400"))
    app = answering(TEXT, *headers)
    answer = await ask(app, f"Accept-Encoding: {accepted}", compress=offered)
    assert answer.one("content-encoding") == coding
    assert answer.one("vary") == "Cookie, accept-encoding"
    assert answer.one("etag") == ('W/"1"' if coding else '"1"')
    assert answer.one("content-length") == str(len(answer.body))
    if coding is None:
        assert answer.body == TEXT
    else:
        assert len(answer.body) < 200
    if coding == "gzip":
        assert inflated(answer) == TEXT


async def test_without_the_setting_nothing_is_compressed() -> None:
    answer = await ask(answering(TEXT, PLAIN), "Accept-Encoding: gzip", compress=())
    assert (answer.body, answer.one("vary")) == (TEXT, None)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"content-type", b"image/png")],
        [PLAIN, (b"content-encoding", b"identity")],
        [PLAIN, (b"cache-control", b"public, no-transform")],
        [PLAIN, (b"content-digest", b"sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:")],
    ],
)
async def test_what_is_not_to_be_changed_is_left_alone(
    headers: Iterable[tuple[bytes, bytes]],
) -> None:
    answer = await ask(answering(TEXT, *headers), "Accept-Encoding: gzip")
    assert (answer.body, answer.one("vary")) == (TEXT, None)


async def test_small_bodies_are_left_alone() -> None:
    settings = {"compress_min_size": 100}
    small = await ask(answering(b"a" * 99, PLAIN), "Accept-Encoding: gzip", **settings)
    assert (small.body, small.one("vary")) == (b"a" * 99, None)
    large = await ask(answering(b"a" * 100, PLAIN), "Accept-Encoding: gzip", **settings)
    assert inflated(large) == b"a" * 100


@pytest.mark.parametrize("kind", ["application/json", "image/svg+xml", "application/problem+json"])
async def test_more_than_text_is_compressed(kind: str) -> None:
    content = json.dumps(list(range(1000))).encode()
    answer = await ask(
        answering(content, (b"content-type", kind.encode())), "Accept-Encoding: gzip"
    )
    assert inflated(answer) == content


async def test_parts_and_empty_answers_are_left_alone() -> None:
    part = (b"content-range", b"bytes 0-4399/9999")
    answer = await ask(answering(TEXT, PLAIN, part, status=206), "Accept-Encoding: gzip")
    assert (answer.status, answer.body) == (206, TEXT)
    empty = await ask(answering(b"", PLAIN, status=204), "Accept-Encoding: gzip")
    assert (empty.status, empty.one("content-encoding"), empty.one("vary")) == (204, None, None)


async def test_a_304_names_the_version_that_the_client_has() -> None:
    app = answering(b"", (b"etag", b'"1"'), status=304)
    known = await ask(app, "Accept-Encoding: gzip", 'If-None-Match: W/"1"')
    assert (known.status, known.one("etag")) == (304, 'W/"1"')
    other = await ask(app, "Accept-Encoding: gzip", 'If-None-Match: "1"')
    assert (other.status, other.one("etag")) == (304, '"1"')


@pytest.mark.parametrize("size", [4400, 1_000_000])
async def test_head_tells_what_get_would(size: int) -> None:
    content = (TEXT * (size // len(TEXT) + 1))[:size]
    app = answering(content, PLAIN, (b"content-length", str(size).encode()))
    head = await ask(app, "Accept-Encoding: gzip", method="HEAD")
    whole = await ask(app, "Accept-Encoding: gzip")
    assert inflated(whole) == content
    assert (head.status, head.body) == (200, b"")
    for name in ("content-encoding", "vary", "content-type", "etag"):
        assert head.one(name) == whole.one(name)
    assert head.one("content-length") in (None, whole.one("content-length"))


async def test_each_message_of_a_stream_arrives_at_once() -> None:
    proceed = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(200, [(b"content-type", b"text/event-stream")]))
        for event in (b"data: 1\n\n", b"data: 2\n\n", b"data: 3\n\n"):
            await send(body(event, more=True))
            await proceed.wait()
            proceed.clear()
        await send(body())

    async with served(app, compress=("gzip",), lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.get("/", "Accept-Encoding: gzip")
            head = await wire.head()
            assert head.one("transfer-encoding") == "chunked"
            inflater = zlib.decompressobj(wbits=31)
            received = b""
            async for chunk in wire.chunks():
                received += inflater.decompress(chunk)
                if received.endswith(b"\n\n"):
                    # The application sends the next one only now.
                    proceed.set()
            assert received == b"data: 1\n\ndata: 2\n\ndata: 3\n\n"
            assert inflater.eof


async def test_a_large_body_is_compressed_while_others_are_answered() -> None:
    content = os.urandom(200_000).hex().encode() * 20

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(200, [PLAIN]))
        await send(body(content if scope["path"] == "/large" else b"small"))

    async with served(app, compress=("gzip",), lifespan="off") as server:
        async with await server.connect() as large, await server.connect() as small:
            await large.get("/large", "Accept-Encoding: gzip")
            answering = asyncio.create_task(large.answer())
            answered = 0
            while not answering.done():
                await small.get("/small")
                assert (await small.answer()).body == b"small"
                answered += 1
            answer = await answering
            assert inflated(answer) == content
            assert answered > 5, f"{answered} small answers while the large one was compressed"


async def test_trailers_follow_a_compressed_body() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({**start(200, [PLAIN]), "trailers": True})
        await send(body(TEXT))
        await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"1")]})

    async with client_of(app, compress=("gzip",)) as (client, _):
        answer = await client.get("/", ("accept-encoding", "gzip"), ("te", "trailers"))
        assert gzip.decompress(answer.body) == TEXT
        assert answer.trailers == [("x-sum", "1")]
        head = await client.get("/", ("accept-encoding", "gzip"), method="HEAD")
        assert (head.body, head.all("content-encoding")) == (b"", ["gzip"])


async def test_files_that_the_application_sends_are_compressed_too(tmp_path: Path) -> None:
    content = TEXT * 100
    (tmp_path / "file").write_bytes(content)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(200, [PLAIN]))
        await send({"type": "http.response.pathsend", "path": str(tmp_path / "file")})

    assert inflated(await ask(app, "Accept-Encoding: gzip")) == content


async def test_an_answer_that_breaks_off_does_not_look_whole() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(200, [PLAIN]))
        await send(body(TEXT, more=True))
        raise RuntimeError("in the middle")

    async with served(app, faulty=True, compress=("gzip",), lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.get("/", "Accept-Encoding: gzip")
            with pytest.raises(asyncio.IncompleteReadError):
                await wire.answer()


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"compress": ("deflate",)}, "deflate"),
        ({"compress_min_size": -1}, "compress_min_size"),
        ({"compress_zstd_level": 20}, "compress_zstd_level"),
        ({"compress_br_level": 12}, "compress_br_level"),
        ({"compress_gzip_level": 0}, "compress_gzip_level"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(
    settings: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(hoopsnake.ServerError, match=complaint):
        hoopsnake.ServerConfig(**settings)
