"""What clients ask of `asgi_application`, whichever server has it; servers as processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from listening import refused
from loop_under_test import ON_REFERENCE

pytest.importorskip("httpx")
import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

PAYLOAD = os.urandom(1_000_000)
PIECE = 20_000
MODULE = "asyncio" if ON_REFERENCE else "hoopsnake"


async def exchange_over_http(url: str, **options: Any) -> None:
    """Echo much and little, one after the other and at once; a fault in between harms nobody."""
    transport = httpx.AsyncHTTPTransport(trust_env=False, **options)
    async with httpx.AsyncClient(base_url=url, transport=transport, timeout=20) as client:
        answer = await client.post("/back", content=in_pieces())
        assert answer.content == PAYLOAD
        failed = await client.get("/fail")
        assert failed.status_code == 500
        answers = await asyncio.gather(
            *(client.post("/back", content=str(number)) for number in range(100))
        )
        assert [answer.text for answer in answers] == [str(number) for number in range(100)]
        assert (await client.get("/loop")).text.startswith(MODULE)


async def in_pieces() -> AsyncIterator[bytes]:
    for start in range(0, len(PAYLOAD), PIECE):
        yield PAYLOAD[start : start + PIECE]


async def exchange_over_websockets(url: str) -> None:
    """Echo texts and bytes over many connections; one is closed by each side."""

    async def talk(number: int) -> None:
        async with connect(f"ws{url.removeprefix('http')}/", max_size=None) as client:
            for message in (f"from {number}", b"\x00\xff" * 1000, PAYLOAD[: number * 1000]):
                await client.send(message)
                assert await client.recv() == message
            if number % 2:
                await client.send("leave")
                with pytest.raises(ConnectionClosed):
                    await client.recv()
                assert (client.close_code, client.close_reason) == (4001, "as you wish")

    await asyncio.gather(*(talk(number) for number in range(20)))


async def stop_amid_a_request(host: str, port: int, stop: Any) -> None:
    """Call `stop` while a request is under way, which is finished all the same."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"POST /echo HTTP/1.1\r\nHost: here\r\nContent-Length: 8\r\n\r\nhere")
    began = await reader.readuntil(b"here")
    assert began.startswith(b"HTTP/1.1 200")
    stop()
    await refused(host, port)
    writer.write(b"done")
    assert b"done" in await reader.read()
    writer.close()
    await writer.wait_closed()


class Process:
    """A server in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.output = ""

    async def url(self) -> str:
        """Wait until it says where it runs."""
        return (await self.says(r"unning on (http://[\d.:]+)"))[1]

    async def says(self, pattern: str) -> re.Match[str]:
        """Read what it says until this is there."""
        assert self._process.stdout is not None
        while not (found := re.search(pattern, self.output)):
            line = await self._process.stdout.readline()
            assert line, self.output
            self.output += line.decode()
        return found

    def terminate(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    async def ended(self) -> int:
        """Read what else it says, and return its exit status."""
        assert self._process.stdout is not None
        self.output += (await self._process.stdout.read()).decode()
        return await self._process.wait()


@contextlib.asynccontextmanager
async def running(*arguments: str) -> AsyncIterator[Process]:
    """Run `python` with these arguments, in reach of the modules of these tests."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    server = Process(process)
    try:
        yield server
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its workers too
            await server.ended()
