"""Bodies of which there is always more: the deadline counts, and other tasks have their turn."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

import hoopsnake

PLAIN = os.urandom(1 << 20)


@contextlib.contextmanager
def endless(block: bytes, *fields: str) -> Iterator[str]:
    """A server of another thread, faster than any client: large blocks leave it without the GIL."""
    head = "\r\n".join(["HTTP/1.1 200 OK", "connection: close", *fields]) + "\r\n\r\n"
    block *= max(1, (64 << 20) // len(block))

    def serve() -> None:
        with contextlib.suppress(OSError):
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(head.encode())
                while True:
                    peer.sendall(block)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextlib.asynccontextmanager
async def watched() -> AsyncIterator[Callable[[], float]]:
    """Tell the longest that the loop's thread has worked, in seconds, without a turn for others."""
    longest = 0.0
    last = time.thread_time()

    def look() -> float:
        nonlocal longest, last
        now = time.thread_time()
        longest, last = max(longest, now - last), now
        return longest

    async def watch() -> None:
        while True:
            look()
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    try:
        yield look
    finally:
        watching.cancel()


@pytest.mark.parametrize("coding", ["identity", "gzip"])
async def test_reading_all_of_an_endless_body_leaves_others_their_turn(coding: str) -> None:
    block = gzip.compress(PLAIN, 1) if coding == "gzip" else PLAIN
    # No longer: what has come by then is memory, and to give back a gigabyte takes a while.
    timeout = hoopsnake.Timeout(20, total=0.3)
    with endless(block, f"content-encoding: {coding}") as url:
        async with (
            hoopsnake.Client(timeout=timeout, max_content=1 << 31) as client,
            watched() as longest,
        ):
            with pytest.raises(hoopsnake.TotalTimeout, match="300ms"):
                await client.get(url)
            assert longest() < 0.15
            assert client.stats().open == 0


async def test_a_body_of_a_known_length_leaves_others_their_turn() -> None:
    timeout = hoopsnake.Timeout(20, total=1)
    with endless(PLAIN, f"content-length: {1 << 40}") as url:
        async with (
            hoopsnake.Client(timeout=timeout) as client,
            watched() as longest,
            client.stream("GET", url) as response,
        ):
            with pytest.raises(hoopsnake.TotalTimeout, match=" 1s"):
                async for _ in response.aiter_bytes():
                    pass
            assert longest() < 0.15


async def test_short_reads_with_work_between_them_leave_others_their_turn() -> None:
    with endless(PLAIN) as url:
        async with (
            hoopsnake.Client() as client,
            client.stream("GET", url) as response,
            watched() as longest,
        ):
            worked = time.thread_time()
            async for _ in response.aiter_raw():
                piece_came = time.thread_time()
                while time.thread_time() - piece_came < 0.002:
                    pass
                if time.thread_time() - worked > 0.5:
                    break
            assert longest() < 0.15


async def test_a_reader_that_never_waits_for_the_server_has_no_more_time_than_others() -> None:
    with endless(PLAIN) as url:
        async with (
            hoopsnake.Client(timeout=hoopsnake.Timeout(20, total=1)) as client,
            client.stream("GET", url) as response,
            asyncio.timeout(10),
        ):
            with pytest.raises(hoopsnake.TotalTimeout, match=" 1s"):
                async for _ in response.aiter_raw():
                    await asyncio.sleep(0.005)
            assert client.stats().open == 0
