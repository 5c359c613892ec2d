"""The ticker and the transfers by plain HTTP: what they send, and when they hold back."""

from __future__ import annotations

import hashlib
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from showcase_server import Showcase

MEBIBYTE = 1024 * 1024
MOST_TICKS = 60  # Half a minute: what does not happen within it does not happen.


@contextmanager
def ticks(client: httpx.Client, **headers: str) -> Iterator[Iterator[dict[str, Any]]]:
    """The events of the ticker, each with its id added."""

    def parsed(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
        identity = ""
        for line in lines:
            field, _, value = line.partition(": ")
            if field == "id":
                identity = value
            elif field == "data":
                yield {**json.loads(value), "id": identity}

    with client.stream("GET", "/ticker", headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield parsed(response.iter_lines())


def tick_where(stream: Iterator[dict[str, Any]], **wanted: int) -> dict[str, Any]:
    """The first tick that reads so."""
    seen = []
    for _ in range(MOST_TICKS):
        tick = next(stream)
        if all(tick[name] == value for name, value in wanted.items()):
            return tick
        seen.append(tick)
    raise AssertionError(f"no tick was {wanted}: {seen[-5:]}")


def test_the_ticker_ticks_and_counts(client: httpx.Client) -> None:
    with ticks(client) as stream:
        first = [next(stream) for _ in range(3)]
    numbers = [tick["number"] for tick in first]
    assert numbers == list(range(numbers[0], numbers[0] + 3))
    assert first[-1]["listeners"] == 1
    assert first[-1]["tasks"] >= 1
    assert -1 < time.time() - first[-1]["at"] < 30


def test_the_ticker_goes_on_where_a_listener_was_cut_off(client: httpx.Client) -> None:
    with ticks(client) as stream, ticks(client) as meanwhile:
        last = next(stream)
        for _ in range(3):
            missed = next(meanwhile)
        with ticks(client, **{"last-event-id": last["id"]}) as again:
            assert next(again)["number"] == last["number"] + 1
            assert tick_where(again, number=missed["number"] + 1)


def test_an_id_of_another_process_is_as_good_as_none(client: httpx.Client) -> None:
    with ticks(client, **{"last-event-id": "00000000-99999999"}) as stream:
        assert next(stream)["number"] < 99999999


def test_listeners_that_leave_are_noticed(client: httpx.Client) -> None:
    with ticks(client) as stream:
        with ticks(client) as other:
            next(other)
            tick_where(stream, listeners=2)
        tick_where(stream, listeners=1)


@pytest.mark.parametrize("size", [1, 65536, 65537, 10_000_000])
def test_a_download_arrives_whole(client: httpx.Client, size: int) -> None:
    answer = client.get("/download", params={"size": size})
    assert answer.headers["content-length"] == str(size)
    assert f'filename="hoop-{size}.bin"' in answer.headers["content-disposition"]
    assert answer.content == (bytes(range(256)) * (size // 256 + 1))[:size]


@pytest.mark.parametrize("size", ["0", "-1", "many", str(4096 * MEBIBYTE + 1), ""])
def test_an_impossible_download_is_refused(client: httpx.Client, size: str) -> None:
    assert client.get("/download", params={"size": size}).status_code == 422


def test_a_download_waits_for_its_reader(client: httpx.Client, showcase: Showcase) -> None:
    with ticks(client) as stream:
        next(stream)
        before = showcase.memory
        with client.stream("GET", "/download", params={"size": 2000 * MEBIBYTE}) as response:
            pieces = response.iter_raw()
            next(pieces)
            # We read no further, so soon the server stands still.
            tick_where(stream, transfers=1, bytes_per_second=0)
            assert showcase.memory - before < 64 * MEBIBYTE
        tick_where(stream, transfers=0)


def noise(size: int) -> bytes:
    return hashlib.shake_128(b"showcase").digest(size)


@pytest.mark.parametrize("size", [0, 1, 65536, 5_000_000])
def test_an_upload_is_counted_and_summed(client: httpx.Client, size: int) -> None:
    body = noise(size)
    answer = client.post("/upload", content=body).json()
    assert answer["bytes"] == size
    assert answer["sha256"] == hashlib.sha256(body).hexdigest()


def test_an_upload_of_unknown_length_works_too(client: httpx.Client) -> None:
    body = noise(3_000_000)
    pieces = (body[start : start + 77_777] for start in range(0, len(body), 77_777))
    answer = client.post("/upload", content=pieces).json()
    assert answer["bytes"] == len(body)
    assert answer["sha256"] == hashlib.sha256(body).hexdigest()


def test_a_large_upload_is_never_in_memory(client: httpx.Client, showcase: Showcase) -> None:
    client.post("/upload", content=b"so that all of it is loaded")
    before = showcase.memory
    piece = noise(MEBIBYTE)
    answer = client.post("/upload", content=(piece for _ in range(300))).json()
    assert answer["bytes"] == 300 * MEBIBYTE
    assert showcase.memory - before < 64 * MEBIBYTE


def test_a_sender_that_breaks_off_is_noticed(client: httpx.Client, showcase: Showcase) -> None:
    with ticks(client) as stream:
        with socket.create_connection(("127.0.0.1", showcase.port)) as sender:
            sender.sendall(
                b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + noise(5000)
            )
            tick_where(stream, transfers=1)
        tick_where(stream, transfers=0)
