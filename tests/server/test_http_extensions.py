"""The extensions of ASGI's HTTP specification: announced where they work, and working there."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from applications import body, hello, start
from certificate_authority import Authority
from http2 import Client
from served import Application, Message, Receive, Scope, Send, served
from wire import Answer, Wire, request

TRAILERS = "http.response.trailers"
HINT = "http.response.early_hint"
PATH = "http.response.pathsend"
FILE = "http.response.zerocopysend"


def sending(*messages: Message) -> Application:
    """An application that sends these, whatever is asked for."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


async def trailed(wire: Wire) -> tuple[Answer, list[tuple[str, str]]]:
    """Read a chunked response and the trailers behind it."""
    answer = await wire.head()
    assert answer.one("transfer-encoding") == "chunked"
    while size := int(await wire.reader.readuntil(b"\r\n"), 16):
        answer.body += (await wire.reader.readexactly(size + 2))[:-2]
    trailers = []
    while (line := await wire.reader.readuntil(b"\r\n")) != b"\r\n":
        name, _, value = line.decode().strip().partition(": ")
        trailers.append((name, value))
    return answer, trailers


async def test_they_are_announced_where_they_work() -> None:
    announced: list[set[str]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        announced.append(set(scope["extensions"]))
        assert all(value == {} for value in scope["extensions"].values())
        # Each scope has its own.
        scope["extensions"].clear()
        await send(start())
        await send(body())

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            for _ in range(2):
                await wire.get()
                await wire.answer()
            await wire.get("/", "TE: gzip, trailers", "Connection: TE")
            await wire.answer()
            await wire.send(request("GET / HTTP/1.0"))
            await wire.answer()
        async with await server.connect() as wire:
            await (await Client.begin(wire)).get()
    files = {PATH, FILE}
    assert announced == [
        files | {HINT},
        files | {HINT},
        files | {HINT, TRAILERS},
        files,
        files | {TRAILERS},
    ]


async def test_trailers_follow_the_body() -> None:
    app = sending(
        {
            **start(200, [(b"trailer", b"x-sum, x-more"), (b"content-length", b"7")]),
            "trailers": True,
        },
        body(b"one", more=True),
        body(b"rest"),
        {"type": TRAILERS, "headers": [(b"x-sum", b"7")], "more_trailers": True},
        {"type": TRAILERS, "headers": [(b"x-more", b"a"), (b"x-more", b"b")]},
    )
    fields = [("x-sum", "7"), ("x-more", "a"), ("x-more", "b")]
    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            for _ in range(2):
                await wire.get("/", "TE: trailers")
                answer, trailers = await trailed(wire)
                assert answer.body == b"onerest"
                assert sorted(trailers) == sorted(fields)
            # Who has not asked for them gets the body alone.
            await wire.get()
            answer = await wire.head()
            assert [chunk async for chunk in wire.chunks()] == [b"one", b"rest"]
        async with await server.connect() as wire:
            response = await (await Client.begin(wire)).get()
            assert (response.body, response.ended) == (b"onerest", True)
            assert response.trailers == fields


async def test_a_single_body_may_have_trailers_too() -> None:
    app = sending(
        {**start(200, [(b"trailer", b"x-sum")]), "trailers": True},
        body(b"all"),
        {"type": TRAILERS, "headers": [(b"x-sum", b"3")]},
    )
    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.get("/", "TE: trailers")
            answer, trailers = await trailed(wire)
            assert (answer.body, trailers) == (b"all", [("x-sum", "3")])


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([start(), {"type": TRAILERS, "headers": []}], "no 'trailers': True"),
        ([{**start(), "trailers": True}, {"type": TRAILERS}], "before its last"),
        ([{**start(), "trailers": True}, body(b"a"), body(b"b")], "trailers are to come"),
        ([start(), {"type": HINT, "links": []}], "after 'http.response.start'"),
        ([{"type": HINT}], "needs 'links'"),
        ([{"type": HINT, "links": ["</style.css>"]}], "are bytes, not str"),
        ([{"type": HINT, "links": [b"a\r\nb: c"]}], "control character"),
        ([start(), {"type": PATH}], "needs a 'path'"),
        ([start(), {"type": PATH, "path": "/nowhere/at/all"}], "No such file"),
        ([start(), {"type": PATH, "path": "/"}], "is a directory"),
        ([start(), {"type": PATH, "path": "/dev/null"}], "no regular file"),
        ([{"type": PATH, "path": __file__}], "before 'http.response.start'"),
        ([start(200, [(b"content-length", b"1")]), {"type": PATH, "path": __file__}], "declared"),
        ([start(), {"type": FILE}], "needs a 'file'"),
        ([start(), {"type": FILE, "file": -1}], "no descriptor"),
        ([start(), {"type": FILE, "file": 10_000_000}], "Bad file descriptor"),
        ([start(), {"type": FILE, "file": b"x"}], "has no attribute 'fileno'"),
    ],
)
async def test_what_is_out_of_order_or_malformed_is_an_error_of_its_sender(
    messages: list[Message], expected: str
) -> None:
    async with served(sending(*messages), faulty=True, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.get("/", "TE: trailers")
            await server.log.wait_for(expected)
            wire.leave()


async def test_early_hints_come_before_the_response() -> None:
    hinted = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": HINT, "links": [b"</style.css>; rel=preload", b"</a.js>; rel=preload"]})
        # The hint goes out while the application is still at work.
        await hinted.wait()
        hinted.clear()
        await send(start())
        await send(body(b"hello"))

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            for _ in range(2):
                await wire.get()
                hint = await wire.head()
                assert (hint.version, hint.status, hint.reason) == ("HTTP/1.1", 103, "Early Hints")
                assert hint.all("link") == ["</style.css>; rel=preload", "</a.js>; rel=preload"]
                hinted.set()
                assert (await wire.answer()).body == b"hello"
            # A client of HTTP/1.0 would not understand it.
            hinted.set()
            await wire.send(request("GET / HTTP/1.0"))
            assert (await wire.answer()).status == 200


async def test_a_hint_never_gets_into_another_response() -> None:
    """Pipelined requests, and a client that takes their answers as slowly as it can."""
    large = bytes(300_000)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": HINT, "links": [b"<" + scope["path"].encode() + b">"]})
        if scope["path"].endswith("0"):
            await asyncio.sleep(0)
        await send(start())
        await send(body(large, more=True))
        await send(body(scope["path"].encode()))

    async with served(app, lifespan="off") as server:
        async with await server.connect(receive_buffer=4096, read_ahead=4096) as wire:
            await wire.send(b"".join(request(f"GET /{number} HTTP/1.1") for number in range(20)))
            for number in range(20):
                answer = await wire.head()
                while answer.status == 103:
                    assert answer.all("link") == [f"</{number}>"]
                    answer = await wire.head()
                assert answer.status == 200
                data = b"".join([chunk async for chunk in wire.chunks()])
                assert data == large + f"/{number}".encode()


@pytest.fixture
def large_file(tmp_path: Path) -> Path:
    path = tmp_path / "large"
    path.write_bytes(os.urandom(1_000_003))
    return path


async def answers_of(app: Application, tmp_path: Path) -> list[tuple[bytes, list[str]]]:
    """Body and content-length of what a GET gives by HTTP/1.1, with TLS, by HTTP/2."""
    found = []
    authority = Authority()
    async with served(app, lifespan="off") as server:
        answer = await server.get()
        found.append((answer.body, answer.all("content-length")))
        async with await server.connect() as wire:
            response = await (await Client.begin(wire)).get()
            found.append((response.body, response.all("content-length")))
    async with served(app, lifespan="off", ssl_certfile=authority.write(tmp_path)) as server:
        async with await server.connect(tls=authority.client()) as wire:
            await wire.get()
            answer = await wire.answer()
            found.append((answer.body, answer.all("content-length")))
    return found


async def test_a_path_is_sent_whole(large_file: Path, tmp_path: Path) -> None:
    app = sending(start(), {"type": PATH, "path": str(large_file)})
    expected = (large_file.read_bytes(), ["1000003"])
    assert await answers_of(app, tmp_path) == [expected] * 3


async def test_head_and_empty_files_have_no_body(large_file: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send({"type": PATH, "path": str(tmp_path / scope["path"][1:])})

    async with served(app, lifespan="off") as server:
        async with await server.connect() as wire:
            await wire.get("/large", method="HEAD")
            assert (await wire.answer("HEAD")).one("content-length") == "1000003"
            await wire.get("/empty")
            answer = await wire.answer()
            assert (answer.body, answer.one("content-length")) == (b"", "0")
        async with await server.connect() as wire:
            client = await Client.begin(wire)
            response = await client.get("/large", method="HEAD")
            assert (response.body, response.all("content-length")) == (b"", ["1000003"])
            assert (await client.get("/empty")).body == b""


async def test_parts_of_files_and_bytes_may_be_mixed(large_file: Path, tmp_path: Path) -> None:
    data = large_file.read_bytes()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with large_file.open("rb") as file:
            file.seek(100)
            await send(start())
            await send({"type": FILE, "file": file, "count": 50, "more_body": True})
            assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == 150
            await send(body(b"between", more=True))
            await send(
                {"type": FILE, "file": file.fileno(), "offset": 10, "count": 5, "more_body": True}
            )
            await send({"type": FILE, "file": file, "more_body": True})
            await send({"type": FILE, "file": file, "offset": len(data) - 3, "count": 1000})

    expected = data[100:150] + b"between" + data[10:15] + data[150:] + data[-3:]
    for found, _ in await answers_of(app, tmp_path):
        assert found == expected


async def test_a_file_waits_for_its_client(large_file: Path) -> None:
    sent = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/other":
            return await hello(scope, receive, send)
        with large_file.open("rb") as file:
            await send(start())
            for _ in range(20):
                await send({"type": FILE, "file": file, "offset": 0, "more_body": True})
            sent.set()
            await send(body())

    async with served(app, lifespan="off") as server:
        async with await server.connect(receive_buffer=4096, read_ahead=4096) as wire:
            await wire.get()
            await wire.head()
            for _ in range(3):
                assert (await server.get("/other")).status == 200
            assert not sent.is_set()
            size = sum([len(chunk) async for chunk in wire.chunks()])
            assert size == 20 * 1_000_003


async def test_a_file_that_becomes_shorter_breaks_the_response_off(large_file: Path) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        await send({"type": PATH, "path": str(large_file)})
        os.truncate(large_file, 10)

    async with served(app, lifespan="off") as server:
        with pytest.raises(asyncio.IncompleteReadError):
            await server.get()


async def test_what_is_for_developers_is_written_to_the_log_where_they_look() -> None:
    app = sending({"type": "http.response.debug", "info": {"template": "x"}}, start(), body(b"ok"))
    async with served(app, lifespan="off", log_level="debug") as server:
        assert (await server.get()).body == b"ok"
        assert "GET /: told for debugging: {'template': 'x'}" in server.log.text


async def test_where_nobody_looks_it_is_not_announced_and_not_taken() -> None:
    seen: list[bool] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append("http.response.debug" in scope["extensions"])
        with pytest.raises(ValueError, match="what scope"):
            await send({"type": "http.response.debug", "info": {}})
        await hello(scope, receive, send)

    async with served(app, lifespan="off") as server:
        assert (await server.get()).status == 200
    assert seen == [False]


async def test_after_the_start_it_is_too_late_for_that() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start())
        with pytest.raises(RuntimeError, match=r"after 'http.response.start'"):
            await send({"type": "http.response.debug", "info": {}})
        await send(body(b"ok"))

    async with served(app, lifespan="off", log_level="debug") as server:
        assert (await server.get()).body == b"ok"
