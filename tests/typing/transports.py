"""Transports of the HTTP client, and recordings, as a typed program uses them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import assert_type

import hoopsnake
from hoopsnake import har


async def pieces() -> AsyncIterator[bytes]:
    yield b"piece"


def answer(request: hoopsnake.Request) -> hoopsnake.Response:
    return hoopsnake.Response(200, headers={"x-a": "1"}, json=[1], request=request)


async def answer_later(request: hoopsnake.Request) -> hoopsnake.Response:
    assert_type(await request.aread(), bytes)
    return hoopsnake.Response(200, stream=pieces())


async def application(scope: object, receive: object, send: object) -> None:
    """Stands for an ASGI application."""


async def without_connections() -> None:
    for transport in (
        hoopsnake.MockTransport(answer),
        hoopsnake.MockTransport(answer_later),
        hoopsnake.ASGITransport(application, lifespan="off"),
        har.RecordingTransport("shop.har", hoopsnake.MockTransport(answer)),
        har.ReplayTransport("shop.har", match=("method", "path"), mode="repeat"),
        har.record_once("shop.har"),
    ):
        async with hoopsnake.Client(transport=transport) as client:
            response = await client.get("http://shop/")
            response.request = hoopsnake.Request("GET", "http://shop/")
    assert_type(har.load("shop.har"), list[har.Exchange])
    own = hoopsnake.HTTPTransport(http2=True, retries=2)
    assert_type(own.stats(), hoopsnake.PoolStats)
    await own.aclose()
