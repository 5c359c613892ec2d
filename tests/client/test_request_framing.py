"""What frames a request is the engine's to say, and what ends its connection is heeded."""

from __future__ import annotations

import asyncio

import pytest
from scripted_server import ScriptedServer, answering, response, scripted

import hoopsnake

SMUGGLED = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n"
FRAMING = (b"content-length", b"transfer-encoding")


def framing_of(head: bytes) -> list[bytes]:
    """Find the fields that say how long a body is."""
    return [line for line in head.lower().split(b"\r\n") if line.split(b":")[0] in FRAMING]


@pytest.mark.parametrize("own", [{"Transfer-Encoding": "chunked"}, {"Content-Length": "3"}])
@pytest.mark.parametrize("is_plain", [True, False])
async def test_a_clients_own_headers_do_not_frame_a_body(
    own: dict[str, str], is_plain: bool
) -> None:
    bodies: list[bytes] = []

    async def handle(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            head = await server.head(reader)
            bodies.append(await server.body(head, reader))
            writer.write(response())

    more = {} if is_plain else {"headers": {"x-a": "b"}}
    async with scripted(handle) as server, hoopsnake.Client(headers=own) as client:
        await client.post(server.url, content=SMUGGLED, **more)
        await client.get(server.url, **more)
    assert bodies == [SMUGGLED, b""]
    assert server.connections == 1
    length = b"content-length: %d" % len(SMUGGLED)
    assert [framing_of(head) for head in server.requests] == [[length], []]


async def test_an_empty_body_is_told_once() -> None:
    async with scripted(answering(response())) as server, hoopsnake.Client() as client:
        await client.post(server.url)
        await client.post(server.url, content=b"", headers={"content-length": "7"})
    assert [framing_of(head) for head in server.requests] == [[b"content-length: 0"]] * 2


@pytest.mark.parametrize("is_the_clients", [True, False])
async def test_a_connection_is_not_used_after_a_request_that_ends_it(is_the_clients: bool) -> None:
    closing = {"Connection": "x-a, Close"}
    async with (
        scripted(answering(response())) as server,
        hoopsnake.Client(headers=closing if is_the_clients else None) as client,
    ):
        for _ in range(2):
            assert (await client.get(server.url, headers=closing)).content == b"hello"
            assert client.stats().open == 0
    assert server.connections == 2
