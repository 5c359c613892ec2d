"""Servers that break the rules of WebSocket, at each place where they can be broken."""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import Awaitable, Callable

import pytest
from frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close, frame
from scripted_server import ScriptedServer, scripted
from websocket_servers import Peer, answer, echo, rude, websockets_server

import hoopsnake


def plain(opcode: int, payload: bytes = b"", *, final: bool = True, reserved: int = 0) -> bytes:
    """Write a server's frame."""
    return frame(opcode, payload, final=final, masked=False, reserved=reserved)


def closing(code: int, reason: bytes = b"") -> bytes:
    return plain(CLOSE, struct.pack("!H", code) + reason)


VIOLATIONS: dict[str, tuple[bytes, int]] = {
    "masked": (frame(TEXT, b"hello"), 1002),
    "bad opcode": (plain(3, b"hello"), 1002),
    "bad control opcode": (plain(11), 1002),
    "reserved bit 2": (plain(TEXT, b"hello", reserved=2), 1002),
    "compressed without an agreement": (plain(TEXT, b"hello", reserved=4), 1002),
    "oversized ping": (plain(PING, b"x" * 126), 1002),
    "fragmented ping": (plain(PING, final=False), 1002),
    "continues nothing": (plain(CONTINUATION, b"hello"), 1002),
    "interleaved": (plain(TEXT, b"a", final=False) + plain(TEXT, b"b"), 1002),
    "length over 2^63": (bytes([0x82, 127]) + b"\xff" * 8, 1002),
    "invalid text": (plain(TEXT, b"\xc3\x28"), 1007),
    "text cut short": (plain(TEXT, "€".encode()[:2]), 1007),
    "close of one byte": (plain(CLOSE, b"\x03"), 1002),
    "close with a code that may not be sent": (closing(1005), 1002),
    "close with an invalid reason": (closing(1000, b"\xff"), 1007),
    "too large by its head": (bytes([0x82, 127]) + (10_001).to_bytes(8, "big"), 1009),
    "too large in pieces": (
        plain(BINARY, b"x" * 6000, final=False) + plain(CONTINUATION, b"x" * 6000),
        1009,
    ),
}


@pytest.mark.parametrize("name", VIOLATIONS)
async def test_a_violation_is_told_to_both_sides(name: str) -> None:
    data, code = VIOLATIONS[name]
    told: list[int] = []

    async def breaks(peer: Peer) -> None:
        await peer.send(plain(TEXT, b"before") + data)
        while (got := await peer.frame()).opcode != CLOSE:
            pass
        told.append(got.close[0] or 0)

    async with rude(breaks) as server:
        async with hoopsnake.connect_websocket(server.url, max_message=10_000) as socket:
            assert await socket.receive() == "before"
            with pytest.raises(hoopsnake.ConnectionClosedError) as caught:
                await socket.receive()
            assert (caught.value.code, caught.value.closed_by) == (code, "client")
            assert caught.value.reason
    assert told == [code]


async def test_a_compressed_bomb_is_too_large() -> None:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = compressor.compress(b"\0" * 50_000_000) + compressor.flush(zlib.Z_SYNC_FLUSH)

    async def bombs(peer: Peer) -> None:
        await peer.send(plain(BINARY, bomb[:-4], reserved=4))
        assert (await peer.frame()).close[0] == 1009

    async with rude(bombs, "sec-websocket-extensions: permessage-deflate") as server:
        async with hoopsnake.connect_websocket(server.url, max_message=1_000_000) as socket:
            with pytest.raises(hoopsnake.ConnectionClosedError) as caught:
                await socket.receive()
            assert caught.value.code == 1009


async def test_a_conversation_cut_at_each_byte_is_no_order() -> None:
    whole = plain(TEXT, b"one") + plain(PING, b"there?") + plain(BINARY, b"x" * 130) + closing(1000)
    messages = ["one", b"x" * 130]
    for cut in range(len(whole) + 1):

        async def cuts(peer: Peer, cut: int = cut) -> None:
            await peer.send(whole[:cut])

        async with rude(cuts) as server:
            got: list[str | bytes] = []
            async with hoopsnake.connect_websocket(server.url) as socket:
                try:
                    async for message in socket:
                        got.append(message)
                except hoopsnake.ConnectionClosedError as error:
                    assert cut < len(whole)
                    assert (error.code, error.closed_by) == (1006, "network")
                else:
                    assert cut == len(whole)
                    assert (socket.close_code, socket.closed_by) == (1000, "server")
            assert got == messages[: len(got)]


