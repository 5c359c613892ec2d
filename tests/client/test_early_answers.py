"""Answers that begin before their request is out: the upload goes on, read or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from scripted_server import ScriptedServer, scripted

import hoopsnake

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"


class Upload:
    """A server that answers with a head at once, and a body of which the second half waits."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.ended = asyncio.Event()
        self.came: bytes | None = None

    async def handle(
        self, server: ScriptedServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            head = await server.head(reader)
            writer.write(HEAD)
            try:
                self.came = await server.body(head, reader)
            finally:
                self.ended.set()
            writer.write(b"hello")

    async def pieces(self) -> AsyncIterator[bytes]:
        yield b"first, "
        await self.go_on.wait()
        for _ in range(64):
            yield b"x" * 65536
        yield b"last"


@pytest.mark.parametrize("reads", [False, True], ids=["unread", "read"])
async def test_an_upload_goes_on_after_the_head_of_its_answer(reads: bool) -> None:
    upload = Upload()
    async with scripted(upload.handle) as server, hoopsnake.Client() as client:
        async with client.stream("POST", server.url, content=upload.pieces()) as got:
            reading = asyncio.create_task(got.aread()) if reads else None
            await asyncio.sleep(0)
            upload.go_on.set()
            async with asyncio.timeout(15):
                await upload.ended.wait()
            assert upload.came == b"first, " + b"x" * (64 * 65536) + b"last"
            assert await (reading or got.aread()) == b"hello"
        assert (await client.post(server.url, content=b"more")).content == b"hello"
        assert (server.connections, upload.came) == (1, b"more")


async def test_an_upload_ends_with_the_response_that_nobody_wants() -> None:
    upload = Upload()
    async with scripted(upload.handle) as server, hoopsnake.Client() as client:
        async with client.stream("POST", server.url, content=upload.pieces()):
            pass
        async with asyncio.timeout(15):
            await upload.ended.wait()
        assert (upload.came, client.stats().open) == (None, 0)


async def test_an_upload_that_breaks_after_the_head_of_its_answer_ends_its_reading() -> None:
    upload = Upload()

    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        await upload.go_on.wait()
        raise LookupError("mine")

    async with scripted(upload.handle) as server, hoopsnake.Client() as client:
        async with client.stream("POST", server.url, content=broken()) as got:
            reading = asyncio.create_task(got.aread())
            await asyncio.sleep(0)
            upload.go_on.set()
            async with asyncio.timeout(15):
                with pytest.raises(LookupError, match="mine"):
                    await reading
        assert client.stats().open == 0
