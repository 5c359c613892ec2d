"""One HTTP client under load: requests for a while, and what each cost, printed as JSON."""

import argparse
import asyncio
import contextlib
import json
import logging
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from bench.compare import loops

# A request: sent, answered, and its body read; how many bytes that had.
Fetch = Callable[[], Awaitable[int]]
MOST = 2000
# What is asked of each to warm up: connections, and memory that is taken once.
WARM_UP = 3
# So many clients are made, one after the other, to tell what one takes.
CLIENTS_MADE = 50


class Wanted:
    """What is asked for."""

    def __init__(self, line: argparse.Namespace) -> None:
        self.url: str = line.url
        self.body = b"p" * line.post if line.post else None
        self.method = "POST" if line.post else "GET"
        self.authority: str | None = line.authority
        self.http2: bool = line.http2
        self.streams: bool = line.stream

    def context(self) -> ssl.SSLContext:
        """The trust of the clients that take a context."""
        return ssl.create_default_context(cafile=self.authority)

    def pem(self) -> bytes | None:
        """The trust of those that take certificates."""
        return Path(self.authority).read_bytes() if self.authority else None


async def counted(pieces: AsyncIterator[bytes]) -> int:
    """Read a body piece by piece."""
    length = 0
    async for piece in pieces:
        length += len(piece)
    return length


@contextlib.asynccontextmanager
async def hoopsnake(wanted: Wanted) -> AsyncIterator[Fetch]:
    """Ours."""
    import hoopsnake

    limits = hoopsnake.Limits(max_connections=MOST)
    verify = wanted.authority or True
    async with hoopsnake.Client(limits=limits, verify=verify, http2=wanted.http2) as client:

        async def fetch() -> int:
            if wanted.streams:
                async with client.stream("GET", wanted.url) as response:
                    return await counted(response.aiter_bytes())
            if wanted.body is None:
                return len((await client.get(wanted.url)).content)
            return len((await client.post(wanted.url, content=wanted.body)).content)

        yield fetch


@contextlib.asynccontextmanager
async def aiohttp(wanted: Wanted) -> AsyncIterator[Fetch]:
    """The most used, HTTP/1.1 alone."""
    import aiohttp

    trust: Any = wanted.context() if wanted.authority else True
    connector = aiohttp.TCPConnector(limit=MOST, ssl=trust)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def fetch() -> int:
            async with session.request(wanted.method, wanted.url, data=wanted.body) as response:
                if wanted.streams:
                    return await counted(response.content.iter_any())
                return len(await response.read())

        yield fetch


@contextlib.asynccontextmanager
async def pyreqwest(wanted: Wanted) -> AsyncIterator[Fetch]:
    """On the threads of reqwest."""
    from pyreqwest.client import ClientBuilder

    builder = ClientBuilder().http2(wanted.http2)
    pem = wanted.pem()
    if pem:
        builder = builder.add_root_certificate_pem(pem)
    async with builder.build() as client:

        async def fetch() -> int:
            if wanted.streams:
                async with client.get(wanted.url).build_streamed() as streamed:
                    length = 0
                    while (piece := await streamed.body_reader.read_chunk()) is not None:
                        length += len(piece)
                    return length
            if wanted.body is None:
                request = client.get(wanted.url)
            else:
                request = client.post(wanted.url).body_bytes(wanted.body)
            return len(bytes(await (await request.build().send()).bytes()))

        yield fetch


@contextlib.asynccontextmanager
async def pyqwest(wanted: Wanted) -> AsyncIterator[Fetch]:
    """On the threads of reqwest, too."""
    from pyqwest import Client, HTTPTransport, HTTPVersion

    transport = HTTPTransport(
        tls_ca_cert=wanted.pem(),
        http_version=HTTPVersion.HTTP2 if wanted.http2 else HTTPVersion.HTTP1,
        enable_otel=False,
    )
    client = Client(transport)

    async def fetch() -> int:
        if wanted.streams:
            async with client.stream("GET", wanted.url) as streamed:
                return await counted(streamed.content)
        if wanted.body is None:
            return len((await client.get(wanted.url)).content)
        return len((await client.post(wanted.url, content=wanted.body)).content)

    yield fetch


@contextlib.asynccontextmanager
async def punkreq(wanted: Wanted) -> AsyncIterator[Fetch]:
    """Hyper's parsers behind asyncio's protocols."""
    from punkreq import Limits
    from punkreq.asyncio import Client

    limits = Limits(max_connections=MOST, max_keepalive_connections=MOST)
    trust: Any = wanted.context() if wanted.authority else True
    async with Client(limits=limits, verify=trust, http2=wanted.http2) as client:

        async def fetch() -> int:
            if wanted.body is None:
                response = await client.get(wanted.url)
            else:
                response = await client.post(wanted.url, content=wanted.body)
            if wanted.streams:
                return await counted(response.iter_bytes())
            return len(await response.read())

        yield fetch


