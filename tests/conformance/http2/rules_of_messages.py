"""RFC 9113, section 8: what a request is, and what is none."""

from __future__ import annotations

from peer import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PROTOCOL_ERROR,
    Broken,
    Peer,
    block,
    frame,
    headers,
    request,
    request_fields,
)
from rules import Rules

RULES = Rules("RFC 9113")


def get(*fields: tuple[str, str]) -> bytes:
    """A request of exactly these fields."""
    return headers(1, block(*fields))


METHOD, SCHEME, PATH, AUTHORITY = request_fields()

# 8.1: framing.

RULES.malformed(
    "8.1",
    "second HEADERS that do not end the stream",
    request(1, end=False) + request(1, end=False),
)
RULES.answered(
    "8.1",
    "trailers",
    request(1, end=False) + frame(DATA, 0, 1, b"body") + headers(1, block(("x-sum", "1"))),
    body=b"body",
)
TRAILED = request(1, end=False) + frame(DATA, 0, 1, b"body")
# Malformed by the letter. The `h2` crate drops what has no place there, and no application sees a
# trailer: docs/guide/security.md tells of it.
for field in ((":method", "GET"), (":status", "200")):
    RULES.answered(
        "8.1", f"trailers with {field[0]}", TRAILED + headers(1, block(field)), body=b"body"
    )
RULES.malformed(
    "8.1",
    "trailers with a connection-specific field",
    TRAILED + headers(1, block(("connection", "close"))),
)
RULES.escalated(
    "8.1",
    "trailers with an upper-case name",
    TRAILED + headers(1, block(("X-Sum", "1"))),
    PROTOCOL_ERROR,
)

# 8.1.1: malformed messages; a content-length that is not the body's.

LENGTH = ("content-length", "4")
RULES.answered(
    "8.1.1",
    "a content-length that is right",
    request(1, LENGTH, end=False) + frame(DATA, 0, 1, b"bo") + frame(DATA, END_STREAM, 1, b"dy"),
    body=b"body",
)
for name, pieces in {
    "more in one piece": [b"a body"],
    "more in several": [b"a", b" ", b"bo", b"dy"],
    "less in one piece": [b"bo"],
    "less in several": [b"b", b"o"],
    "nothing": [b""],
}.items():
    *most, last = pieces
    RULES.malformed(
        "8.1.1",
        f"a content-length and {name}",
        request(1, LENGTH, end=False)
        + b"".join(frame(DATA, 0, 1, piece) for piece in most)
        + frame(DATA, END_STREAM, 1, last),
    )
RULES.malformed("8.1.1", "a content-length and no body", request(1, LENGTH))
RULES.malformed(
    "8.1.1",
    "two lengths",
    request(1, LENGTH, ("content-length", "5"), end=False) + frame(DATA, END_STREAM, 1, b"body"),
)
for value in ("+4", "-4", "4, 4", "0x4", "four", "", "4 4", "18446744073709551616"):
    RULES.malformed(
        "8.1.1",
        f"the content-length {value!r}",
        request(1, ("content-length", value), end=False) + frame(DATA, END_STREAM, 1, b"body"),
    )

# 8.2: names and values.


def undecodable(section: str, name: str, more: bytes) -> None:
    """A request with such a field: found while it is decoded, and that ends the connection."""
    attack = headers(1, block(*request_fields()) + more)
    RULES.escalated(section, name, attack, PROTOCOL_ERROR)


def literal(name: bytes, value: bytes) -> bytes:
    """A field as it is (RFC 7541 section 6.2.3), whatever it may be."""
    return b"\x10" + bytes([len(name)]) + name + bytes([len(value)]) + value


undecodable("8.2.1", "an upper-case name", literal(b"X-Name", b"1"))
for byte in (0x00, 0x0A, 0x0D, 0x20, 0x28, 0x2F, 0x40, 0x5B, 0x7B, 0x7F, 0x80, 0xFF):
    undecodable("8.2.1", f"{byte:#x} in a name", literal(b"x%cx" % byte, b"1"))
for byte in (0x00, 0x0A, 0x0D):
    undecodable("8.2.1", f"{byte:#x} in a value", literal(b"x", b"1%c1" % byte))
RULES.malformed("8.2.1", "a quote in a name", request(1, ('x"x', "1")))
undecodable("8.2.1", "a colon in a name", literal(b"a:b", b"1"))
undecodable("8.2.1", "an empty name", literal(b"", b"1"))
for what, value in {"a space at the start": " 1", "a tab at the end": "1\t"}.items():
    RULES.malformed("8.2.1", f"a value with {what}", request(1, ("x-name", value)))
for name in ("connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"):
    value = {"transfer-encoding": "chunked", "upgrade": "h2c"}.get(name, "keep-alive")
    RULES.malformed("8.2.2", f"the field {name}", request(1, (name, value)))
