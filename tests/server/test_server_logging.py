"""What the server logs, to which logger, at which level; and a user's own set-up of logging."""

from __future__ import annotations

import asyncio
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from applications import body, hello, start
from frames import opened
from program import program, serving
from served import Receive, Scope, Send, served
from wire import Wire, request

import hoopsnake

ACCESS = "hoopsnake.access"


def untimed(lines: list[str]) -> list[str]:
    """Lines of the access log, with a mark in place of what differs from run to run."""
    return [re.sub(r" \d+\.\d\dms ", " … ", line) for line in lines]


async def raising(scope: Scope, receive: Receive, send: Send) -> None:
    raise LookupError("nothing there")


async def test_each_answer_is_a_line_of_the_access_log() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            return await send({"type": "websocket.accept"})
        if scope["path"] == "/raises":
            raise LookupError("nothing there")
        await send(start(int(scope["path"][1:])))
        await send(body())

    async with served(app, faulty=True, lifespan="off", access_log=True) as server:
        async with await server.connect() as wire:
            client = "{}:{}".format(*wire.sock.getsockname())
            for line in ("GET /200?x=%20y HTTP/1.1", "HEAD /404 HTTP/1.1", "GET /299 HTTP/1.1"):
                await wire.send(request(line))
                await wire.answer(line.split()[0])
            await wire.send(request("GET /raises HTTP/1.0", "Connection: keep-alive"))
            await wire.answer()
            await opened(wire, "/socket")
    assert untimed(server.log.lines(ACCESS)) == [
        f'{client} "GET /200?x=%20y HTTP/1.1" 200 OK … 0B',
        f'{client} "HEAD /404 HTTP/1.1" 404 Not Found … 0B',
        f'{client} "GET /299 HTTP/1.1" 299  … 0B',
        f'{client} "GET /raises HTTP/1.0" 500 Internal Server Error … 21B',
        f'{client} "GET /socket HTTP/1.1" 101 Switching Protocols … 0B closed 1006',
    ]
    assert {each.levelno for each in server.log.records if each.name == ACCESS} == {logging.INFO}


async def test_there_is_no_access_log_unless_it_is_asked_for() -> None:
    async with served(hello, lifespan="off") as server:
        await server.get()
    assert server.log.lines(ACCESS) == []


async def test_over_a_unix_socket_the_access_log_has_no_client(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    async with served(hello, lifespan="off", uds=path, access_log=True) as server:
        async with await Wire.open(path) as wire:
            await wire.get("/x")
            await wire.answer()
    assert untimed(server.log.lines(ACCESS)) == ['- "GET /x HTTP/1.1" 200 OK … 2B']


async def test_a_line_break_in_a_request_forges_no_line_of_the_log() -> None:
    async with served(raising, faulty=True, lifespan="off", access_log=True) as server:
        async with await server.connect() as wire:
            await wire.get("/x%0AForged%0d:%20line")
            assert (await wire.answer()).status == 500
    assert not any(line.startswith("Forged") for line in server.log.text.splitlines())


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("debug", {"DEBUG", "INFO", "WARNING", "ERROR"}),
        ("info", {"INFO", "WARNING", "ERROR"}),
        ("warning", {"WARNING", "ERROR"}),
        ("error", {"ERROR"}),
        ("critical", set()),
    ],
)
async def test_the_level_decides_what_is_logged(
    level: Any, expected: set[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # Above "info" nobody tells the port, so this one listens where the test knows.
    path = str(tmp_path / "socket")
    config = hoopsnake.ServerConfig(uds=path, log_level=level, access_log=True)
    server = asyncio.create_task(hoopsnake.serve(raising, config))
    while True:
        await asyncio.sleep(0)
        try:
            wire = await Wire.open(path)
        except FileNotFoundError:
            continue
        break
    async with wire:
        await wire.get()
        assert (await wire.answer()).status == 500
        await wire.send(b"GET / HTTP/1.1\r\n\r\n")
        assert (await wire.answer()).status == 400
    server.cancel()
    await asyncio.wait([server])
    levels = {record.levelname for record in caplog.records if record.name.startswith("hoopsnake")}
    assert levels == expected


APP = """
async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"hello"})
"""


async def test_without_a_set_up_of_the_users_it_prints_to_standard_error(tmp_path: Path) -> None:
    async with serving(tmp_path, APP, "--access-log") as server:
        async with await server.connect() as wire:
            await wire.get("/x")
            await wire.answer()
        await server.wait_for('"GET /x HTTP/1.1" 200 OK')
    time = r"\d\d:\d\d:\d\d"
    first, *_, last = server.errors.splitlines()
    assert re.fullmatch(
        rf"{time} INFO    Serving on http://127\.0\.0\.1:\d+ \(Ctrl-C stops it\)", first
    )
    answered = r'127\.0\.0\.1:\d+ "GET /x HTTP/1\.1" 200 OK \d+\.\d\dms 5B'
    assert re.fullmatch(rf"{time} INFO    {answered}", last)
    assert server.errors.count("Serving on") == 1


async def test_a_set_up_of_the_users_is_left_alone(tmp_path: Path) -> None:
    source = (
        """
import logging, sys
logging.basicConfig(stream=sys.stderr, format="MINE %(name)s %(message)s", level="INFO")
"""
        + APP
    )
    async with serving(tmp_path, source) as server:
        assert server.errors.startswith("MINE hoopsnake.error Serving on ")
    assert server.errors.count("Serving on") == 1


async def test_serving_twice_adds_no_second_handler(tmp_path: Path) -> None:
    source = (
        APP
        + """
import asyncio, logging, hoopsnake

async def main():
    said = asyncio.Event()
    # A filter, so that no handler is added.
    logging.getLogger("hoopsnake.error").addFilter(
        lambda record: "Serving on" not in record.msg or said.set() or True
    )
    for _ in range(2):
        said.clear()
        serving = asyncio.create_task(hoopsnake.serve(app, hoopsnake.ServerConfig(port=0)))
        await said.wait()
        serving.cancel()
        await asyncio.wait([serving])

hoopsnake.run(main())
print(len(logging.getLogger("hoopsnake").handlers), len(logging.getLogger().handlers))
"""
    )
    async with program(tmp_path, source, "program.py") as script:
        assert await script.ended() == 0
    assert script.errors.count("Serving on") == 2
