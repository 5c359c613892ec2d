"""What a line of the access log tells: sizes, durations, ends; as text and as JSON."""

from __future__ import annotations

import asyncio
import datetime
import json
import logging
import re
from pathlib import Path
from typing import Any

from applications import body, echo, hello, start
from frames import TEXT, close, frame, opened
from program import serving
from served import Receive, Scope, Send, Served, served

ACCESS = "hoopsnake.access"
ESCAPE = "\x1b"


async def record(server: Served, number: int = 1) -> dict[str, Any]:
    """The fields of a record of the access log, once there are so many."""
    found = lambda: [each for each in server.log.records if each.name == ACCESS]  # noqa: E731
    while len(found()) < number:
        await server.log.wait_for(rf"(?s)(HTTP/[12].*){{{number}}}")
    return vars(found()[number - 1])


async def test_a_record_has_its_facts_as_fields() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.02)
        await echo(scope, receive, send)

    async with served(app, lifespan="off", access_log=True) as server:
        async with await server.connect() as wire:
            client = "{}:{}".format(*wire.sock.getsockname())
            await wire.send(
                b"POST /x?y HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n"
                b"User-Agent: test/1\r\nReferer: http://a/b\r\n\r\nhello world"
            )
            assert (await wire.answer()).body == b"hello world"
        fields = await record(server)
    expected = {
        "client": client,
        "method": "POST",
        "target": "/x?y",
        "protocol": "1.1",
        "status": 200,
        "request_bytes": 11,
        "response_bytes": 11,
        "complete": True,
        "user_agent": "test/1",
        "referer": "http://a/b",
    }
    assert {name: fields[name] for name in expected} == expected
    assert 0.02 <= fields["duration"] < 5


async def test_a_stream_is_logged_at_its_end_with_all_its_bytes() -> None:
    proceed = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"first", more=True))
        await proceed.wait()
        await send(body(b"second", more=True))
        await send(body())

    async with served(app, lifespan="off", access_log=True) as server:
        async with await server.connect() as wire:
            await wire.get()
            await wire.head()
            assert server.log.lines(ACCESS) == []
            proceed.set()
            fields = await record(server)
    assert (fields["response_bytes"], fields["complete"]) == (11, True)


async def test_a_head_has_no_bytes() -> None:
    async with served(hello, lifespan="off", access_log=True) as server:
        async with await server.connect() as wire:
            await wire.get("/long", method="HEAD")
            await wire.answer("HEAD")
        fields = await record(server)
    assert (fields["method"], fields["response_bytes"]) == ("HEAD", 0)


async def test_a_response_that_breaks_off_is_incomplete() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"first", more=True))

    async with served(app, faulty=True, lifespan="off", access_log=True) as server:
        async with await server.connect() as wire:
            await wire.get()
            await wire.rest()
        fields = await record(server)
    assert (fields["status"], fields["response_bytes"], fields["complete"]) == (200, 5, False)
    assert server.log.lines(ACCESS)[0].endswith("5B incomplete")


async def test_a_client_that_leaves_before_its_answer_is_logged_as_499() -> None:
    entered = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        entered.set()
        while (await receive())["type"] != "http.disconnect":
            pass

    async with served(app, lifespan="off", access_log=True) as server:
        async with await server.connect() as wire:
            await wire.get()
            await entered.wait()
        fields = await record(server)
    assert (fields["status"], fields["complete"]) == (499, False)
    assert " 499 Client Closed Request " in server.log.lines(ACCESS)[0]


async def test_an_application_that_is_overdue_is_logged_as_504() -> None:
    import hoopsnake

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    limits = hoopsnake.ServerLimits(response_timeout=0.1)
    async with served(app, faulty=True, lifespan="off", access_log=True, limits=limits) as server:
        assert (await server.get()).status == 504
        fields = await record(server)
    assert fields["status"] == 504 and fields["duration"] >= 0.1
    assert len(server.log.lines(ACCESS)) == 1


async def test_a_websocket_is_logged_when_it_closes() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": 2 * event["text"]})

    async with served(app, lifespan="off", access_log=True) as server:
        async with await server.connect() as wire:
            await opened(wire, "/chat")
            assert server.log.lines(ACCESS) == []
            await wire.send(frame(TEXT, b"abc"))
            assert await wire.reader.readexactly(8) == frame(TEXT, b"abcabc", masked=False)
            await wire.send(close(4001))
            await wire.rest()
        fields = await record(server)
    assert (fields["status"], fields["close_code"]) == (101, 4001)
    assert (fields["request_bytes"], fields["response_bytes"]) == (3, 6)
    line = server.log.lines(ACCESS)[0]
    assert re.search(
        r'"GET /chat HTTP/1.1" 101 Switching Protocols \d+\.\d\dms 6B closed 4001$', line
    )


