"""SIGTERM while clients stall in every way there is: the process ends within its grace."""

from __future__ import annotations

import contextlib
import signal
import struct
import time
from pathlib import Path

import pytest
from certificate_authority import Authority
from frames import frame, handshake
from http2 import HEADERS, PREFACE, SETTINGS, Client
from http2 import frame as http2_frame
from program import serving
from test_http2_hostile import END_HEADERS, HEAD, head
from wire import Wire, request

GRACE_SECONDS = 1.0
APP = """
async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] == "websocket.receive":
            pass
        return
    if scope["path"] == "/large":
        await send({"type": "http.response.start", "status": 200})
        while True:
            await send({"type": "http.response.body", "body": bytes(100_000), "more_body": True})
    while (event := await receive())["type"] == "http.request" and event["more_body"]:
        pass
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"hello"})
"""


def half_a_frame() -> bytes:
    """A head of HTTP/2 whose end does not come, behind a whole request."""
    fields = [(":method", "POST"), *HEAD[1:]]
    return (
        PREFACE
        + http2_frame(SETTINGS)
        + http2_frame(HEADERS, END_HEADERS, 1, head(*fields))
        + struct.pack("!I", 100)[1:]
    )


STALLS = {
    "nothing": b"",
    "half a head": b"GET / HTTP/1.1\r\nHost:",
    "half a body": request("POST / HTTP/1.1", "Content-Length: 100", body=b"half"),
    "half a chunk": request("POST / HTTP/1.1", "Transfer-Encoding: chunked", body=b"50\r\nhalf"),
    "no reading": request("GET /large HTTP/1.1"),
    "half a WebSocket message": handshake() + frame(2, bytes(1000))[:100],
    "half a frame of HTTP/2": half_a_frame(),
}


@pytest.mark.parametrize("stall", STALLS.values(), ids=STALLS)
async def test_the_process_ends_within_its_grace(stall: bytes, tmp_path: Path) -> None:
    async with serving(tmp_path, APP, "--graceful-timeout", str(GRACE_SECONDS)) as server:
        async with await server.connect(receive_buffer=4096, read_ahead=4096) as stalled:
            await stalled.send(stall)
            async with await server.connect() as wire:
                # The one before it has been read by now.
                await wire.get()
                assert (await wire.answer()).body == b"hello"
            began = time.monotonic()
            server.signal(signal.SIGTERM)
            assert await server.ended() == 0
            # Its closing of connections has two seconds more at the most; the machine has the rest.
            assert time.monotonic() - began < GRACE_SECONDS + 10


async def test_a_handshake_of_tls_that_does_not_come_holds_up_no_stop(tmp_path: Path) -> None:
    certificate = str(Authority().write(tmp_path))
    options = ("--ssl-certfile", certificate, "--graceful-timeout", str(GRACE_SECONDS))
    async with serving(tmp_path, APP, *options) as server:
        async with await server.connect() as stalled:
            await stalled.send(b"\x16\x03\x01\x02\x00\x01")
            began = time.monotonic()
            server.signal(signal.SIGTERM)
            assert await server.ended() == 0
            assert time.monotonic() - began < GRACE_SECONDS + 10
            with contextlib.suppress(ConnectionError):
                assert await stalled.rest() == b""


async def test_stalled_clients_keep_nobody_from_being_served(tmp_path: Path) -> None:
    async with serving(tmp_path, APP, "--graceful-timeout", "0") as server:
        wires: list[Wire] = []
        for _ in range(20):
            for stall in STALLS.values():
                wire = await server.connect(receive_buffer=4096, read_ahead=4096)
                wires.append(wire)
                await wire.send(stall)
        for _ in range(10):
            async with await server.connect() as wire:
                await wire.get()
                assert (await wire.answer()).body == b"hello"
            async with await server.connect() as wire:
                assert (await (await Client.begin(wire)).get()).body == b"hello"
        for wire in wires:
            wire.vanish()
