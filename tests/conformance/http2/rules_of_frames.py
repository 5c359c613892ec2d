"""RFC 9113, sections 3, 4 and 6: the preface, and what a frame of each type may be."""

from __future__ import annotations

import struct

from peer import (
    ACK,
    CONTINUATION,
    DATA,
    ENABLE_PUSH,
    END_HEADERS,
    END_STREAM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    MAX_FRAME_SIZE,
    PADDED,
    PING,
    PREFACE,
    PRIORITIZED,
    PRIORITY,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    STREAM_CLOSED,
    WINDOW_UPDATE,
    Broken,
    Peer,
    block,
    frame,
    headers,
    request,
    request_fields,
    settings,
    window_update,
)
from rules import Rules

RULES = Rules("RFC 9113")
GET = block(*request_fields())
POST = block(*request_fields(method="POST"))
LARGEST = 16384
TOO_MUCH = 2**31 - 1

# 3.4: the connection preface.


@RULES.rule("3.4", "the server's first frame is SETTINGS", begins=False)
def _(peer: Peer) -> None:
    peer.send(PREFACE + settings())
    first = peer.next()
    if first is None or first.kind != SETTINGS or first.flags & ACK:
        raise Broken(f"it is {first}")


@RULES.rule("3.4", "a preface that goes wrong ends the connection", begins=False)
def _(peer: Peer) -> None:
    peer.send(PREFACE[:-4] + b"XX\r\n" + settings())
    while peer.sock.recv(65536):
        pass


@RULES.rule("3.4", "a first frame that is not SETTINGS is an error", begins=False)
def _(peer: Peer) -> None:
    peer.send(PREFACE + request(1))
    peer.connection_error(PROTOCOL_ERROR)


# 4.1: the frame format.

RULES.ignored("4.1", "a frame of an unknown type", frame(0xFA, 0xFF, 0, b"anything"))
RULES.ignored("4.1", "a frame of an unknown type on a stream", frame(0xFA, 0, 7, b"anything"))
RULES.ignored("4.1", "flags that have no meaning", frame(PING, 0xFE, 0, b"8 bytes!"))
RULES.ignored("4.1", "the reserved bit", frame(PING, 0, 1 << 31, b"8 bytes!"))
RULES.ignored("4.1", "flags without a meaning for SETTINGS", frame(SETTINGS, 0xFE))

# 4.2: the frame size.

