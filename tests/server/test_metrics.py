"""The metrics: what they count, and that both of Prometheus' formats are as they should be."""

from __future__ import annotations

import asyncio
import errno
import json
import re
from pathlib import Path
from typing import Any

import pytest
from applications import body, echo, hello, start
from certificate_authority import Authority
from frames import TEXT, close, frame, handshake, opened
from http2 import Client
from served import Receive, Scope, Send, Served, served
from wire import Answer, Wire, request

import hoopsnake
from hoopsnake._exposition import FAMILIES, exposition, wants_open_metrics
from hoopsnake._metrics import Snapshot, memory

ADMIN = {"admin": "127.0.0.1:0", "lifespan": "off"}
Metrics = dict[str, float]


async def look(server: Served, path: str = "/metrics", *headers: str) -> Answer:
    """What the admin port of a server says."""
    port = int((await server.log.wait_for(r"Metrics and health on http://[\d.]+:(\d+)"))[1])
    async with await Wire.open(("127.0.0.1", port)) as wire:
        await wire.get(path, *headers)
        return await wire.answer()


async def metrics(server: Served) -> Metrics:
    """All samples, by name and labels."""
    answer = await look(server)
    assert answer.status == 200
    return samples(answer.body.decode())


def samples(text: str) -> Metrics:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


async def until(server: Served, name: str, value: float) -> Metrics:
    """The metrics once one of them is so; what ends is counted after its client has seen it."""
    while (found := await metrics(server)).get(name) != value:
        pass
    return found


async def test_requests_are_counted_by_method_and_class_of_status() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(start(int(scope["path"][1:])))
        await send(body())

    async with served(app, **ADMIN) as server:
        async with await server.connect() as wire:
            for line in ("GET /200", "GET /204", "GET /404", "POST /503", "BREW /299", "HEAD /200"):
                await wire.send(request(f"{line} HTTP/1.1", "Content-Length: 0"))
                await wire.answer(line.split()[0])
        found = await metrics(server)
    counted = {name: value for name, value in found.items() if "requests_total" in name}
    assert counted == {
        'hoopsnake_requests_total{method="GET",status="2xx"}': 2,
        'hoopsnake_requests_total{method="GET",status="4xx"}': 1,
        'hoopsnake_requests_total{method="HEAD",status="2xx"}': 1,
        'hoopsnake_requests_total{method="POST",status="5xx"}': 1,
        'hoopsnake_requests_total{method="other",status="2xx"}': 1,
    }


async def test_bytes_and_durations_are_counted() -> None:
    proceed = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/slow":
            await proceed.wait()
            await asyncio.sleep(0.03)
        await echo(scope, receive, send)

    async with served(app, **ADMIN) as server, await server.connect() as wire:
        sent = request("POST / HTTP/1.1", "Content-Length: 5", body=b"hello")
        await wire.send(sent)
        received = await wire.answer()
        found = await metrics(server)
        assert found["hoopsnake_request_body_bytes_total"] == 5
        assert found["hoopsnake_response_body_bytes_total"] == 5
        assert found["hoopsnake_received_bytes_total"] == len(sent)
        head = len(f"{received.version} 200 {received.reason}\r\n\r\n")
        head += sum(len(f"{name}: {value}\r\n") for name, value in received.headers)
        assert found["hoopsnake_sent_bytes_total"] == head + 5
        assert found['hoopsnake_request_duration_seconds_bucket{le="10.0"}'] == 1
        await wire.get("/slow")
        found = await until(server, "hoopsnake_requests_in_flight", 1)
        assert found["hoopsnake_requests_at_work"] == 1
        proceed.set()
        await wire.answer()
        found = await metrics(server)
    name = "hoopsnake_request_duration_seconds"
    assert found["hoopsnake_requests_in_flight"] == 0
    assert found[f'{name}_bucket{{le="0.025"}}'] <= 1
    assert found[f'{name}_bucket{{le="+Inf"}}'] == found[f"{name}_count"] == 2
    assert 0.03 <= found[f"{name}_sum"] < 10


