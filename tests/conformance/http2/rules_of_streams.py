"""RFC 9113, section 5: the states of streams, their numbers, and errors."""

from __future__ import annotations

from peer import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    FLOW_CONTROL_ERROR,
    GOAWAY,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    PING,
    PRIORITY,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    RST_STREAM,
    STREAM_CLOSED,
    Broken,
    Peer,
    block,
    frame,
    request,
    request_fields,
    reset,
    window_update,
)
from rules import Rules

RULES = Rules("RFC 9113")
GET = block(*request_fields())

# 5.1: idle.

RULES.connection_error("5.1", "idle: DATA", frame(DATA, END_STREAM, 1, b"body"), PROTOCOL_ERROR)
RULES.connection_error("5.1", "idle: RST_STREAM", reset(1), PROTOCOL_ERROR)
RULES.connection_error("5.1", "idle: WINDOW_UPDATE", window_update(1, 100), PROTOCOL_ERROR)
RULES.connection_error(
    "5.1", "idle: CONTINUATION", frame(CONTINUATION, END_HEADERS, 1, GET), PROTOCOL_ERROR
)
RULES.ignored("5.1", "idle: PRIORITY", frame(PRIORITY, 0, 9, bytes(5)))

# 5.1: half closed (remote). The application at /held does not answer.

HELD = request(1, path="/held")
RULES.escalated("5.1", "half closed: DATA", HELD + frame(DATA, 0, 1, b"body"), STREAM_CLOSED)
RULES.escalated("5.1", "half closed: HEADERS", HELD + request(1), STREAM_CLOSED)
RULES.connection_error(
    "5.1",
    "half closed: CONTINUATION",
    HELD + frame(CONTINUATION, END_HEADERS, 1, GET),
    PROTOCOL_ERROR,
)


@RULES.rule("5.1", "half closed: WINDOW_UPDATE and PRIORITY", begins=False)
def _(peer: Peer) -> None:
    peer.begin((INITIAL_WINDOW_SIZE, 0))
    peer.send(request(1, path="/large"), frame(PRIORITY, 0, 1, bytes(5)))
    peer.send(window_update(1, 10))
    peer.until(lambda it: it.kind == DATA and len(it.payload) == 10, "10 bytes")


@RULES.rule("5.1", "half closed: RST_STREAM")
def _(peer: Peer) -> None:
    peer.send(HELD + reset(1) + request(3))
    peer.answered(3)


# 5.1: closed, by either side.


@RULES.rule("5.1", "closed by a reset: DATA")
def _(peer: Peer) -> None:
    peer.send(request(1, end=False) + reset(1) + frame(DATA, END_STREAM, 1, b"body"))
    closed_or_discarded(peer)


@RULES.rule("5.1", "closed by a reset: HEADERS")
def _(peer: Peer) -> None:
    peer.send(request(1, end=False) + reset(1) + request(1))
    closed_or_discarded(peer)


@RULES.rule("5.1", "closed by a reset: CONTINUATION")
def _(peer: Peer) -> None:
    peer.send(request(1, end=False) + reset(1) + frame(CONTINUATION, END_HEADERS, 1, GET))
    peer.connection_error(PROTOCOL_ERROR, STREAM_CLOSED)


@RULES.rule("5.1", "closed by both ends: DATA")
def _(peer: Peer) -> None:
    peer.send(request(1))
    peer.answered(1)
    peer.send(frame(DATA, END_STREAM, 1, b"body"))
    closed_or_discarded(peer)


@RULES.rule("5.1", "closed by both ends: HEADERS")
def _(peer: Peer) -> None:
    peer.send(request(1))
    peer.answered(1)
    peer.send(request(1))
    closed_or_discarded(peer)


@RULES.rule("5.1", "closed by both ends: CONTINUATION")
def _(peer: Peer) -> None:
    peer.send(request(1))
    peer.answered(1)
    peer.send(frame(CONTINUATION, END_HEADERS, 1, GET))
    peer.connection_error(PROTOCOL_ERROR, STREAM_CLOSED)


@RULES.rule("5.1", "closed: PRIORITY, WINDOW_UPDATE and RST_STREAM are let pass")
def _(peer: Peer) -> None:
    peer.send(request(1))
    peer.answered(1)
    peer.send(frame(PRIORITY, 0, 1, bytes(5)), window_update(1, 10), reset(1))
    peer.lives()


def closed_or_discarded(peer: Peer) -> None:
    """STREAM_CLOSED, of the stream or of the connection. What crossed with a reset may also be
    discarded (section 5.1, "closed"); an answer is wrong in any case.
    """
    peer.send(frame(PING, 0, 0, b"liveness"))
    while (found := peer.next()) is not None and found.kind != PING:
        if found.kind in (RST_STREAM, GOAWAY):
            if found.code != STREAM_CLOSED:
                raise Broken(f"{found} instead of STREAM_CLOSED")
            return
        if found.kind in (HEADERS, DATA):
            raise Broken(f"{found}, of a stream that is closed")
    if found is None:
        raise Broken(f"the connection ended; there was {peer.story}")


# 5.1.1: identifiers.

RULES.connection_error("5.1.1", "an even identifier", request(2), PROTOCOL_ERROR)
RULES.connection_error(
    "5.1.1", "a lower identifier", request(5) + request(3), PROTOCOL_ERROR, STREAM_CLOSED
)
RULES.answered("5.1.1", "identifiers may be left out", request(1) + request(101), stream=101)

# 5.1.2: concurrency.


@RULES.rule("5.1.2", "more streams than are allowed are refused")
def _(peer: Peer) -> None:
    most = 128
    for number in range(most + 1):
        peer.send(request(2 * number + 1, path="/held"))
    over = 2 * most + 1
    peer.stream_error(over, REFUSED_STREAM, PROTOCOL_ERROR)


# 5.4: errors.


@RULES.rule("5.4.1", "after an error of the connection it is closed")
def _(peer: Peer) -> None:
    peer.send(frame(PING, 0, 0, b"short"))
    peer.until_closed()


@RULES.rule("5.4.1", "the GOAWAY names the last stream")
def _(peer: Peer) -> None:
    peer.send(request(7))
    peer.answered(7)
    peer.send(frame(PING, 0, 0, b"short"))
    while (found := peer.next()) is not None:
        if found.kind == GOAWAY:
            if (last := int.from_bytes(found.payload[:4])) != 7:
                raise Broken(f"it names {last}")
            return
    raise Broken("there was none")


@RULES.rule("5.4.2", "an error of one stream leaves the others alone")
def _(peer: Peer) -> None:
    peer.send(request(1, end=False), request(3, end=False), window_update(1, 2**31 - 1))
    peer.stream_error(1, FLOW_CONTROL_ERROR)
    peer.send(frame(DATA, END_STREAM, 3, b"body"))
    peer.answered(3, body=b"body")


@RULES.rule("5.4.2", "a reset is not answered with a reset")
def _(peer: Peer) -> None:
    peer.send(request(1, path="/held"), reset(1))
    peer.lives()
    if any(it.kind == RST_STREAM for it in peer.seen):
        raise Broken(peer.story)


# 5.5: extensions.

RULES.ignored(
    "5.5", "many types that nobody knows", b"".join(frame(kind) for kind in range(0x0A, 0x100))
)