async def test_garbage_after_the_close_frame_is_not_looked_at() -> None:
    async def talks_on(peer: Peer) -> None:
        await peer.send(closing(1000) + b"\xff" * 5000 + plain(TEXT, b"more"))
        assert (await peer.frame()).close[0] == 1000

    async with rude(talks_on) as server, hoopsnake.connect_websocket(server.url) as socket:
        assert [message async for message in socket] == []
        assert socket.closed_by == "server"


async def test_a_server_that_never_answers_a_close_is_left() -> None:
    async def stays(peer: Peer) -> None:
        while await peer.reader.read(1000):
            pass

    async with rude(stays) as server:
        begun = asyncio.get_running_loop().time()
        async with hoopsnake.connect_websocket(server.url, close_timeout=0.2) as socket:
            pass
        assert 0.15 < asyncio.get_running_loop().time() - begun < 10
        assert (socket.close_code, socket.closed_by) == (1006, "network")
        assert "did not answer" in (socket.close_reason or "")


async def test_a_server_that_floods_while_it_is_closed_does_not_keep_it_open() -> None:
    async def floods(peer: Peer) -> None:
        while True:
            await peer.send(plain(BINARY, b"x" * 50_000))

    async with rude(floods) as server:
        async with hoopsnake.connect_websocket(server.url, close_timeout=0.3) as socket:
            await socket.receive()
        assert socket.closed_by == "network"


async def test_a_silent_server_is_pinged_and_given_up() -> None:
    pings: list[bytes] = []

    async def is_silent(peer: Peer) -> None:
        while (got := await peer.frame()).opcode == PING:
            pings.append(got.payload)
            pinged.set()

    pinged = asyncio.Event()
    async with rude(is_silent) as server:
        options = {"ping_interval": 0.05, "ping_timeout": 0.1}
        async with hoopsnake.connect_websocket(server.url, **options) as socket:
            with pytest.raises(
                hoopsnake.ConnectionClosedError, match="no answer to a ping"
            ) as caught:
                await socket.receive()
            assert (caught.value.code, caught.value.closed_by) == (1006, "network")
            await pinged.wait()
    assert pings == [b""]


async def test_a_pong_that_nobody_asked_for_answers_nothing() -> None:
    async def pongs(peer: Peer) -> None:
        await peer.send(plain(PONG, b"") + plain(PONG, b"\0\0\0\x63") + plain(PONG, b"others"))
        got = await peer.frame()
        assert got.opcode == PING
        await peer.send(plain(TEXT, b"before") + plain(PONG, got.payload))
        assert (await peer.frame()).opcode == CLOSE

    async with rude(pongs) as server:
        async with hoopsnake.connect_websocket(server.url, close_timeout=1) as socket:
            pinging = asyncio.create_task(asyncio.wait_for(socket.ping(), 10))
            assert await socket.receive() == "before"
            assert await pinging > 0


