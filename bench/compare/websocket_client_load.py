"""One WebSocket client under load: echoes for a while, and what each cost, printed as JSON."""

import argparse
import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from bench.compare import loops
from bench.compare.client_load import per_operation

# A message there and back, over one connection.
Echo = Callable[[bytes], Awaitable[bytes | str]]
WARM_UP = 20


@contextlib.asynccontextmanager
async def hoopsnake(url: str) -> AsyncIterator[Echo]:
    """Ours."""
    import hoopsnake

    async with hoopsnake.connect_websocket(url, compression=False) as socket:

        async def echo(message: bytes) -> bytes | str:
            await socket.send(message)
            return await socket.receive()

        yield echo


@contextlib.asynccontextmanager
async def websockets(url: str) -> AsyncIterator[Echo]:
    """The most used by itself."""
    from websockets.asyncio.client import connect

    async with connect(url, compression=None) as socket:

        async def echo(message: bytes) -> bytes | str:
            await socket.send(message)
            return await socket.recv()

        yield echo


@contextlib.asynccontextmanager
async def aiohttp(url: str) -> AsyncIterator[Echo]:
    """The most used among HTTP clients that have WebSockets."""
    import aiohttp

    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:

        async def echo(message: bytes) -> bytes | str:
            await socket.send_bytes(message)
            return await socket.receive_bytes()

        yield echo


@contextlib.asynccontextmanager
async def picows(url: str) -> AsyncIterator[Echo]:
    """Callbacks in Cython, with a future for each message put around them."""
    from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

    class Listener(WSListener):  # type: ignore[misc]
        waiting: asyncio.Future[bytes]

        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            if frame.msg_type == WSMsgType.BINARY and not self.waiting.done():
                self.waiting.set_result(frame.get_payload_as_bytes())

    transport, listener = await ws_connect(Listener, url)
    loop = asyncio.get_running_loop()

    async def echo(message: bytes) -> bytes | str:
        listener.waiting = loop.create_future()
        transport.send(WSMsgType.BINARY, message)
        got: bytes = await listener.waiting
        return got

    yield echo
    transport.disconnect()


CLIENTS: dict[str, Callable[[str], contextlib.AbstractAsyncContextManager[Echo]]] = {
    "hoopsnake": hoopsnake,
    "websockets": websockets,
    "aiohttp": aiohttp,
    "picows": picows,
}


async def loaded(line: argparse.Namespace) -> dict[str, float]:
    """Put the load on; what a message there and back cost this process, and how long it took."""
    message = b"m" * line.bytes
    waits: list[float] = []
    deadline = 0.0
    async with contextlib.AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(CLIENTS[line.client](line.url))
            for _ in range(line.at_once)
        ]

        async def warm(echo: Echo) -> None:
            for _ in range(WARM_UP):
                if len(await echo(message)) != len(message):
                    raise SystemExit("another message came back")

        async def talk(echo: Echo) -> None:
            while (begun := time.perf_counter()) < deadline:
                await echo(message)
                waits.append(time.perf_counter() - begun)

        await asyncio.gather(*map(warm, opened))
        cpu, begun = time.process_time(), time.perf_counter()
        deadline = begun + line.seconds
        await asyncio.gather(*map(talk, opened))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - begun
    return per_operation(waits, cpu, wall)


def main() -> None:
    """Read the command line, load, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--client", choices=CLIENTS, required=True)
    parser.add_argument("--loop", choices=loops.NAMES, required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--bytes", type=int, default=64)
    line = parser.parse_args()
    loop = loops.new_event_loop(line.loop)
    print(json.dumps(loop.run_until_complete(loaded(line))))


if __name__ == "__main__":
    main()
