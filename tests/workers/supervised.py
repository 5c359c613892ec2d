"""`hoop serve` with worker processes, as a process of its own, and clients that load it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import hoopsnake

PACKAGES = Path(hoopsnake.__file__).parents[1]

# Answers with the number of its process, and does what a path says.
APP = """
import asyncio, faulthandler, os, sys, time

hoard = []

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    match scope["path"].split("/")[1:]:
        case ["exit", status]:
            sys.exit(int(status))
        case ["crash"]:
            faulthandler._sigsegv()
        case ["sleep", seconds]:
            await asyncio.sleep(float(seconds))
        case ["block", seconds]:
            time.sleep(float(seconds))
        case ["hoard", size]:
            hoard.append(b"x" * int(size))
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"%d" % os.getpid()})
"""

SERVING = r"Serving on https?://127\.0\.0\.1:(\d+) "


class Supervised:
    """A running command."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.log = ""
        self.port = 0
        self._news = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stderr is not None
        while piece := await self.process.stderr.read(4096):
            self.log += piece.decode()
            self._news.set()
        self._news.set()

    async def wait_for(self, pattern: str, times: int = 1) -> re.Match[str]:
        """Wait until the log has this, so many times; return the last of them."""
        while len(found := list(re.finditer(pattern, self.log))) < times:
            assert not self._reading.done(), f"ended without {pattern!r}: {self.log}"
            self._news.clear()
            await self._news.wait()
        return found[times - 1]

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    async def get(self, path: str = "/") -> str:
        """Send one GET over a connection of its own; return the body."""
        async with Client(self.port) as client:
            return await client.get(path)

    async def worker(self) -> int:
        """Ask for the number of a worker's process."""
        return int(await self.get())

    async def ended(self) -> int:
        """Wait for its end; return the exit status."""
        status = await self.process.wait()
        await self._reading
        return status


class Client:
    """One connection that is kept."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._streams is not None:
            self._streams[1].close()

    async def get(self, path: str = "/") -> str:
        """Send a request and return its body; raises if there is no whole answer of 200.

        A kept connection that ends before the answer begins has crossed with the request: that is
        sent again over a new one, as any client does (RFC 9112 section 9.3.1).
        """
        if self._streams is not None:
            kept = self._streams[1]
            try:
                return await self._exchange(path)
            except (asyncio.IncompleteReadError, ConnectionError) as error:
                if getattr(error, "partial", b""):
                    raise
                kept.close()
        self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        return await self._exchange(path)

    async def _exchange(self, path: str) -> str:
        assert self._streams is not None
        reader, writer = self._streams
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        assert head.startswith("http/1.1 200 "), head
        length = re.search(r"content-length: (\d+)", head)
        assert length is not None, head
        try:
            body = (await reader.readexactly(int(length[1]))).decode()
        except asyncio.IncompleteReadError as error:
            raise AssertionError(f"an answer was cut off: {head}{error.partial!r}") from error
        if "connection: close" in head:
            writer.close()
            self._streams = None
        return body


@dataclass
class Load:
    """What came of requests that were sent all the while."""

    clients: int
    answers: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    more: asyncio.Event = field(default_factory=asyncio.Event)

    async def answered_by(self, count: int) -> None:
        """Wait until so many processes have answered."""
        while len(set(self.answers)) < count:
            self.more.clear()
            await self.more.wait()


@contextlib.asynccontextmanager
async def load(server: Supervised, clients: int = 6) -> AsyncIterator[Load]:
    """Send requests all the while: half of the clients keep their connections."""
    result = Load(clients)

    async def ask(keep: bool) -> None:
        while True:
            async with Client(server.port) as client:
                try:
                    while True:
                        result.answers.append(await client.get())
                        result.more.set()
                        await asyncio.sleep(0.002)
                        if not keep:
                            break
                except (OSError, EOFError, AssertionError) as error:
                    result.failures.append(repr(error))

    tasks = [asyncio.create_task(ask(number % 2 == 0)) for number in range(clients)]
    try:
        yield result
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@contextlib.asynccontextmanager
async def starting(
    folder: Path, *options: str, source: str = APP, environment: dict[str, str] | None = None
) -> AsyncIterator[Supervised]:
    """Run `hoop serve` on the `app` of a module in this folder, however far it comes."""
    write(folder, source)
    arguments = ["-m", "hoopsnake", "serve", "web:app", "--port", "0", *options]
    async with running(folder, arguments, environment) as server:
        yield server


@contextlib.asynccontextmanager
async def serving(
    folder: Path, *options: str, source: str = APP, environment: dict[str, str] | None = None
) -> AsyncIterator[Supervised]:
    """The same, until it serves."""
    async with starting(folder, *options, source=source, environment=environment) as server:
        server.port = int((await server.wait_for(SERVING))[1])
        yield server


@contextlib.asynccontextmanager
async def running(
    folder: Path,
    arguments: Sequence[str],
    environment: dict[str, str] | None = None,
    descriptors: Sequence[int] = (),
) -> AsyncIterator[Supervised]:
    """Run python with these arguments in a folder; end it, and all that it has started."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PACKAGES), **(environment or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        # A group of its own, so that whatever happens all of it can be ended.
        start_new_session=True,
        pass_fds=descriptors,
    )
    server = Supervised(process)
    try:
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await server.ended()


def write(folder: Path, source: str, name: str = "web.py") -> None:
    """Write a module, as a whole, at a time that differs from before."""
    path = folder / name
    new = folder / f".{name}.new"
    new.write_text(source)
    # Its bytecode must not pass for that of the module before it: that knows whole seconds alone.
    stamp = (path.stat().st_mtime_ns if path.exists() else 10**18) + 2 * 10**9
    os.utime(new, ns=(stamp, stamp))
    new.replace(path)


async def gone(process: int) -> None:
    """Wait until a process that is not our child has ended."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(process)
        try:
            loop = asyncio.get_running_loop()
            ended = asyncio.Event()
            loop.add_reader(descriptor, ended.set)
            await ended.wait()
            loop.remove_reader(descriptor)
        finally:
            os.close(descriptor)
