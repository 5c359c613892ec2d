"""Valid traffic of every protocol, and what chance makes of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import hpack
from frames import BINARY, CLOSE, CONTINUATION, PING, TEXT, frame, handshake
from http2 import (
    DATA,
    HEADERS,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
)
from http2 import PING as H2_PING
from http2 import frame as http2_frame
from test_websocket_deflate import COMPRESSED, DEFLATE, deflated
from wire import request

CHUNKED = "Transfer-Encoding: chunked"
# Bytes that mean something to one parser or another.
TELLING = b"\r\n\0 \t:;,/.0159aZ\x7f\x80\xff"


@dataclass(frozen=True)
class Traffic:
    """What a client may send."""

    data: bytes
    # So much of its beginning stays as it is, so that it is known for what it is.
    sound: int = 0


def http1() -> Traffic:
    """Four requests, one after the other."""
    return Traffic(
        b"".join(
            [
                request("GET /a?b=c HTTP/1.1", "X-A: b", "Accept: */*"),
                request("POST /a HTTP/1.1", "Content-Length: 5", body=b"abcde"),
                request("POST /a HTTP/1.1", CHUNKED, body=b"3;a=b\r\nabc\r\n0\r\nX-A: b\r\n\r\n"),
                request("GET /a HTTP/1.1", "Connection: Upgrade", "Upgrade: h2c"),
            ]
        )
    )


def http2() -> Traffic:
    """Two requests, one that is given up, and a WebSocket."""
    encoder = hpack.Encoder()
    fields = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "test")]
    websocket = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        *fields[1:],
        ("sec-websocket-version", "13"),
    ]
    parts = [PREFACE, http2_frame(SETTINGS), http2_frame(SETTINGS, 1)]
    for stream in (1, 3):
        parts.append(http2_frame(HEADERS, 4, stream, encoder.encode(fields)))
        parts.append(http2_frame(DATA, 0, stream, b"some data"))
        parts.append(http2_frame(DATA, 1, stream, b"and more"))
    parts.append(http2_frame(H2_PING, 0, 0, b"8 bytes!"))
    parts.append(http2_frame(WINDOW_UPDATE, 0, 0, b"\x00\x00\x10\x00"))
    parts.append(http2_frame(HEADERS, 4, 5, encoder.encode(websocket)))
    parts.append(http2_frame(DATA, 0, 5, frame(TEXT, b"hello")))
    parts.append(http2_frame(DATA, 1, 5, frame(CLOSE)))
    parts.append(http2_frame(HEADERS, 4, 7, encoder.encode(fields)))
    parts.append(http2_frame(RST_STREAM, 0, 7, b"\x00\x00\x00\x08"))
    return Traffic(b"".join(parts), len(PREFACE))


def websocket() -> Traffic:
    """A handshake, which stays as it is, and messages behind it, some of them compressed."""
    opening = handshake("/", DEFLATE)
    frames = [
        frame(TEXT, b"hello"),
        frame(TEXT, deflated(b"again and again, " * 10), reserved=COMPRESSED),
        frame(PING, b"there?"),
        frame(BINARY, b"in", final=False),
        frame(CONTINUATION, b"pieces"),
        frame(BINARY, bytes(1000)),
        frame(CLOSE, b"\x03\xe8"),
    ]
    return Traffic(opening + b"".join(frames), len(opening))


def websocket_handshake() -> Traffic:
    """A handshake that may break too."""
    return Traffic(websocket().data)


def tls() -> Traffic:
    """A record of a handshake, whose content is no handshake."""
    return Traffic(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(600), 3)


KINDS: dict[str, Callable[[], Traffic]] = {
    "HTTP/1.1": http1,
    "HTTP/2": http2,
    "WebSocket": websocket,
    "WebSocket handshake": websocket_handshake,
}


def broken(chance: random.Random, traffic: Traffic) -> bytes:
    """Change, cut, repeat, insert or move something behind what stays sound."""
    changed, sound = bytearray(traffic.data), traffic.sound
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(sound, len(changed))
        match chance.randrange(7):
            case 0:
                changed[at] ^= 1 << chance.randrange(8)
            case 1:
                changed[at] = chance.choice(TELLING)
            case 2:
                del changed[at : at + chance.randint(1, 20)]
            case 3:
                changed[at:at] = chance.randbytes(chance.randint(1, 20))
            case 4:
                changed[at:at] = bytes(chance.choices(TELLING, k=chance.randint(1, 3)))
            case 5:
                changed[at:at] = changed[at : at + chance.randint(1, 200)]
            case 6:
                del changed[at:]
        if len(changed) <= sound:
            break
    return bytes(changed)