RULES.answered(
    "4.2",
    "a frame of the largest size is taken",
    request(1, end=False) + frame(DATA, END_STREAM, 1, bytes(LARGEST)),
    body=bytes(LARGEST),
)
RULES.connection_error(
    "4.2",
    "DATA above the largest size",
    request(1, end=False) + frame(DATA, END_STREAM, 1, bytes(LARGEST + 1)),
    FRAME_SIZE_ERROR,
)
RULES.connection_error(
    "4.2",
    "HEADERS above the largest size",
    frame(HEADERS, END_STREAM | END_HEADERS, 1, GET + bytes(LARGEST)),
    FRAME_SIZE_ERROR,
)
RULES.connection_error(
    "4.2", "an unknown type above the largest size", frame(0xFA, 0, 0, bytes(LARGEST + 1)),
    FRAME_SIZE_ERROR,
)  # fmt: skip
RULES.connection_error(
    "4.2",
    "SETTINGS above the largest size",
    settings(*[(0xF0F0, 0)] * (LARGEST // 6 + 1)),
    FRAME_SIZE_ERROR,
)

# 4.3: field section compression; what is inside of one is a matter of RFC 7541.

RULES.connection_error(
    "4.3",
    "PRIORITY within a block of fields",
    frame(HEADERS, END_STREAM, 1, GET) + frame(PRIORITY, 0, 1, bytes(5)),
    PROTOCOL_ERROR,
)
RULES.connection_error(
    "4.3",
    "HEADERS of another stream within a block of fields",
    frame(HEADERS, END_STREAM, 1, GET) + request(3),
    PROTOCOL_ERROR,
)
RULES.connection_error(
    "4.3",
    "an unknown type within a block of fields",
    frame(HEADERS, END_STREAM, 1, GET) + frame(0xFA, 0, 1, b"anything"),
    PROTOCOL_ERROR,
)
RULES.connection_error(
    "4.3",
    "DATA within a block of fields",
    frame(HEADERS, 0, 1, POST) + frame(DATA, END_STREAM, 1, b"body"),
    PROTOCOL_ERROR,
)

# 6.1: DATA.

RULES.connection_error("6.1", "DATA on stream 0", frame(DATA, 0, 0, b"body"), PROTOCOL_ERROR)
RULES.escalated(
    "6.1",
    "DATA on a stream that is half closed",
    request(1, path="/held") + frame(DATA, END_STREAM, 1, b"body"),
    STREAM_CLOSED,
)
RULES.answered(
    "6.1",
    "padding is no part of the body",
    request(1, end=False) + frame(DATA, END_STREAM | PADDED, 1, b"\x03" + b"body" + bytes(3)),
    body=b"body",
)
RULES.answered(
    "6.1",
    "padding may be all there is",
    request(1, end=False) + frame(DATA, END_STREAM | PADDED, 1, b"\xff" + bytes(255)),
    body=b"",
)
RULES.connection_error(
    "6.1",
    "padding as long as the payload",
    request(1, end=False) + frame(DATA, END_STREAM | PADDED, 1, b"\x05" + b"body" + b""),
    PROTOCOL_ERROR,
)
RULES.connection_error(
    "6.1",
    "padded DATA without the length of its padding",
    request(1, end=False) + frame(DATA, END_STREAM | PADDED, 1),
    PROTOCOL_ERROR,
    FRAME_SIZE_ERROR,
)

# 6.2: HEADERS.

RULES.connection_error("6.2", "HEADERS on stream 0", headers(0, GET), PROTOCOL_ERROR)
RULES.connection_error(
    "6.2",
    "padding as long as the payload",
    frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1, bytes([len(GET) + 1]) + GET),
    PROTOCOL_ERROR,
)
RULES.answered(
    "6.2",
    "padded and with a priority",
    frame(
        HEADERS,
        END_STREAM | END_HEADERS | PADDED | PRIORITIZED,
        1,
        b"\x07" + struct.pack("!IB", 0, 15) + GET + bytes(7),
    ),
)
RULES.connection_error(
    "6.2",
    "too short for the priority it announces",
    frame(HEADERS, END_STREAM | END_HEADERS | PRIORITIZED, 1, b"\x00\x00"),
    PROTOCOL_ERROR,
    FRAME_SIZE_ERROR,
)
RULES.stream_error(
    "5.3.1 of RFC 7540",
    "a stream that depends on itself, in its HEADERS",
    frame(
        HEADERS, END_STREAM | END_HEADERS | PRIORITIZED, 1, struct.pack("!IB", 1, 15) + GET
    ),
    PROTOCOL_ERROR,
)  # fmt: skip
RULES.stream_error(
    "5.3.1 of RFC 7540",
    "a stream that depends on itself",
    request(1, end=False) + frame(PRIORITY, 0, 1, struct.pack("!IB", 1, 15)),
    PROTOCOL_ERROR,
)

# 6.3: PRIORITY.

RULES.connection_error("6.3", "on stream 0", frame(PRIORITY, 0, 0, bytes(5)), PROTOCOL_ERROR)
RULES.escalated(
    "6.3", "of another length", request(1) + frame(PRIORITY, 0, 1, bytes(4)), FRAME_SIZE_ERROR
)
RULES.ignored("6.3", "on an idle stream", frame(PRIORITY, 0, 3, struct.pack("!IB", 0, 15)))

# 6.4: RST_STREAM.

RULES.connection_error("6.4", "on stream 0", frame(RST_STREAM, 0, 0, bytes(4)), PROTOCOL_ERROR)
RULES.connection_error(
    "6.4", "on an idle stream", frame(RST_STREAM, 0, 1, bytes(4)), PROTOCOL_ERROR
)
RULES.connection_error(
    "6.4",
    "of another length",
    request(1, end=False) + frame(RST_STREAM, 0, 1, bytes(3)),
    FRAME_SIZE_ERROR,
)


@RULES.rule("6.4", "with an unknown code it ends its stream alone")
def _(peer: Peer) -> None:
    peer.send(request(1, end=False) + frame(RST_STREAM, 0, 1, b"\xff" * 4) + request(3))
    peer.answered(3)
    peer.lives()


# 6.5: SETTINGS.

RULES.connection_error(
    "6.5", "an acknowledgement with a payload", frame(SETTINGS, ACK, 0, bytes(6)), FRAME_SIZE_ERROR
)
RULES.connection_error("6.5", "on a stream", frame(SETTINGS, 0, 1), PROTOCOL_ERROR)
RULES.connection_error(
    "6.5", "of a length that is no multiple of 6", frame(SETTINGS, 0, 0, bytes(3)), FRAME_SIZE_ERROR
)
RULES.connection_error(
    "6.5.2", "ENABLE_PUSH that is neither 0 nor 1", settings((ENABLE_PUSH, 2)), PROTOCOL_ERROR
)
RULES.connection_error(
    "6.5.2",
    "INITIAL_WINDOW_SIZE above the largest window",
    settings((INITIAL_WINDOW_SIZE, 2**31)),
    FLOW_CONTROL_ERROR,
)
RULES.connection_error(
    "6.5.2",
    "MAX_FRAME_SIZE below the initial value",
    settings((MAX_FRAME_SIZE, LARGEST - 1)),
    PROTOCOL_ERROR,
)
RULES.connection_error(
    "6.5.2",
    "MAX_FRAME_SIZE above the largest size",
    settings((MAX_FRAME_SIZE, 2**24)),
    PROTOCOL_ERROR,
)
RULES.connection_error(
    "3 of RFC 8441", "ENABLE_CONNECT_PROTOCOL that is neither 0 nor 1", settings((8, 2)),
    PROTOCOL_ERROR,
)  # fmt: skip
RULES.ignored("6.5.2", "an unknown setting", settings((0xF0F0, 7)))


@RULES.rule("6.5.3", "settings are acknowledged, each time")
def _(peer: Peer) -> None:
    peer.send(settings() * 3)
    for _ in range(3):
        peer.until(lambda it: it.kind == SETTINGS and it.flags & ACK, "an acknowledgement")


@RULES.rule("6.5.3", "of one setting given twice the last one counts", begins=False)
def _(peer: Peer) -> None:
    peer.begin((INITIAL_WINDOW_SIZE, 100), (INITIAL_WINDOW_SIZE, 1))
    peer.send(request(1, path="/large"))
    data = peer.until(lambda it: it.kind == DATA, "a piece of a body")
    if len(data.payload) != 1:
        raise Broken(f"{len(data.payload)} bytes came through a window of 1")


# 6.6: PUSH_PROMISE is the server's alone.

RULES.connection_error(
    "6.6",
    "from a client",
    request(1, end=False) + frame(PUSH_PROMISE, END_HEADERS, 1, struct.pack("!I", 2) + GET),
    PROTOCOL_ERROR,
)

# 6.7: PING.


@RULES.rule("6.7", "a ping is answered with its own payload")
def _(peer: Peer) -> None:
    peer.send(frame(PING, 0, 0, b"original"))
    pong = peer.until(lambda it: it.kind == PING, "a pong")
    if pong.payload != b"original" or pong.flags != ACK:
        raise Broken(f"it is {pong}")


@RULES.rule("6.7", "an acknowledgement is not answered")
def _(peer: Peer) -> None:
    peer.send(frame(PING, ACK, 0, b"unasked!") + frame(PING, 0, 0, b"original"))
    pong = peer.until(lambda it: it.kind == PING, "a pong")
    if pong.payload != b"original":
        raise Broken(f"it is {pong}")


RULES.connection_error("6.7", "on a stream", frame(PING, 0, 1, bytes(8)), PROTOCOL_ERROR)
RULES.connection_error("6.7", "of another length", frame(PING, 0, 0, bytes(6)), FRAME_SIZE_ERROR)

# 6.8: GOAWAY.

RULES.connection_error("6.8", "on a stream", frame(GOAWAY, 0, 1, bytes(8)), PROTOCOL_ERROR)
RULES.connection_error("6.8", "that is too short", frame(GOAWAY, 0, 0, bytes(7)), FRAME_SIZE_ERROR)


@RULES.rule("6.8", "a client that says goodbye still gets its answers")
def _(peer: Peer) -> None:
    peer.send(request(1, path="/large"))
    peer.until(lambda it: it.kind == HEADERS, "a response")
    peer.send(frame(GOAWAY, 0, 0, bytes(8)))
    peer.send(window_update(0, 2**20) + window_update(1, 2**20))
    peer.until(lambda it: it.stream == 1 and it.flags & END_STREAM, "the end of the response")


# 6.9: WINDOW_UPDATE, and flow control.

RULES.connection_error("6.9", "of nothing, for the connection", window_update(0, 0), PROTOCOL_ERROR)
RULES.escalated(
    "6.9", "of nothing, for a stream", request(1, end=False) + window_update(1, 0), PROTOCOL_ERROR
)
RULES.connection_error(
    "6.9", "of another length", frame(WINDOW_UPDATE, 0, 0, bytes(3)), FRAME_SIZE_ERROR
)
RULES.connection_error(
    "6.9.1",
    "a connection's window above the largest",
    window_update(0, TOO_MUCH),
    FLOW_CONTROL_ERROR,
)
RULES.stream_error(
    "6.9.1",
    "a stream's window above the largest",
    request(1, end=False) + window_update(1, TOO_MUCH),
    FLOW_CONTROL_ERROR,
)


@RULES.rule("6.9", "no more is sent than the window holds", begins=False)
def _(peer: Peer) -> None:
    peer.begin((INITIAL_WINDOW_SIZE, 3))
    peer.send(request(1, path="/large"))
    data = peer.until(lambda it: it.kind == DATA, "a piece of a body")
    if len(data.payload) > 3:
        raise Broken(f"{len(data.payload)} bytes came through a window of 3")
    peer.lives()
    more = sum(len(it.payload) for it in peer.seen if it.kind == DATA)
    if more != 3:
        raise Broken(f"{more} bytes came through a window of 3")


@RULES.rule("6.9.2", "a window that grows with the settings lets the rest through", begins=False)
def _(peer: Peer) -> None:
    peer.begin((INITIAL_WINDOW_SIZE, 0))
    peer.send(request(1, path="/large"))
    peer.until(lambda it: it.kind == HEADERS, "a head")
    peer.send(settings((INITIAL_WINDOW_SIZE, 2)))
    data = peer.until(lambda it: it.kind == DATA, "a piece of a body")
    if len(data.payload) != 2:
        raise Broken(f"{len(data.payload)} bytes came through a window of 2")


@RULES.rule("6.9.2", "a window may fall below nothing", begins=False)
def _(peer: Peer) -> None:
    peer.begin((INITIAL_WINDOW_SIZE, 3))
    peer.send(request(1, path="/large"))
    peer.until(lambda it: it.kind == DATA, "a piece of a body")
    peer.send(settings((INITIAL_WINDOW_SIZE, 2)))
    peer.until(lambda it: it.kind == SETTINGS and it.flags & ACK, "an acknowledgement")
    # Now it is -1: 1 makes it 0, and 2 makes it 1.
    peer.send(window_update(1, 1))
    peer.lives()
    peer.send(window_update(1, 1))
    data = peer.until(lambda it: it.kind == DATA, "a piece of a body")
    if len(data.payload) != 1:
        raise Broken(f"{len(data.payload)} bytes came through a window of 1")


@RULES.rule("6.9.2", "settings that make a stream's window too large are an error")
def _(peer: Peer) -> None:
    peer.send(request(1, end=False) + window_update(1, 2**30))
    peer.send(settings((INITIAL_WINDOW_SIZE, TOO_MUCH)))
    peer.connection_error(FLOW_CONTROL_ERROR)


@RULES.rule("6.9.1", "a body beyond the window is an error")
def _(peer: Peer) -> None:
    peer.send(request(1, end=False, path="/unread"))
    # Four times the largest window that was ever announced for a stream.
    try:
        for _ in range(64):
            peer.send(frame(DATA, 0, 1, bytes(LARGEST)))
    except OSError:
        pass
    while (found := peer.next()) is not None:
        if found.kind == GOAWAY or (found.kind == RST_STREAM and found.stream == 1):
            if found.code != FLOW_CONTROL_ERROR:
                raise Broken(f"{found} instead of FLOW_CONTROL_ERROR")
            return
    raise Broken(f"the connection ended; there was {peer.story}")


# 6.10: CONTINUATION.

RULES.answered(
    "6.10",
    "a block in many pieces, some of them empty",
    frame(HEADERS, END_STREAM, 1, GET[:1])
    + frame(CONTINUATION, 0, 1)
    + frame(CONTINUATION, 0, 1, GET[1:5])
    + frame(CONTINUATION, END_HEADERS, 1, GET[5:]),
)
RULES.connection_error(
    "6.10",
    "another type behind a CONTINUATION that is not the last",
    frame(HEADERS, END_STREAM, 1, GET[:1])
    + frame(CONTINUATION, 0, 1, GET[1:])
    + frame(PING, 0, 0, bytes(8)),
    PROTOCOL_ERROR,
)
RULES.connection_error(
    "6.10",
    "on stream 0",
    frame(HEADERS, END_STREAM, 1, GET[:1]) + frame(CONTINUATION, END_HEADERS, 0, GET[1:]),
    PROTOCOL_ERROR,
)
RULES.connection_error(
    "6.10",
    "of another stream",
    frame(HEADERS, END_STREAM, 1, GET[:1]) + frame(CONTINUATION, END_HEADERS, 3, GET[1:]),
    PROTOCOL_ERROR,
)
RULES.connection_error(
    "6.10",
    "behind HEADERS that were whole",
    request(1, end=False) + frame(CONTINUATION, END_HEADERS, 1, GET),
    PROTOCOL_ERROR,
)
RULES.connection_error(
    "6.10",
    "behind a CONTINUATION that was the last",
    frame(HEADERS, 0, 1, POST[:1])
    + frame(CONTINUATION, END_HEADERS, 1, POST[1:])
    + frame(CONTINUATION, END_HEADERS, 1, b""),
    PROTOCOL_ERROR,
)
RULES.connection_error(
    "6.10",
    "behind DATA",
    request(1, end=False) + frame(DATA, 0, 1, b"body") + frame(CONTINUATION, END_HEADERS, 1, GET),
    PROTOCOL_ERROR,
)
