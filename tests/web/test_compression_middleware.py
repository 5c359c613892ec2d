"""Compression of answers, by what the client takes and what the answer is."""

from __future__ import annotations

import gzip
import zlib
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest
from asgi_messages import Answer, ask, scope_of
from hypothesis import given, settings
from hypothesis import strategies as st

import hoopsnake
from hoopsnake.web import WebError
from hoopsnake.web.middleware import CompressionMiddleware, GZipMiddleware
from hoopsnake.web.middleware.compression import chosen_encoding

LONG = b"what is said again and again " * 100


def saying(*pieces: bytes, status: int = 200, **headers: str) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        head = {"content_type": "text/plain", **headers}
        if len(pieces) == 1:
            head["content_length"] = str(len(pieces[0]))
        raw = [(n.replace("_", "-").encode(), v.encode()) for n, v in head.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        for number, piece in enumerate(pieces):
            more = number + 1 < len(pieces)
            await send({"type": "http.response.body", "body": piece, "more_body": more})

    return app


async def compressed(app: Any, accepted: str = "gzip", method: str = "GET") -> Answer:
    return await ask(CompressionMiddleware(app), scope_of(method, accept_encoding=accepted))


async def test_a_long_text_is_compressed() -> None:
    answer = await compressed(saying(LONG, etag='"one"', accept_ranges="bytes"))
    assert gzip.decompress(answer.body) == LONG
    assert answer.header("content-encoding") == "gzip"
    assert answer.header("content-length") == str(len(answer.body))
    assert (answer.header("etag"), answer.header("vary")) == ('W/"one"', "Accept-Encoding")
    assert answer.header("accept-ranges") is None


@settings(max_examples=30)
@given(
    pieces=st.lists(st.binary(max_size=3000), min_size=1, max_size=5),
    encoding=st.sampled_from(["gzip", "br", "zstd"]),
)
def test_whatever_comes_in_whatever_pieces_is_the_same_after(
    pieces: list[bytes], encoding: str
) -> None:
    async def check() -> None:
        app = CompressionMiddleware(saying(*pieces), minimum_size=0, encodings=[encoding])
        answer = await ask(app, scope_of(accept_encoding=encoding))
        assert answer.header("content-encoding") == encoding
        assert _decompressed(answer.body, encoding) == b"".join(pieces)

    if find_spec({"br": "brotli", "zstd": "zstandard", "gzip": "zlib"}[encoding]) is not None:
        hoopsnake.run(check())


def _decompressed(body: bytes, encoding: str) -> Any:
    if encoding == "gzip":
        return zlib.decompress(body, 16 + zlib.MAX_WBITS)
    if encoding == "br":
        return import_module("brotli").decompress(body)
    return import_module("zstandard").ZstdDecompressor().decompressobj().decompress(body)


async def test_a_stream_is_compressed_piece_by_piece() -> None:
    answer = await compressed(saying(LONG, LONG, content_length="5800"))
    inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
    # Each piece can be read when it is there.
    assert inflate.decompress(answer.messages[1]["body"]) == LONG
    assert inflate.decompress(answer.messages[2]["body"]) == LONG
    assert answer.header("content-length") is None


async def test_a_large_body_is_compressed_beside_the_loop() -> None:
    large = LONG * 60
    answer = await compressed(saying(large))
    assert gzip.decompress(answer.body) == large


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (200, {"content_type": "image/png"}),
        (200, {"content_type": ""}),
        (200, {"content_type": "text/event-stream"}),
        (200, {"content_encoding": "br"}),
        (200, {"cache_control": "public, No-Transform"}),
        (206, {}),
    ],
)
async def test_what_is_not_worth_it_or_not_allowed_is_left_alone(
    status: int, headers: dict[str, str]
) -> None:
    answer = await compressed(saying(LONG, status=status, **headers))
    assert (answer.status, answer.body) == (status, LONG)
    assert answer.header("content-encoding") == headers.get("content_encoding")


async def test_a_short_body_and_a_head_alone_are_left_alone() -> None:
    short = await compressed(saying(b"short"))
    assert (short.body, short.header("content-encoding")) == (b"short", None)
    head = await compressed(saying(b"", content_length="5000"), method="HEAD")
    assert (head.header("content-encoding"), head.body) == (None, b"")
    plain = await compressed(saying(LONG), "identity")
    assert (plain.body, plain.header("vary")) == (LONG, "Accept-Encoding")


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("", None),
        ("gzip", "gzip"),
        ("GZIP, br", "br"),
        ("gzip;q=1, br;q=0.5", "gzip"),
        ("br;q=0, gzip;q=0.001", "gzip"),
        ("*", "zstd"),
        ("*;q=0", None),
        ("*;q=0.5, zstd;q=0", "br"),
        ("identity;q=1, gzip;q=0.5", None),
        ("x-gzip", "gzip"),
        ("gzip;q=x", None),
        ("deflate", None),
    ],
)
def test_the_client_chooses(accepted: str, encoding: str | None) -> None:
    assert chosen_encoding(accepted, ["zstd", "br", "gzip"]) == encoding


async def test_gzip_alone_is_there_by_its_known_name() -> None:
    app = GZipMiddleware(saying(LONG), minimum_size=10, compresslevel=1)
    answer = await ask(app, scope_of(accept_encoding="br, zstd, gzip"))
    assert gzip.decompress(answer.body) == LONG
    with pytest.raises(WebError, match="no encoding 'lzma'"):
        CompressionMiddleware(saying(), encodings=["lzma"])
    if find_spec("brotli") is None:
        with pytest.raises(WebError, match="pip install brotli"):
            CompressionMiddleware(saying(), encodings=["br"])
