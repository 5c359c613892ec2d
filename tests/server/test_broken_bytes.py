"""Bytes that are wrong at random: only their own connection breaks, and nothing is left of it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import random
import secrets
from pathlib import Path

import pytest
from applications import read_all
from broken_traffic import KINDS, broken, tls
from certificate_authority import Authority
from frames import handshake
from served import Receive, Scope, Send, Served, served
from wire import Wire

import hoopsnake

# How many are sent of each kind, and which; `make soak` sends 25,000.
TIMES = int(os.environ.get("BROKEN_TIMES") or 1000)
SEED = int(os.environ.get("BROKEN_SEED") or secrets.randbelow(10**9))
AT_ONCE = 20
# What one connection may leave behind. Of 25,000 connections a leak of 200 bytes each is more.
MEMORY_ALLOWANCE = 5 * 1024**2


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Read all of a request or a WebSocket, and answer it."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            await send({**event, "type": "websocket.send"})
        return
    if scope["method"] == "POST":
        with contextlib.suppress(AssertionError):
            await read_all(receive)
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"hello"})


async def one(server: Served, data: bytes) -> bytes:
    """Send it, end this side, and wait for the server to end its own; what it said first."""
    async with await server.connect() as wire:
        with contextlib.suppress(ConnectionError):
            await wire.send(data)
            wire.writer.write_eof()
        return await wire.rest()


async def is_well(wire: Wire) -> None:
    """The next good request is answered, and a WebSocket opens."""
    await wire.get()
    assert (await wire.answer()).body == b"hello"
    await wire.send(handshake())
    assert (await wire.head()).status == 101


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def resident() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.timeout(max(60, TIMES // 20))
@pytest.mark.parametrize("kind", KINDS)
def test_the_next_good_request_is_answered_and_nothing_is_left(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # pytest keeps all that is logged, and each request that is refused is.
    monkeypatch.setattr(logging.getLogger("hoopsnake"), "propagate", False)
    print(f"BROKEN_SEED={SEED} BROKEN_TIMES={TIMES} repeats it")
    # No coroutine itself: those have twenty seconds.
    hoopsnake.run(break_again_and_again(kind))


async def break_again_and_again(kind: str) -> None:
    chance = random.Random(f"{SEED} {kind}")
    traffic = KINDS[kind]()
    async with served(app, lifespan="off", faulty=True) as server:
        tasks, open_before, warm = len(asyncio.all_tasks()), 0, 0
        for batch in range(TIMES // AT_ONCE):
            async with asyncio.timeout(30):
                said = await asyncio.gather(
                    *(one(server, broken(chance, traffic)) for _ in range(AT_ONCE))
                )
            if kind == "HTTP/1.1":
                assert all(not each or each.startswith(b"HTTP/1.") for each in said), said
            async with asyncio.timeout(10), await server.connect() as wire:
                await is_well(wire)
            assert not [fault for fault in server.log.faults if "ClientDisconnected" not in fault]
            # A line for each request that was refused.
            server.log.records.clear()
            if batch == TIMES // AT_ONCE // 2:
                open_before, warm = descriptors(), resident()
        async with asyncio.timeout(10):
            while len(asyncio.all_tasks()) > tasks:
                await asyncio.sleep(0)
        assert descriptors() <= open_before + 2
        assert resident() < warm + MEMORY_ALLOWANCE


async def test_a_broken_tls_handshake_breaks_nothing_else(tmp_path: Path) -> None:
    print(f"BROKEN_SEED={SEED} repeats it")
    chance = random.Random(SEED)
    authority = Authority()
    certificate = authority.write(tmp_path)
    async with served(app, lifespan="off", faulty=True, ssl_certfile=certificate) as server:
        for _ in range(10):
            await asyncio.gather(*(one(server, broken(chance, tls())) for _ in range(AT_ONCE)))
        async with await server.connect(tls=authority.client()) as wire:
            await is_well(wire)
        assert "panicked" not in server.log.text
        assert server.log.faults == []