REFUSALS: dict[str, tuple[tuple[str, ...], str, str]] = {
    "forbidden": ((), "403 Forbidden", "403"),
    "no upgrade": ((), "200 OK", "200"),
    "redirect": (("location: /there",), "302 Found", "redirects to /there"),
    "wrong accept": (("sec-websocket-accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=",), "", "Accept"),
    "no accept": (("sec-websocket-accept:",), "", "Accept"),
    "other upgrade": (("upgrade: h2c",), "", "something else"),
    "no connection": (("connection:",), "", "something else"),
    "subprotocol": (("sec-websocket-protocol: other",), "", "'other'|\"other\""),
    "extension": (("sec-websocket-extensions: x-other",), "", "x-other"),
    "parameter": (
        ("sec-websocket-extensions: permessage-deflate; client_max_window_bits=16",),
        "",
        "client_max_window_bits",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_handshake_that_opens_nothing_has_its_response(name: str) -> None:
    fields, status, words = REFUSALS[name]

    async def refuses(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        head = await server.head(reader)
        if status:
            body = b"not you" * 20_000
            fields_too = "".join(f"{field}\r\n" for field in fields)
            length = f"content-length: {len(body)}"
            writer.write(f"HTTP/1.1 {status}\r\n{fields_too}{length}\r\n\r\n".encode() + body)
        else:
            writer.write(answer(head, *fields))

    async with scripted(refuses) as server, hoopsnake.Client() as client:
        with pytest.raises(hoopsnake.HandshakeRefused, match=words) as caught:
            async with client.websocket(server.url.replace("http", "ws"), subprotocols=["mine"]):
                pass
        response = caught.value.response
        assert str(response.status_code) == (status or "101")[:3]
        if status:
            assert response.content == (b"not you" * 20_000)[: 64 * 1024]
        assert caught.value.request is not None
        assert isinstance(caught.value, hoopsnake.WebSocketError | hoopsnake.HTTPError)


async def test_a_handshake_cut_at_each_byte_is_an_error() -> None:
    length = 130
    for cut in range(0, length, 3):

        async def cuts(
            server: ScriptedServer,
            reader: asyncio.StreamReader,
            writer: asyncio.StreamWriter,
            cut: int = cut,
        ) -> None:
            head = answer(await server.head(reader))
            assert len(head) >= length - 4
            writer.write(head[: min(cut, len(head) - 1)])

        async with scripted(cuts) as server:
            with pytest.raises(hoopsnake.TransportError):
                async with hoopsnake.connect_websocket(server.url):
                    pass


async def test_a_server_that_does_not_answer_runs_into_the_timeout() -> None:
    async def waits(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.read()

    async with scripted(waits) as server:
        with pytest.raises(hoopsnake.ReadTimeout):
            async with hoopsnake.connect_websocket(server.url, timeout=0.2):
                pass
    with pytest.raises(hoopsnake.ConnectError):
        async with hoopsnake.connect_websocket(server.url):
            pass


async def test_a_refusal_whose_body_does_not_end_is_a_refusal() -> None:
    async def refuses(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await server.head(reader)
        fields = "www-authenticate: Digest realm=x\r\ncontent-length: 100\r\n\r\nbegun"
        writer.write(f"HTTP/1.1 401 Unauthorized\r\n{fields}".encode())
        await reader.read()

    async with scripted(refuses) as server:
        with pytest.raises(hoopsnake.HandshakeRefused, match="401") as caught:
            async with hoopsnake.connect_websocket(server.url, timeout=hoopsnake.Timeout(read=1)):
                pass
    assert caught.value.response.headers["www-authenticate"] == "Digest realm=x"
    assert caught.value.response.content == b"begun"


async def test_what_comes_with_the_handshake_is_not_lost() -> None:
    async def handle(
        server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        # In one piece with the head.
        writer.write(answer(await server.head(reader)) + plain(TEXT, b"early") + closing(1000))
        await Peer(reader, writer).frame()

    async with scripted(handle) as server, hoopsnake.connect_websocket(server.url) as socket:
        assert [message async for message in socket] == ["early"]


async def test_nothing_is_left_of_sockets_that_are_cancelled_anywhere() -> None:
    async def uses(url: str, client: hoopsnake.Client) -> None:
        async with client.websocket(url, close_timeout=1) as socket:
            while True:
                await socket.send("again")
                await socket.receive()

    steps: list[Callable[[], Awaitable[None]]] = [lambda: asyncio.sleep(0)]
    async with websockets_server(echo) as url, hoopsnake.Client() as client:
        for turns in range(0, 60, 2):
            task = asyncio.create_task(uses(url, client))
            for _ in range(turns):
                await steps[0]()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        async with client.websocket(url) as socket:
            await socket.send("works")
            assert await socket.receive() == "works"


def test_the_close_helper_of_the_servers_tests_masks() -> None:
    assert close(1000)[1] & 0x80
