"""Hedges, rates, places and breakers of a client, each for the host that is asked."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator
from typing import cast

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived, StreamReset
from scripted_server import ScriptedServer, answering, response, scripted

import hoopsnake
from hoopsnake import limits
from hoopsnake._client import _hosts

BUSY = response(b"busy", status="503 Service Unavailable")
FAILED = response(b"", status="500 Internal Server Error")


class Halting(asyncio.Protocol):
    """A server of HTTP/2 that never answers the first stream, and says which were reset."""

    def __init__(self) -> None:
        self.reset: list[int] = []
        self.was_reset = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.http2 = H2Connection(H2Configuration(client_side=False))
        self.http2.initiate_connection()
        self.transport.write(self.http2.data_to_send())

    def data_received(self, data: bytes) -> None:
        for event in self.http2.receive_data(data):
            if isinstance(event, RequestReceived) and event.stream_id > 1:
                self.http2.send_headers(event.stream_id, [(":status", "200")])
                self.http2.send_data(event.stream_id, b"second", end_stream=True)
            elif isinstance(event, StreamReset):
                self.reset.append(event.stream_id)
                self.was_reset.set()
        self.transport.write(self.http2.data_to_send())


@contextlib.asynccontextmanager
async def gated() -> AsyncIterator[tuple[ScriptedServer, asyncio.Queue[asyncio.Event]]]:
    """Serve requests that are answered when a test says so, by the event of each."""
    gates: asyncio.Queue[asyncio.Event] = asyncio.Queue()

    async def handle(server, reader, writer):  # type: ignore[no-untyped-def]
        while True:
            await server.head(reader)
            gate = asyncio.Event()
            gates.put_nowait(gate)
            await gate.wait()
            writer.write(response())

    async with scripted(handle) as server:
        yield server, gates


async def test_a_late_request_gets_company_and_the_loser_s_stream_is_reset() -> None:
    server = Halting()
    listener = await asyncio.get_running_loop().create_server(lambda: server, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/"
    async with hoopsnake.Client(http1=False, hedge=0.01) as client:
        got = await client.get(url)
        assert got.content == b"second"
        first, second = got.extensions["attempts"]
        assert (first.error, first.is_hedge) == ("CancelledError", False)
        assert (second.status, second.is_hedge) == (200, True)
        await server.was_reset.wait()
        assert server.reset == [1]
        assert client.stats().streams == 0
    listener.close()


async def test_what_may_not_be_done_twice_gets_no_company() -> None:
    async with gated() as (server, gates), hoopsnake.Client(hedge=0.001) as client:
        asked = asyncio.create_task(client.post(server.url, content=b"x"))
        gate = await gates.get()
        for _ in range(20):
            await asyncio.sleep(0.001)
        gate.set()
        assert len((await asked).extensions["attempts"]) == 1
        assert len(server.requests) == 1


@pytest.mark.parametrize("given", ["a number", "an object"])
async def test_a_request_pays_into_a_budget_once(given: str) -> None:
    budget = limits.RetryBudget()
    retries = hoopsnake.Retries(3, first=0.001, longest=0.001, budget=budget)
    hedge = 60 if given == "a number" else limits.Hedge(after=60, budget=budget)
    async with (
        scripted(answering(BUSY, BUSY, response())) as server,
        hoopsnake.Client(retries=retries, hedge=hedge) as client,
    ):
        assert len((await client.get(server.url)).extensions["attempts"]) == 3
    assert (budget.stats().calls, budget.stats().retries) == (1, 2)


async def test_a_hedge_by_the_latencies_of_a_host_is_late_when_most_were_not() -> None:
    hedges: dict[str, limits.Hedge] = {}

    def hedge(host: str) -> limits.Hedge:
        return hedges.setdefault(host, limits.Hedge(0.9, least_calls=10))

    slow = asyncio.Event()

    async def handle(server, reader, writer):  # type: ignore[no-untyped-def]
        while True:
            head = await server.head(reader)
            if b"/slow" in head and not slow.is_set():
                slow.set()
                await asyncio.Event().wait()
            writer.write(response())

    async with scripted(handle) as server, hoopsnake.Client(hedge=hedge) as client:
        for _ in range(20):
            await client.get(server.url)
        got = await client.get(f"{server.url}slow")
        assert slow.is_set()
        assert (got.content, len(got.extensions["attempts"])) == (b"hello", 2)
        assert list(hedges) == [f"127.0.0.1:{server.port}"]
        assert hedges[f"127.0.0.1:{server.port}"].stats().won >= 1


async def test_a_host_gets_so_many_requests_at_once_and_another_is_none_of_its_business() -> None:
    async with (
        gated() as (one, one_gates),
        gated() as (two, two_gates),
        hoopsnake.Client(concurrency=2) as client,
    ):
        tasks = [asyncio.create_task(client.get(one.url)) for _ in range(3)]
        other = asyncio.create_task(client.get(two.url))
        first, _ = await one_gates.get(), await one_gates.get()
        (await two_gates.get()).set()
        assert (await other).content == b"hello"
        assert len(one.requests) == 2
        first.set()
        third = await one_gates.get()
        assert len(one.requests) == 3
        third.set()
        _.set()
        assert [got.status_code for got in await asyncio.gather(*tasks)] == [200] * 3


async def test_a_body_that_is_still_to_come_has_its_place() -> None:
    ways = ("closing", "reading", "forgetting", "cancelling")
    for leaves_by, status in itertools.product(ways, ("200 OK", "503 Busy")):
        large = response(b"x" * 300_000, status=status)
        async with (
            scripted(answering(large)) as server,
            hoopsnake.Client(concurrency=1) as client,
        ):
            request = client.build_request("GET", server.url)
            got = await client.send(request, stream=True)
            waits = asyncio.create_task(client.get(server.url))
            for _ in range(10):
                await asyncio.sleep(0.001)
            assert not waits.done()
            assert len(server.requests) == 1
            if leaves_by == "closing":
                await got.aclose()
            elif leaves_by == "reading":
                assert len(await got.aread()) == 300_000
            elif leaves_by == "cancelling":
                reading = asyncio.create_task(got.aread())
                await asyncio.sleep(0)
                reading.cancel()
                await asyncio.wait([reading])
            del got
            assert len((await waits).content) == 300_000


async def test_who_waits_for_a_place_waits_no_longer_than_there_is_time() -> None:
    async with gated() as (server, gates), hoopsnake.Client(concurrency=1) as client:
        asked = asyncio.create_task(client.get(server.url))
        gate = await gates.get()
        with pytest.raises(hoopsnake.TotalTimeout, match=r"no room.*limit phase") as caught:
            await client.get(server.url, timeout=hoopsnake.Timeout(total=0.05))
        assert (caught.value.phase, caught.value.was_left_alone) == ("limit", True)
        gate.set()
        await asked
        assert len(server.requests) == 1


@pytest.mark.parametrize("places", [1, 2])
async def test_a_hedge_that_is_answered_as_badly_keeps_no_place(places: int) -> None:
    async def handle(server, reader, writer):  # type: ignore[no-untyped-def]
        while True:
            await server.head(reader)
            number = len(server.requests)
            if places > 1 and number % 2 and number < 6:
                # The first of a round waits for the hedge beside it, so that both are answered.
                while len(server.requests) == number:
                    await asyncio.sleep(0)
            writer.write(BUSY if number < 6 else response())

    async with (
        scripted(handle) as server,
        hoopsnake.Client(
            timeout=None,
            hedge=0.001,
            concurrency=places,
            retries=hoopsnake.Retries(9, first=0.001, longest=0.001),
        ) as client,
    ):
        for _ in range(3):
            async with asyncio.timeout(10), client.stream("GET", server.url) as got:
                assert await got.aread() == b"hello"


async def test_a_place_is_waited_for_no_longer_than_one_of_the_pool() -> None:
    async with gated() as (server, gates), hoopsnake.Client(concurrency=1) as client:
        asked = asyncio.create_task(client.get(server.url, timeout=None))
        gate = await gates.get()
        with pytest.raises(
            hoopsnake.PoolTimeout, match=r"no place for it within 0\.02 s"
        ) as caught:
            await client.get(server.url, timeout=hoopsnake.Timeout(None, pool=0.02))
        assert caught.value.was_left_alone
        gate.set()
        await asked
        assert len(server.requests) == 1


async def test_a_rate_is_one_of_each_host() -> None:
    limit = limits.RateLimit(1, per=3600, burst=2, max_wait=0)
    async with (
        scripted(answering(response())) as one,
        scripted(answering(response())) as two,
        hoopsnake.Client(rate_limit=limit) as client,
    ):
        for _ in range(2):
            await client.get(one.url)
            await client.get(two.url)
        with pytest.raises(hoopsnake.RateLimited) as caught:
            await client.get(one.url)
        assert caught.value.host == f"127.0.0.1:{one.port}"
        assert caught.value.retry_after is not None
        assert isinstance(caught.value, limits.RateLimited | hoopsnake.RequestError)
        assert len(one.requests) == 2


async def test_a_rate_spaces_requests() -> None:
    loop = asyncio.get_running_loop()
    async with scripted(answering(response())) as server:
        async with hoopsnake.Client(rate_limit=100) as client:
            began = loop.time()
            await asyncio.gather(*(client.get(server.url) for _ in range(6)))
            assert loop.time() - began >= 0.049


def breaker(host: str) -> limits.CircuitBreaker:
    return limits.CircuitBreaker(
        least_calls=3, open_for=3600, failures=lambda error: _hosts.is_failure(error)
    )


async def test_a_host_that_fails_is_left_alone_and_others_are_asked() -> None:
    async with (
        scripted(answering(FAILED)) as bad,
        scripted(answering(response())) as good,
        hoopsnake.Client(breaker=breaker) as client,
    ):
        for _ in range(3):
            assert (await client.get(bad.url)).status_code == 500
        with pytest.raises(hoopsnake.CircuitOpen) as caught:
            await client.get(bad.url)
        assert (await client.get(good.url)).status_code == 200
        assert len(bad.requests) == 3
    error = caught.value
    assert error.host == f"127.0.0.1:{bad.port}"
    assert error.host in str(error) and "limit phase" in str(error)
    assert error.retry_after is not None and 3500 < error.retry_after <= 3600
    assert error.request is not None and error.request.method == "GET"
    assert [each.error for each in error.attempts] == ["CircuitOpen"]
    assert isinstance(error, limits.CircuitOpen)


async def test_an_answer_that_is_no_failure_does_not_open_a_circuit() -> None:
    missing = response(b"", status="404 Not Found")
    async with (
        scripted(answering(missing)) as server,
        hoopsnake.Client(breaker=breaker) as client,
    ):
        for _ in range(10):
            assert (await client.get(server.url)).status_code == 404


async def test_what_has_reached_nobody_counts_neither_way() -> None:
    clock = [0.0]
    circuit = limits.CircuitBreaker(
        least_calls=1, probes=1, open_for=1, failures=_hosts.is_failure, clock=lambda: clock[0]
    )
    async with gated() as (server, gates):
        async with hoopsnake.Client(concurrency=1, breaker=circuit) as client:
            asked = asyncio.create_task(client.get(server.url))
            gate = await gates.get()
            with pytest.raises(hoopsnake.TotalTimeout):
                await client.get(server.url, timeout=hoopsnake.Timeout(total=0.02))
            with pytest.raises(hoopsnake.PoolTimeout):
                await client.get(server.url, timeout=hoopsnake.Timeout(pool=0.02))
            gate.set()
            await asked
            assert (circuit.state, circuit.stats().succeeded, circuit.stats().failed) == (
                "closed",
                1,
                0,
            )
        # A pool of one connection: the time for it is over while the circuit is half open.
        one = hoopsnake.Limits(max_connections=1)
        async with hoopsnake.Client(limits=one, breaker=circuit) as client:
            asked = asyncio.create_task(client.get(server.url))
            gate = await gates.get()
            circuit.open()
            clock[0] = 2.0
            with pytest.raises(hoopsnake.PoolTimeout):
                await client.get(server.url, timeout=hoopsnake.Timeout(pool=0.02))
            with pytest.raises(hoopsnake.TotalTimeout):
                await client.get(server.url, timeout=hoopsnake.Timeout(total=0.02))
            with pytest.raises(hoopsnake.UnsupportedProtocol):
                await client.get(f"gopher://127.0.0.1:{server.port}/")
            assert circuit.state == "half-open"
            gate.set()
            await asked


async def test_true_is_a_breaker_with_its_own_defaults() -> None:
    async with scripted(answering(BUSY)) as server, hoopsnake.Client(breaker=True) as client:
        for _ in range(20):
            await client.get(server.url)
        with pytest.raises(hoopsnake.CircuitOpen):
            await client.get(server.url)
        assert len(server.requests) == 20


async def test_retries_stop_where_the_circuit_opens() -> None:
    retries = hoopsnake.Retries(9, first=0.001, longest=0.001)
    async with (
        scripted(answering(BUSY)) as server,
        hoopsnake.Client(retries=retries, breaker=breaker) as client,
    ):
        with pytest.raises(hoopsnake.CircuitOpen) as caught:
            await client.get(server.url)
        assert [each.status for each in caught.value.attempts] == [503, 503, 503, None]
        assert len(server.requests) == 3


def test_hosts_that_nobody_asks_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_hosts, "MOST_IDLE", 10)
    hosts = _hosts.Hosts(None, 3, True, None)
    kept = hosts.enter("kept")
    for number in range(100):
        hosts.leave(hosts.enter(f"host-{number}"))
    assert len(hosts) == 11
    assert hosts.enter("kept") is kept
    hosts.leave(kept)
    hosts.leave(kept)
    latest = hosts.enter("host-99")
    hosts.leave(latest)
    assert hosts.enter("host-99") is latest
    assert len(hosts) == 10


async def test_a_storm_of_cancellations_leaves_no_place_taken() -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    places = limits.ConcurrencyLimit(5)
    async with (
        scripted(answering(response(b"x" * 5000), BUSY)) as server,
        hoopsnake.Client(
            concurrency=places, retries=hoopsnake.Retries(2, first=0.001), hedge=0.002
        ) as client,
    ):

        async def ask() -> None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(chance.random() * 0.02):
                    if chance.random() < 0.5:
                        await client.get(server.url)
                    else:
                        async with client.stream("GET", server.url) as got:
                            await got.aread()

        await hoopsnake.gather([ask() for _ in range(300)], limit=30)
        assert (await client.get(server.url)).status_code in (200, 503)
        stats = places.stats()
        assert (stats.running, stats.waiting) == (0, 0)
        assert (client.stats().streams, client.stats().waiting) == (0, 0)