async def test_nothing_a_client_sends_breaks_a_line_or_reaches_a_terminal() -> None:
    async with served(hello, lifespan="off", access_log=True) as server:
        async with await server.connect() as wire:
            await wire.send(
                b'GET /a"b\\c HTTP/1.1\r\nHost: a\r\n'
                b'User-Agent: \x9b31m\xc2\x85\tx"\r\nReferer: \xff\\\r\n\r\n'
            )
            await wire.answer()
        fields = await record(server)
    assert fields["user_agent"] == r"\x9b31m\xc2\x85\x09x\x22"
    assert fields["referer"] == r"\xff\x5c"
    assert server.log.lines(ACCESS)[0].isascii() and server.log.lines(ACCESS)[0].isprintable()


APP = """
import asyncio

async def app(scope, receive, send):
    if scope["path"] == "/raises":
        query = scope["query_string"].decode()
        raise LookupError("evil\\n12:00:00 INFO    forged\\x1b[2J\\u2028" + query)
    if scope["path"] == "/uncaught":
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"hello"})
"""


async def lines_of(folder: Path, *options: str) -> list[str]:
    """What the command prints while it is asked for a good page, a bad one and a worse one."""
    options = ("--access-log", "--request-id-header", "X-Request-ID", "--lifespan", "off", *options)
    async with serving(folder, APP, *options) as server:
        async with await server.connect() as wire:
            for path in ("/raises?x", "/uncaught", "/last"):
                await wire.get(path)
                await wire.answer()
        await server.wait_for("GET /last HTTP|GET.*?/last")
        await server.wait_for("ZeroDivisionError")
    return server.errors.splitlines()


async def test_an_exception_forges_no_line_of_text(tmp_path: Path) -> None:
    lines = await lines_of(tmp_path)
    assert any(line.endswith(r"forged\x1b[2J\u2028x") for line in lines)
    for line in lines:
        assert line.isprintable(), line
        assert re.match(r"\d\d:\d\d:\d\d [A-Z]+ |  ", line), line
        assert not re.match("12:00:00", line)


async def test_json_is_one_object_a_line_with_exceptions_as_fields(tmp_path: Path) -> None:
    # Its own port is told in JSON too.
    lines = [json.loads(line) for line in await lines_of(tmp_path, "--log-format", "json")]
    for line in lines:
        when = datetime.datetime.fromisoformat(line["time"])
        assert line["time"].endswith("Z") and when.utcoffset() == datetime.timedelta(0)
        assert {"level", "logger", "message"} <= line.keys()
    raised = next(line for line in lines if line.get("request") == "GET /raises?x")
    assert raised["level"] == "error" and raised["logger"] == "hoopsnake.error"
    assert raised["exception"].startswith("Traceback") and "forged\x1b" in raised["exception"]
    assert re.fullmatch("[0-9a-f]{32}", raised["request_id"])
    access = next(line for line in lines if line.get("target") == "/raises?x")
    assert (access["status"], access["request_id"]) == (500, raised["request_id"])
    assert access["logger"] == ACCESS and access["duration"] > 0
    uncaught = next(line for line in lines if line["logger"] == "asyncio")
    assert "ZeroDivisionError" in uncaught["exception"]


async def test_a_handler_of_the_users_gets_the_fields(tmp_path: Path) -> None:
    async with served(hello, lifespan="off", access_log=True) as server:
        handler = logging.Handler()
        kept: list[str] = []
        handler.emit = lambda each: kept.append(f"{each.status} {each.target}")  # type: ignore
        logging.getLogger(ACCESS).addHandler(handler)
        try:
            await server.get("/mine")
            await record(server)
        finally:
            logging.getLogger(ACCESS).removeHandler(handler)
    assert kept == ["200 /mine"]


async def test_a_record_factory_of_the_users_may_use_the_same_names() -> None:
    factory = logging.getLogRecordFactory()

    def named(*arguments: Any, **keywords: Any) -> logging.LogRecord:
        made = factory(*arguments, **keywords)
        made.request_id = made.status = "their own"
        return made

    logging.setLogRecordFactory(named)
    try:
        settings = {"access_log": True, "request_id_header": "x-id", "lifespan": "off"}
        async with served(hello, **settings) as server:
            await server.get()
            fields = await record(server)
    finally:
        logging.setLogRecordFactory(factory)
    assert fields["status"] == 200 and len(fields["request_id"]) == 32


def test_json_takes_whatever_somebody_gives_as_extra() -> None:
    from hoopsnake._log_format import JSONFormatter

    formatter = JSONFormatter()
    loop: list[Any] = []
    loop.append(loop)
    for extra in (
        {"a": object()},
        {"a": float("nan")},
        {"a": loop},
        {"a": {1: {(): 2}}},
        {"time": 1},
    ):
        made = logging.getLogger("x").makeRecord("x", 20, "", 0, "%s", ("m",), None, "f", extra)
        fields = json.loads(formatter.format(made))
        assert fields["message"] == "m" and str(fields["time"]).endswith("Z")