RULES.malformed("8.2.2", "a TE that is not trailers", request(1, ("te", "trailers, deflate")))
RULES.answered("8.2.2", "the TE trailers", request(1, ("te", "trailers")))
RULES.answered(
    "8.2.3", "a cookie in pieces", request(1, ("cookie", "a=1"), ("cookie", "b=2"), path="/cookie"),
    body=b"a=1; b=2",
)  # fmt: skip

# 8.3: pseudo-headers.

undecodable("8.3", "an unknown one", literal(b":test", b"1"))
RULES.malformed("8.3", "one of a response", request(1, (":status", "200")))
RULES.malformed("8.3", "behind a field", get(METHOD, SCHEME, ("x-name", "1"), PATH, AUTHORITY))
RULES.malformed("8.3.1", "an empty :path", get(METHOD, SCHEME, (":path", ""), AUTHORITY))
RULES.malformed(
    "8.3.1", "a :path that begins with no slash", get(METHOD, SCHEME, (":path", "well"), AUTHORITY)
)
RULES.malformed("8.3.1", "without :method", get(SCHEME, PATH, AUTHORITY))
RULES.malformed("8.3.1", "without :scheme", get(METHOD, PATH, AUTHORITY))
RULES.malformed("8.3.1", "without :path", get(METHOD, SCHEME, AUTHORITY))
RULES.malformed("8.3.1", "without an authority and without a host", get(METHOD, SCHEME, PATH))
RULES.malformed("8.3.1", "two :method", get(METHOD, METHOD, SCHEME, PATH, AUTHORITY))
RULES.malformed("8.3.1", "two :scheme", get(METHOD, SCHEME, SCHEME, PATH, AUTHORITY))
RULES.malformed("8.3.1", "two :path", get(METHOD, SCHEME, PATH, PATH, AUTHORITY))
RULES.malformed("8.3.1", "two :authority", get(METHOD, SCHEME, PATH, AUTHORITY, AUTHORITY))
RULES.escalated(
    "8.3.1",
    "a method that is no token",
    get((":method", "G T"), SCHEME, PATH, AUTHORITY),
    PROTOCOL_ERROR,
)
RULES.malformed(
    "8.3.1", "a user in the authority", get(METHOD, SCHEME, PATH, (":authority", "a@test"))
)
RULES.malformed("8.3.1", "a host that contradicts the authority", request(1, ("host", "other")))
RULES.answered(
    "8.3.1", "a host in place of an authority", get(METHOD, SCHEME, PATH, ("host", "test"))
)
RULES.answered("8.3.1", "a host that repeats the authority", request(1, ("host", "test")))
RULES.answered(
    "8.3.1",
    "OPTIONS of the server itself",
    get((":method", "OPTIONS"), SCHEME, (":path", "*"), AUTHORITY),
)

# 8.5, and RFC 8441: CONNECT.

CONNECT = (":method", "CONNECT")
RULES.malformed("8.5", "CONNECT with a scheme and a path", get(CONNECT, SCHEME, PATH, AUTHORITY))
RULES.malformed("8.5", "CONNECT without an authority", get(CONNECT))
RULES.malformed(
    "4 of RFC 8441",
    ":protocol without CONNECT",
    get(METHOD, (":protocol", "websocket"), SCHEME, PATH, AUTHORITY),
)
RULES.malformed(
    "4 of RFC 8441",
    ":protocol without a path",
    get(CONNECT, (":protocol", "websocket"), SCHEME, AUTHORITY),
)

# 8.1 again: HEAD has no body, and the first of several answers waits for nobody.


@RULES.rule("8.1", "a HEAD is answered by HEADERS alone")
def _(peer: Peer) -> None:
    peer.send(request(1, method="HEAD", path="/large"))
    found = peer.until(lambda it: it.stream == 1, "a response")
    if found.kind != HEADERS or not found.flags & END_STREAM:
        raise Broken(f"it is {found}")
    peer.lives()


@RULES.rule("8.1", "streams are answered in the order of their application")
def _(peer: Peer) -> None:
    peer.send(request(1, end=False), request(3))
    peer.answered(3)
    peer.send(frame(DATA, END_STREAM, 1, b"body"))
    peer.answered(1, body=b"body")


@RULES.rule("8.2", "a head in pieces of one byte is a request")
def _(peer: Peer) -> None:
    # As many frames as are taken for one head: five in between.
    fields = block(*request_fields())
    peer.send(frame(HEADERS, END_STREAM, 1, fields[:1]))
    for at in range(1, 5):
        peer.send(frame(CONTINUATION, 0, 1, fields[at : at + 1]))
    peer.send(frame(CONTINUATION, END_HEADERS, 1, fields[5:]))
    peer.answered(1)