async def test_connections_are_counted_by_protocol(tmp_path: Path) -> None:
    authority = Authority()
    settings = {**ADMIN, "ssl_certfile": authority.write(tmp_path)}
    async with served(hello, **settings) as server:
        async with await server.connect(tls=authority.client()) as wire:
            await wire.get()
            await wire.answer()
            found = await metrics(server)
            assert found['hoopsnake_connections_open{protocol="http/1"}'] == 1
        async with await server.connect() as wire:
            await wire.send(b"no TLS at all\r\n\r\n")
            await wire.rest()
        found = await until(server, 'hoopsnake_connections_open{protocol="silent"}', 0)
        found = await until(server, 'hoopsnake_connections_open{protocol="http/1"}', 0)
    assert found['hoopsnake_connections_total{protocol="http/1"}'] == 1
    assert found["hoopsnake_tls_connections_total"] == 1
    assert found['hoopsnake_handshakes_failed_total{reason="tls"}'] == 1
    async with served(hello, **ADMIN) as server, await server.connect() as wire:
        await (await Client.begin(wire)).get()
        found = await metrics(server)
        assert found['hoopsnake_connections_open{protocol="http/2"}'] == 1
        async with await server.connect():
            await until(server, 'hoopsnake_connections_open{protocol="silent"}', 1)
    assert found['hoopsnake_connections_total{protocol="http/2"}'] == 1
    assert found["hoopsnake_tls_connections_total"] == 0


async def test_websockets_are_counted_apart() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if scope["path"] == "/denied":
            return await send({"type": "websocket.close"})
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": event["text"]})

    async with served(app, **ADMIN) as server:
        async with await server.connect() as wire:
            await opened(wire)
            await wire.send(3 * frame(TEXT, b"x"))
            await wire.reader.readexactly(3 * 3)
            found = await metrics(server)
            assert found['hoopsnake_connections_open{protocol="websocket"}'] == 1
            assert found['hoopsnake_connections_open{protocol="http/1"}'] == 0
            await wire.send(close(1000))
            await wire.rest()
        async with await server.connect() as wire:
            await wire.send(handshake("/denied"))
            assert (await wire.head()).status == 403
        found = await until(server, 'hoopsnake_connections_open{protocol="websocket"}', 0)
    assert found["hoopsnake_websockets_total"] == 1
    assert found["hoopsnake_websockets_denied_total"] == 1
    assert found["hoopsnake_websocket_messages_received_total"] == 3
    assert found["hoopsnake_websocket_messages_sent_total"] == 3
    assert found['hoopsnake_requests_total{method="GET",status="4xx"}'] == 1
    assert found["hoopsnake_requests_in_flight"] == 0


async def test_refusals_and_failures_are_counted_by_their_reason() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/raises":
            raise LookupError
        if scope["path"] == "/hangs":
            await asyncio.Event().wait()
        await send(start())
        await send(body(b"cut", more=True))

    limits = hoopsnake.ServerLimits(response_timeout=2, concurrency=1, queue=0)
    async with served(app, faulty=True, limits=limits, **ADMIN) as server:
        async with await server.connect() as wire:
            await wire.send(b"GET / HTTP/1.1\r\n\r\n")
            assert (await wire.answer()).status == 400
        async with await server.connect() as wire:
            await wire.get("/cut")
            await wire.rest()
        async with await server.connect() as wire:
            await wire.get("/hangs")
            await until(server, "hoopsnake_requests_at_work", 1)
            assert (await server.get()).status == 503
            assert (await wire.answer()).status == 504
        assert (await server.get("/raises")).status == 500
        found = await until(server, "hoopsnake_requests_overloaded_total", 1)
    assert found['hoopsnake_requests_refused_total{reason="host_count"}'] == 1
    assert found["hoopsnake_requests_overdue_total"] == 1
    assert found["hoopsnake_application_failures_total"] == 1
    assert found["hoopsnake_responses_incomplete_total"] == 1


async def test_the_loop_and_the_process_are_in_it() -> None:
    async with served(hello, **ADMIN) as server:
        await server.get()
        first = await metrics(server)
        await server.get()
        second = await metrics(server)
    assert 0 < first["hoopsnake_loop_turns_total"] < second["hoopsnake_loop_turns_total"]
    assert second['hoopsnake_loop_lag_seconds_bucket{le="+Inf"}'] > 0
    assert second["process_resident_memory_bytes"] > 1_000_000
    assert 3 < second["process_open_fds"] < second["process_max_fds"]
    assert 0 < first["process_cpu_seconds_total"] <= second["process_cpu_seconds_total"]
    assert first["process_start_time_seconds"] == second["process_start_time_seconds"] > 1.6e9
    assert 'python_gc_collections_total{generation="2"}' in second


