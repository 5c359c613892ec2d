"""permessage-deflate (RFC 7692): what is agreed on, what is compressed, and what is too much."""

from __future__ import annotations

import random
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import websockets
from frames import BINARY, CLOSE, CONTINUATION, PING, TEXT, Frame, frame, next_frame, opened
from served import Receive, Scope, Send, Served, served
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from wire import Wire

COMPRESSED = 4
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await send({**event, "type": "websocket.send"})


@asynccontextmanager
async def connected(
    offer: str = DEFLATE, **settings: Any
) -> AsyncIterator[tuple[Wire, str | None, Served]]:
    """An open WebSocket, and what was agreed on."""
    async with served(echo, lifespan="off", **settings) as server:
        async with await server.connect() as wire:
            answer = await opened(wire, "/", offer)
            yield wire, answer.one("sec-websocket-extensions"), server


def deflated(data: bytes, bits: int = 15) -> bytes:
    """A message, compressed for itself."""
    compressor = zlib.compressobj(wbits=-bits)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(
        b"\x00\x00\xff\xff"
    )


async def raw_frame(wire: Wire) -> tuple[int, bytes]:
    """The first byte of a frame that is shorter than 64 KiB, and its payload."""
    first, size = await wire.reader.readexactly(2)
    if size == 126:
        size = int.from_bytes(await wire.reader.readexactly(2), "big")
    assert size < 127 or size > 125
    return first, await wire.reader.readexactly(size)


@pytest.mark.parametrize(
    ("offer", "agreed"),
    [
        ("permessage-deflate", "; server_max_window_bits=12"),
        (
            "permessage-deflate; client_max_window_bits",
            "; server_max_window_bits=12; client_max_window_bits=12",
        ),
        (
            "permessage-deflate; server_max_window_bits=10; server_no_context_takeover",
            "; server_no_context_takeover; server_max_window_bits=10",
        ),
        (
            "x-other, permessage-deflate; unknown, permessage-deflate; client_no_context_takeover",
            "; client_no_context_takeover; server_max_window_bits=12",
        ),
        ("permessage-deflate; server_max_window_bits=8", None),
        ("x-other", None),
    ],
)
async def test_an_offer_is_answered(offer: str, agreed: str | None) -> None:
    async with connected(f"Sec-WebSocket-Extensions: {offer}") as (_, answer, _):
        assert answer == (None if agreed is None else f"permessage-deflate{agreed}")


async def test_it_can_be_switched_off() -> None:
    async with connected(ws_per_message_deflate=False) as (wire, answer, _):
        assert answer is None
        await wire.send(frame(TEXT, deflated(b"hello"), reserved=COMPRESSED))
        assert (await next_frame(wire)).close[0] == 1002


async def test_long_messages_are_compressed_and_short_ones_left_alone() -> None:
    text = b"again and again, " * 100
    async with connected() as (wire, _, _):
        inflater = zlib.decompressobj(wbits=-12)
        sizes = []
        for _ in range(2):
            await wire.send(frame(TEXT, deflated(text), reserved=COMPRESSED))
            first, payload = await raw_frame(wire)
            assert first == 0x80 | COMPRESSED << 4 | TEXT
            assert inflater.decompress(payload + b"\x00\x00\xff\xff") == text
            sizes.append(len(payload))
        # The second time it is one reference to the first.
        assert sizes[1] < sizes[0] < len(text) // 10
        await wire.send(frame(TEXT, b"short"))
        assert await next_frame(wire) == Frame(TEXT, b"short")


async def test_without_a_context_each_message_stands_for_itself() -> None:
    text = b"again and again, " * 100
    async with connected(f"{DEFLATE}; server_no_context_takeover") as (wire, _, _):
        for _ in range(3):
            await wire.send(frame(TEXT, text))
            _, payload = await raw_frame(wire)
            assert zlib.decompressobj(wbits=-12).decompress(payload + b"\x00\x00\xff\xff") == text


async def test_pieces_and_pings_may_come_in_between() -> None:
    text = "tür auf, tür zu. " * 50
    data = deflated(text.encode())
    async with connected() as (wire, _, _):
        await wire.send(frame(TEXT, data[:5], final=False, reserved=COMPRESSED))
        await wire.send(frame(CONTINUATION, data[5:20], final=False))
        await wire.send(frame(PING, b"there?"))
        await wire.send(frame(CONTINUATION, data[20:]))
        assert (await next_frame(wire)).payload == b"there?"
        _, payload = await raw_frame(wire)
        inflated = zlib.decompressobj(wbits=-12).decompress(payload + b"\x00\x00\xff\xff")
        assert inflated.decode() == text


@pytest.mark.parametrize("server_forgets", [False, True])
@pytest.mark.parametrize("client_forgets", [False, True])
@pytest.mark.parametrize("bits", [9, 12, 15])
async def test_a_client_from_elsewhere_gets_all_its_messages_back(
    server_forgets: bool, client_forgets: bool, bits: int
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    factory = ClientPerMessageDeflateFactory(
        server_no_context_takeover=server_forgets,
        client_no_context_takeover=client_forgets,
        server_max_window_bits=bits,
        client_max_window_bits=bits,
    )
    async with served(echo, lifespan="off") as server:
        async with websockets.connect(
            server.websocket_url, compression=None, extensions=[factory]
        ) as client:
            for _ in range(100):
                size = chance.choice([0, 1, 63, 64, 1000, 70_000])
                kind = chance.choice(["random", "text", "zeros"])
                message: bytes | str = {
                    "random": lambda size=size: chance.randbytes(size),
                    "text": lambda size=size: "".join(chance.choices("aäß€ ", k=size)),
                    "zeros": lambda size=size: bytes(size),
                }[kind]()
                await client.send(message)
                assert await client.recv() == message


async def test_a_bomb_closes_with_1009() -> None:
    bomb = deflated(bytes(50_000_000))
    assert len(bomb) < 60_000
    async with connected(ws_max_size=100_000) as (wire, _, _):
        await wire.send(frame(BINARY, deflated(bytes(100_000)), reserved=COMPRESSED))
        assert (await raw_frame(wire))[0] & 0x0F == BINARY
        await wire.send(frame(BINARY, bomb, reserved=COMPRESSED))
        assert (await next_frame(wire)).close == (1009, "message too large")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(BINARY, b"\xff" * 20, reserved=COMPRESSED), 1007),
        (frame(TEXT, deflated(b"\xc3\x28"), reserved=COMPRESSED), 1007),
        (frame(PING, b"", reserved=COMPRESSED), 1002),
        (frame(TEXT, b"", final=False) + frame(CONTINUATION, b"", reserved=COMPRESSED), 1002),
        (frame(TEXT, b"", reserved=2), 1002),
    ],
    ids=["no deflate", "no UTF-8", "a ping", "a continuation", "another bit"],
)
async def test_what_is_malformed_closes(data: bytes, code: int) -> None:
    async with connected() as (wire, _, _):
        await wire.send(data)
        answer = await next_frame(wire)
        assert answer.opcode == CLOSE and answer.close[0] == code
