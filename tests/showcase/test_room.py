"""The chat room by WebSocket: who hears what, and who can harm whom."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import pytest
from showcase_server import Showcase
from websockets.sync.client import ClientConnection, connect

LONG = "\N{SNAKE}" * 1900  # Nearly the longest text, and each snake takes 12 bytes on the wire.
MOST_MESSAGES = 2000  # More than all the buffers on the way to a peer could hold.


@contextmanager
def member(showcase: Showcase, name: str, tab: str = "") -> Iterator[ClientConnection]:
    address = f"ws://127.0.0.1:{showcase.port}/chat?{urlencode({'name': name, 'tab': tab})}"
    with connect(address, open_timeout=15, close_timeout=5, proxy=None) as connection:
        yield connection


def hear(connection: ClientConnection, *kinds: str) -> dict[str, Any]:
    """The next line of one of these kinds."""
    while True:
        line: dict[str, Any] = json.loads(connection.recv(timeout=10))
        if line["kind"] in kinds:
            return line


def say(connection: ClientConnection, text: str) -> None:
    connection.send(json.dumps({"text": text}))


def test_what_is_said_reaches_everybody(showcase: Showcase) -> None:
    with member(showcase, "Ada") as ada, member(showcase, "Bob") as bob:
        assert hear(bob, "joined")["present"][-2:] == ["Ada", "Bob"]
        say(ada, "hello, Bob")
        for connection in (ada, bob):
            line = hear(connection, "said")
            assert (line["name"], line["text"]) == ("Ada", "hello, Bob")
        say(bob, "hello, Ada \N{SNAKE}")
        assert hear(ada, "said")["text"] == "hello, Ada \N{SNAKE}"
        bob.close()
        assert hear(ada, "left")["name"] == "Bob"


def test_names_are_made_to_differ(showcase: Showcase) -> None:
    with member(showcase, " Eve\n ") as one, member(showcase, "Eve") as two:
        assert [hear(each, "welcome")["name"] for each in (one, two)] == ["Eve", "Eve 2"]
    with member(showcase, "x" * 500) as long, member(showcase, "\t") as nameless:
        assert hear(long, "welcome")["name"] == "x" * 24
        assert hear(nameless, "welcome")["name"] == "Somebody"


def test_a_newcomer_is_told_what_was_said(showcase: Showcase) -> None:
    with member(showcase, "Early") as early:
        say(early, "before you came")
        hear(early, "said")
        with member(showcase, "Late") as late:
            assert "before you came" in [line["text"] for line in hear(late, "welcome")["history"]]


def test_a_tab_that_comes_back_takes_its_old_place(showcase: Showcase) -> None:
    with member(showcase, "Twin", tab="a-tab") as old, member(showcase, "Twin", tab="a-tab") as new:
        assert hear(new, "welcome")["name"] == "Twin"
        with pytest.raises(Exception, match="4001"):
            hear(old, "never said")


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ("{", "that was not JSON"),
        (b"\xff\x00", "that was not JSON"),
        ("[1]", "that was not a message"),
        ('{"text": 5}', "that was not a message"),
        (json.dumps({"text": "x" * 2001}), "a message has at most 2000 characters"),
    ],
)
def test_nonsense_is_refused_and_harms_nobody(
    showcase: Showcase, sent: str | bytes, reason: str
) -> None:
    with member(showcase, "Fool") as fool:
        fool.send(sent)
        assert hear(fool, "refused")["reason"] == reason
        say(fool, "I am still here")
        assert hear(fool, "said")["text"] == "I am still here"


def test_one_who_never_reads_holds_up_nobody_and_is_shown_the_door(showcase: Showcase) -> None:
    with member(showcase, "Reader") as reader:
        with socket.create_connection(("127.0.0.1", showcase.port)) as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.sendall(
                b"GET /chat?name=Deaf HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            slowest, left = 0.0, ""
            for number in range(MOST_MESSAGES):
                began = time.monotonic()
                say(reader, f"{number} {LONG}")
                while (line := hear(reader, "said", "left"))["kind"] == "left":
                    left = line["name"]
                assert line["text"].startswith(f"{number} ")
                slowest = max(slowest, time.monotonic() - began)
                if left:
                    break
            assert left == "Deaf"
            assert slowest < 5