@contextlib.asynccontextmanager
async def httpx2(wanted: Wanted) -> AsyncIterator[Fetch]:
    """What httpx became."""
    import httpx2

    trust: Any = wanted.context() if wanted.authority else True
    limits = httpx2.Limits(max_connections=MOST, max_keepalive_connections=MOST)
    options: Any = {"limits": limits, "verify": trust, "http2": wanted.http2}
    # With a thousand in flight it does not make its connections in the five seconds it would have.
    async with httpx2.AsyncClient(**options, timeout=None) as client:

        async def fetch() -> int:
            if wanted.streams:
                async with client.stream("GET", wanted.url) as streamed:
                    return await counted(streamed.aiter_bytes())
            response = await client.request(wanted.method, wanted.url, content=wanted.body)
            return len(response.content)

        yield fetch


@contextlib.asynccontextmanager
async def niquests(wanted: Wanted) -> AsyncIterator[Fetch]:
    """The most featured."""
    import niquests

    async with niquests.AsyncSession(pool_maxsize=MOST) as session:
        if wanted.authority:
            session.verify = wanted.authority

        async def fetch() -> int:
            if wanted.streams:
                streamed = await session.get(wanted.url, stream=True)
                return await counted(await streamed.iter_content(-1))
            response = await session.request(wanted.method, wanted.url, data=wanted.body)
            return len(response.content or b"")

        yield fetch


CLIENTS: dict[str, Callable[[Wanted], contextlib.AbstractAsyncContextManager[Fetch]]] = {
    "hoopsnake": hoopsnake,
    "aiohttp": aiohttp,
    "pyreqwest": pyreqwest,
    "pyqwest": pyqwest,
    "punkreq": punkreq,
    "httpx2": httpx2,
    "niquests": niquests,
}


async def made(line: argparse.Namespace) -> dict[str, float]:
    """Make clients that serve one request each, and say what making them took after the first."""
    wanted, taken = Wanted(line), []
    for _ in range(CLIENTS_MADE + 1):
        begun = time.perf_counter()
        async with CLIENTS[line.client](wanted) as fetch:
            taken.append(time.perf_counter() - begun)
            await checked(fetch, line.expected)
    taken = sorted(taken[1:])
    return {"create_ms": taken[len(taken) // 2] * 1e3}


async def checked(fetch: Fetch, expected: int) -> None:
    """Ask once, and end the program if the answer is not what it should be."""
    came = await fetch()
    if came != expected:
        raise SystemExit(f"{came} bytes came, not {expected}")


async def loaded(line: argparse.Namespace) -> dict[str, float]:
    """Put the load on; what a request cost this process, and how long it took."""
    wanted = Wanted(line)
    async with CLIENTS[line.client](wanted) as fetch:
        await checked(fetch, line.expected)
        deadline = 0.0
        waits: list[float] = []

        async def ask(count: int | None) -> None:
            while (count is None and time.perf_counter() < deadline) or (count or 0) > 0:
                begun = time.perf_counter()
                await checked(fetch, line.expected)
                waits.append(time.perf_counter() - begun)
                count = None if count is None else count - 1

        await asyncio.gather(*[ask(WARM_UP) for _ in range(line.at_once)])
        waits.clear()
        cpu, begun = time.process_time(), time.perf_counter()
        deadline = begun + line.seconds
        await asyncio.gather(*[ask(None) for _ in range(line.at_once)])
        cpu, wall = time.process_time() - cpu, time.perf_counter() - begun
    return per_operation(waits, cpu, wall)


def per_operation(waits: list[float], cpu: float, wall: float) -> dict[str, float]:
    """Make figures of how long each took, and of the seconds of CPU and clock of all."""
    waits.sort()
    return {
        "per_second": len(waits) / wall,
        "wall_us": wall / len(waits) * 1e6,
        "cpu_us": cpu / len(waits) * 1e6,
        "p50_us": waits[len(waits) // 2] * 1e6,
        "p99_us": waits[len(waits) * 99 // 100] * 1e6,
    }


def main() -> None:
    """Read the command line, load, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--client", choices=CLIENTS, required=True)
    parser.add_argument("--loop", choices=loops.NAMES, required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--post", type=int, default=0, help="bytes of the body; 0 for a GET")
    parser.add_argument("--expected", type=int, required=True, help="bytes of each answer")
    parser.add_argument("--authority", help="a file of certificates to trust")
    parser.add_argument("--http2", action="store_true")
    parser.add_argument("--stream", action="store_true", help="read the body piece by piece")
    parser.add_argument("--create", action="store_true", help="say what making a client takes")
    line = parser.parse_args()
    # punkreq has asyncio warn once for each connection of TLS.
    logging.disable(logging.WARNING)
    loop = loops.new_event_loop(line.loop)
    print(json.dumps(loop.run_until_complete(made(line) if line.create else loaded(line))))


if __name__ == "__main__":
    main()
