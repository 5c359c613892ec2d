"""Ctrl-C ends the showcase at once and quietly, though visitors are busy with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from showcase_server import OVERRIDE, Showcase


@asynccontextmanager
async def open_line(port: int, head: bytes) -> AsyncIterator[asyncio.StreamReader]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head)
        yield reader
    finally:
        writer.close()


@pytest.mark.skipif(bool(OVERRIDE), reason="how another server stops is not ours to say")
def test_ctrl_c_ends_it_at_once_though_a_page_is_open(
    runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = Showcase(tmp_path_factory.mktemp("ending"))

    async def stop_while_busy() -> float:
        host = b" HTTP/1.1\r\nHost: x\r\n"
        upgrade = (
            b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        async with AsyncExitStack() as stack:
            for head, sign in (
                (b"GET /ticker" + host + b"\r\n", b"event: tick"),
                (b"GET /chat?name=Last" + host + upgrade, b"welcome"),
                (b"GET /download?size=4000000000" + host + b"\r\n", b"\r\n\r\n"),
                (b"GET /waits/one-after-another" + host + b"\r\n", b"asked"),
            ):
                reader = await stack.enter_async_context(open_line(server.port, head))
                await asyncio.wait_for(reader.readuntil(sign), 10)
            return await asyncio.to_thread(server.stop)

    try:
        took = runner.run(stop_while_busy())
    finally:
        server.kill()
    # Half a second of grace; the rest is for a machine that has other things to do.
    assert took < 5