async def test_openmetrics_is_for_those_who_ask_for_it() -> None:
    async with served(hello, **ADMIN) as server:
        plain = await look(server)
        asked = await look(
            server, "/metrics", "Accept: application/openmetrics-text; version=1.0.0"
        )
    assert plain.one("content-type") == "text/plain; version=0.0.4; charset=utf-8"
    assert asked.one("content-type") == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert plain.one("vary") == "accept"
    assert b"# TYPE hoopsnake_requests_in_flight gauge\n" in plain.body
    assert asked.body.endswith(b"\n# EOF\n") and b"# EOF" not in plain.body


@pytest.mark.parametrize(
    ("accept", "wants"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("application/openmetrics-text", True),
        ("application/openmetrics-text;q=0.4, text/plain;q=0.5", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=x", False),
        # As Prometheus 2.50 asks.
        (
            "application/openmetrics-text;version=1.0.0;q=0.5,"
            "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            True,
        ),
    ],
)
def test_who_wants_openmetrics(accept: str, wants: bool) -> None:
    assert wants_open_metrics(accept) is wants


SNAPSHOT: Snapshot = {
    "version": "1",
    "python": 'a"b\\c\nd',
    "requests": [("GET", "2xx", 3)],
    "durations": [1, 0, 2],
    "duration_bounds": [0.5, 1],
    "duration_seconds": 4.5,
    "connections": {"http/1": 1},
    "loop": {"turns": 7, "ready_delays": [1, 1], "delay_bounds": [1.0]},
    "process": {"cpu_seconds": 1.5},
    "collector": [{"collections": 1, "collected": 2, "uncollectable": 0}],
}


def test_several_processes_are_told_apart_by_a_label() -> None:
    assert json.loads(json.dumps(SNAPSHOT)).keys() == SNAPSHOT.keys()
    text = exposition([("1", SNAPSHOT), ("2", json.loads(json.dumps(SNAPSHOT)))])
    for worker in ("1", "2"):
        assert (
            f'hoopsnake_requests_total{{method="GET",status="2xx",worker="{worker}"}} 3\n' in text
        )
        assert f'process_cpu_seconds_total{{worker="{worker}"}} 1.5\n' in text
    assert text.count("# TYPE hoopsnake_requests_total counter\n") == 1


@pytest.mark.parametrize("open_metrics", [False, True])
def test_the_formats_keep_their_rules(open_metrics: bool) -> None:
    text = exposition([("1", SNAPSHOT), ("2", SNAPSHOT)], open_metrics=open_metrics)
    assert text.endswith("# EOF\n" if open_metrics else "\n")
    kinds: dict[str, str] = {}
    current, seen = "", set()
    for line in text.removesuffix("# EOF\n").splitlines():
        if line.startswith("# HELP "):
            current = line.split()[2]
            assert current not in kinds, "a family is in one piece"
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name == current
            kinds[name] = kind
        else:
            label = r'[a-z]+="(?:[^"\\\n]|\\["\\n])*"'
            found = re.fullmatch(rf"([a-z_]+)(?:\{{({label}(?:,{label})*)\}})? ([-+.e\d]+)", line)
            assert found is not None, line
            assert line not in seen
            seen.add(line)
            assert found[1].removeprefix(current) in endings(kinds[current], open_metrics), line
    names = {family.name for family in FAMILIES}
    assert len(names) == len(FAMILIES)
    assert r'hoopsnake_info{version="1",python="a\"b\\c\nd",worker="1"} 1' in text
    assert re.findall(r'seconds_bucket\{le="([^"]*)",worker="1"\} (\d)', text) == [
        ("0.5", "1"), ("1.0", "1"), ("+Inf", "3"), ("1.0", "1"), ("+Inf", "2"),
    ]  # fmt: skip


def endings(kind: str, open_metrics: bool) -> Any:
    """What the names of a family's samples end in, behind the name in its TYPE line."""
    own = {"counter": ("_total",), "info": ("_info",)} if open_metrics else {}
    return {"histogram": ("_bucket", "_sum", "_count")}.get(kind, own.get(kind, ("",)))


def test_memory_that_cannot_be_read_is_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    known = memory()
    assert known is not None
    assert known[0] > known[1] > 2**20
    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", refuse)
        told = memory()
    assert told == known
