"""Applications that break the rules: the log names the fault, and the worker goes on."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from applications import body, hello, start
from served import Receive, Scope, Send, served

Misdeed = Callable[[Send], Awaitable[None]]


def sending(*messages: Any) -> Misdeed:
    async def misdeed(send: Send) -> None:
        for message in messages:
            await send(message)

    return misdeed


async def raising(send: Send) -> None:
    raise LookupError("nothing there")


async def silent(send: Send) -> None:
    pass


def header(*pair: Any) -> Misdeed:
    return sending({"type": "http.response.start", "status": 200, "headers": [pair]}, body())


def status(value: Any) -> Misdeed:
    return sending({"type": "http.response.start", "status": value}, body())


def declaring(length: bytes, *bodies: dict[str, Any]) -> Misdeed:
    return sending(start(200, [(b"content-length", length)]), *bodies)


# Before anything went out: what the application does, and what the log says of it.
BEFORE: Mapping[str, tuple[Misdeed, str]] = {
    "raises": (raising, r"LookupError: nothing there"),
    "returns": (silent, r"returned without a response"),
    "starts only": (sending(start()), r"returned without a response"),
    "status 99": (status(99), r"ValueError: .*status is an int from 200 to 999, not 99"),
    "status 100": (status(100), r"ValueError: .*status .* not 100"),
    "status 1000": (status(1000), r"ValueError: .*status .* not 1000"),
    "status -1": (status(-1), r"ValueError: .*status .* not -1"),
    "status 2**70": (status(2**70), r"ValueError: .*status .* not 1180591620717411303424"),
    "status as str": (status("200"), r"status .* not '200'"),
    "status None": (status(None), r"status .* not None"),
    "no status": (sending({"type": "http.response.start"}), r"needs a 'status'"),
    "line break in value": (
        header(b"x-a", b"1\r\nSet-Cookie: forged=1"),
        r"header b'x-a': the value b'1\\r\\nSet-Cookie: forged=1' .*line break",
    ),
    "lone line feed": (header(b"x-a", b"1\nx: y"), r"header b'x-a'.*line break"),
    "NUL in value": (header(b"x-a", b"1\x00"), r"header b'x-a'.*control character"),
    "line break in name": (header(b"x\r\ny", b"1"), r"b'x\\r\\ny' is not a valid header name"),
    "space in name": (header(b"x y", b"1"), r"b'x y' is not a valid header name"),
    "colon in name": (header(b"x:y", b"1"), r"b'x:y' is not a valid header name"),
    "empty name": (header(b"", b"1"), r"b'' is not a valid header name"),
    "str headers": (header("x-a", "1"), r"TypeError: a header is a pair of bytes.*'x-a'"),
    "str value": (header(b"x-a", "1"), r"TypeError: a header is a pair of bytes"),
    "int value": (header(b"content-length", 1), r"TypeError: a header is a pair of bytes"),
    "half a header": (header(b"x-a"), r"TypeError: a header is a pair of bytes"),
    "a triple": (header(b"x-a", b"1", b"2"), r"TypeError: a header is a pair of bytes"),
    "headers as a number": (
        sending({"type": "http.response.start", "status": 200, "headers": 5}),
        r"TypeError: .*int",
    ),
    "str body": (sending(start(), body("text")), r"TypeError: 'body' .* is bytes, not str"),
    "int body": (sending(start(), body(5)), r"TypeError: 'body' .* is bytes, not int"),
    "list body": (sending(start(), body([1, 2])), r"TypeError: 'body' .* is bytes, not list"),
    "two starts": (sending(start(), start()), r"sent 'http.response.start' twice"),
    "body first": (sending(body(b"x")), r"'http.response.body' before 'http.response.start'"),
    "no type": (sending({"status": 200}), r"an ASGI message needs a 'type'"),
    "type None": (sending({"type": None}), r"TypeError: the 'type' .* is a str"),
    "unknown type": (sending({"type": "http.response.stat"}), r"not \"http.response.stat\""),
    "websocket message": (sending({"type": "websocket.accept"}), r"not \"websocket.accept\""),
    "a str for a message": (sending("http.response.start"), r"TypeError: .* is a dict, not str"),
    "None for a message": (sending(None), r"TypeError: .* is a dict, not NoneType"),
    "body too long": (declaring(b"3", body(b"four")), r"content-length 3 but sends 4 bytes"),
    "body too short": (
        declaring(b"9", body(b"four")),
        r"content-length 9 but its body ends after 4 bytes",
    ),
    "length of letters": (declaring(b"many", body()), r"content-length: b'many' is not one"),
    "length with sign": (declaring(b"+4", body(b"four")), r"content-length: b'\+4' is not one"),
    "negative length": (declaring(b"-4", body(b"four")), r"content-length: b'-4' is not one"),
    "two lengths": (
        sending(start(200, [(b"content-length", b"1"), (b"Content-Length", b"2")]), body(b"1")),
        r"content-length: b'2' is not one",
    ),
}

# After something went out.
AFTER: Mapping[str, tuple[Misdeed, str]] = {
    "raises": (raising, r"LookupError: nothing there"),
    "returns": (silent, r"returned before its response was complete"),
    "start": (sending(start()), r"sent 'http.response.start' twice"),
    "str body": (sending(body("text")), r"TypeError: 'body' .* is bytes, not str"),
    "no type": (sending({"body": b""}), r"an ASGI message needs a 'type'"),
    "None": (sending(None), r"TypeError: .* is a dict, not NoneType"),
}


def misbehaving(misdeed: Misdeed, *first: dict[str, Any]) -> Any:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/well":
            return await hello(scope, receive, send)
        for message in first:
            await send(message)
        await misdeed(send)

    return app


@pytest.mark.parametrize("name", BEFORE)
async def test_a_fault_before_the_answer_is_a_500_and_named_in_the_log(name: str) -> None:
    misdeed, complaint = BEFORE[name]
    async with served(misbehaving(misdeed), faulty=True, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.get("/ill?x=1")
            answer = await wire.answer()
            assert (answer.status, answer.body) == (500, b"Internal Server Error")
            assert answer.all("set-cookie") == []
            await wire.get("/well")
            assert (await wire.answer()).body == b"/well", "the same connection goes on"
        assert (await server.get("/well")).body == b"/well"
    (fault,) = server.log.faults
    assert re.search(complaint, fault), fault
    assert fault.startswith("GET /ill?x=1: ")
    if "returned" not in complaint:
        assert f'File "{__file__}"' in fault, "the traceback leads to the application"


@pytest.mark.parametrize("name", AFTER)
@pytest.mark.parametrize("length", [None, 100], ids=["chunked", "declared"])
async def test_a_fault_in_mid_stream_breaks_the_answer_off(name: str, length: int | None) -> None:
    misdeed, complaint = AFTER[name]
    headers = [] if length is None else [(b"content-length", b"%d" % length)]
    app = misbehaving(misdeed, start(200, headers), body(b"begun", True))
    async with served(app, faulty=True, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.get("/ill")
            answer = await wire.head()
            assert answer.status == 200
            rest = await wire.rest()
            # What was sent arrives, and then no proper end: neither the last chunk nor all bytes.
            assert rest == (b"5\r\nbegun\r\n" if length is None else b"begun")
        assert (await server.get("/well")).body == b"/well"
    (fault,) = server.log.faults
    assert re.search(complaint, fault), fault
    assert fault.startswith("GET /ill: ")


@pytest.mark.parametrize(
    ("pieces", "complaint"),
    [
        ([body(b"123", True), body(b"456", True)], "content-length 5 but sends 6 bytes"),
        ([body(b"123", True), body(b"456")], "content-length 5 but sends 6 bytes"),
        ([body(b"123", True), body(b"4")], "content-length 5 but its body ends after 4 bytes"),
    ],
)
async def test_a_stream_that_is_not_as_long_as_declared_is_broken_off(
    pieces: list[dict[str, Any]], complaint: str
) -> None:
    app = misbehaving(declaring(b"5", *pieces))
    async with served(app, faulty=True, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.get("/ill")
            with pytest.raises(asyncio.IncompleteReadError) as broken:
                await wire.answer()
            assert broken.value.partial == b"123"
        assert (await server.get("/well")).body == b"/well"
    assert complaint in server.log.text


@pytest.mark.parametrize("late", [start(), body(b"more")], ids=["start", "body"])
async def test_a_message_after_the_end_is_a_fault_and_the_answer_stands(late: Any) -> None:
    app = misbehaving(sending(start(), body(b"done"), late))
    async with served(app, faulty=True, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.get("/ill")
            assert (await wire.answer()).body == b"done"
            await wire.get("/well")
            assert (await wire.answer()).body == b"/well"
        await server.log.wait_for("after the response was complete")


async def test_an_exception_after_the_answer_is_logged_and_the_answer_stands() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await hello(scope, receive, send)
        await asyncio.sleep(0)
        raise LookupError("too late to matter")

    async with served(app, faulty=True, lifespan="off") as server:
        assert (await server.get()).status == 200
        await server.log.wait_for("LookupError: too late to matter")


async def test_an_application_may_catch_its_fault_and_answer_after_all() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for wrong in (status(99), header("a", "b"), sending(body(b"early")), sending({})):
            with pytest.raises((TypeError, ValueError, RuntimeError)):
                await wrong(send)
        await hello(scope, receive, send)

    async with served(app, lifespan="off") as server:
        assert (await server.get("/after-all")).body == b"/after-all"


async def test_a_traceback_shows_how_the_application_got_there() -> None:
    async def innermost() -> None:
        {}["missing"]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await innermost()
        except KeyError as error:
            raise ValueError("the outer one") from error

    async with served(app, faulty=True, lifespan="off") as server:
        assert (await server.get()).status == 500
    (fault,) = server.log.faults
    for part in ("in innermost", "in app", "KeyError: 'missing'", "direct cause", "the outer one"):
        assert part in fault
