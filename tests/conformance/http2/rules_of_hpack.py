"""RFC 7541: what a block of fields may be. What cannot be decoded ends the connection."""

from __future__ import annotations

import hpack
from peer import (
    COMPRESSION_ERROR,
    END_HEADERS,
    END_STREAM,
    HEADER_TABLE_SIZE,
    HEADERS,
    PROTOCOL_ERROR,
    Broken,
    Peer,
    block,
    frame,
    headers,
    request_fields,
)
from rules import Rules

RULES = Rules("RFC 7541")
GET = block(*request_fields())
# RFC 9113 section 4.3 wants COMPRESSION_ERROR. The `h2` crate says PROTOCOL_ERROR, and closes the
# connection just so: docs/guide/security.md tells of it.
UNDECODABLE = (COMPRESSION_ERROR, PROTOCOL_ERROR)
# Literal without indexing, the name as a string (section 6.2.2).
LITERAL = b"\x00"


def undecodable(section: str, name: str, fields: bytes) -> None:
    RULES.connection_error(section, name, headers(1, fields), *UNDECODABLE)


# 2.3 and 6.1: indices.

undecodable("2.3.3", "an index beyond both tables", GET + b"\xfe")
undecodable("2.3.3", "the index of a name beyond both tables", GET + b"\x7f\x10\x01a")
undecodable("6.1", "the index 0", GET + b"\x80")


@RULES.rule("2.3.2", "what was put into the table is found there, by the next request too")
def _(peer: Peer) -> None:
    encoder = hpack.Encoder()
    fields = request_fields(("x-long", "a" * 100), path="/cookie")
    for stream in (1, 3, 5):
        fields = [*fields[:4], ("cookie", "a=1")]
        peer.send(headers(stream, encoder.encode(fields)))
        peer.answered(stream, body=b"a=1")


# 4.2 and 6.3: the size of the table.

undecodable("4.2", "a change of size at the end of a block", GET + b"\x20")
undecodable("6.3", "a size above what was announced", b"\x3f\xe2\x1f" + GET)
undecodable("6.3", "a size without an end", b"\x3f\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f" + GET)
RULES.answered("6.3", "a size of nothing", headers(1, b"\x20" + GET))
RULES.answered("6.3", "several sizes", headers(1, b"\x20\x3f\xe1\x1f" + GET))


@RULES.rule("4.3", "a table that shrinks forgets")
def _(peer: Peer) -> None:
    # Put a field into the table, empty the table, and ask for what was in it.
    peer.send(headers(1, GET + b"\x40\x01a\x01b"))
    peer.answered(1)
    peer.send(headers(3, b"\x20" + GET + b"\xbe"))
    peer.connection_error(*UNDECODABLE)


@RULES.rule("4.2", "a table of the client's is kept within its bounds", begins=False)
def _(peer: Peer) -> None:
    peer.begin((HEADER_TABLE_SIZE, 0))
    for stream in (1, 3):
        peer.send(headers(stream, GET))
        found = peer.until(
            lambda it, stream=stream: it.kind == HEADERS and it.stream == stream, "a head"
        )
        if stream == 1 and found.payload[:1] != b"\x20":
            raise Broken("the new size is not said (section 4.2)")
        decoder = hpack.Decoder()
        decoder.max_allowed_table_size = 0
        if decoder.decode(b"\x20" + found.payload)[0] != (":status", "200"):
            raise Broken(str(found))


# 5.1: integers.

undecodable("5.1", "an integer that never ends", GET + b"\xff" + b"\xff" * 20)
undecodable(
    "5.1", "an integer beyond all bounds", GET + b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x0f"
)
undecodable("5.1", "an integer that is cut off", GET + b"\xff\xff")

# 5.2: strings. "a" is 00011 in Huffman's code (appendix B).

RULES.answered("5.2", "a string in Huffman's code", headers(1, GET + LITERAL + b"\x01a\x81\x1f"))
undecodable("5.2", "filling of more than 7 bits", GET + LITERAL + b"\x01a\x82\x1f\xff")
undecodable("5.2", "filling that is not of ones", GET + LITERAL + b"\x01a\x81\x18")
undecodable("5.2", "the end-of-string symbol", GET + LITERAL + b"\x01a\x84\xff\xff\xff\xff")
undecodable("5.2", "a string longer than its block", GET + LITERAL + b"\x01a\x7f\x10b")
undecodable("5.2", "a name longer than its block", GET + LITERAL + b"\x7f\x10b")

# 6.2: literals of every kind.

for name, first in {
    "with indexing": b"\x40",
    "without indexing": b"\x00",
    "never indexed": b"\x10",
}.items():
    RULES.answered("6.2", f"a literal {name}", headers(1, GET + first + b"\x01a\x01b"))
RULES.answered("6.2", "a literal whose name is indexed", headers(1, GET + b"\x7a\x01b"))
RULES.answered("6.2", "an empty value", headers(1, GET + LITERAL + b"\x01a\x00"))
RULES.connection_error(
    "4.3 of RFC 9113",
    "a block that ends within a field",
    frame(HEADERS, END_STREAM | END_HEADERS, 1, GET + LITERAL + b"\x01"),
    *UNDECODABLE,
)
