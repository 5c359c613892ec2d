"""The server as a process of its own: for signals, exit statuses, and logging as a user has it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from wire import Wire

import hoopsnake

PACKAGES = Path(hoopsnake.__file__).parents[1]
SERVING = r"Serving on https?://127\.0\.0\.1:(\d+)"


class Program:
    """A running `hoop serve`, or a script."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.errors = ""
        self.port = 0

    async def wait_for(self, pattern: str) -> re.Match[str]:
        """Read its standard error until this is there."""
        assert self.process.stderr is not None
        while not (found := re.search(pattern, self.errors)):
            line = await self.process.stderr.readline()
            assert line, f"ended without {pattern!r}: {self.errors}"
            self.errors += line.decode()
        return found

    async def connect(self, **options: Any) -> Wire:
        return await Wire.open(("127.0.0.1", self.port), **options)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Wait for its end; return the exit status."""
        assert self.process.stderr is not None
        self.errors += (await self.process.stderr.read()).decode()
        return await self.process.wait()


@contextlib.asynccontextmanager
async def program(folder: Path, source: str, *arguments: str) -> AsyncIterator[Program]:
    """Write `program.py` and run `python` with these arguments in its folder."""
    (folder / "program.py").write_text(source)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PACKAGES)},
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    running = Program(process)
    try:
        yield running
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await running.ended()


@contextlib.asynccontextmanager
async def serving(folder: Path, source: str, *options: str) -> AsyncIterator[Program]:
    """Run `hoop serve` on the `app` of a module, until it serves."""
    async with starting(folder, source, *options) as server:
        server.port = int((await server.wait_for(SERVING))[1])
        yield server


def starting(
    folder: Path, source: str, *options: str
) -> contextlib.AbstractAsyncContextManager[Program]:
    """Run `hoop serve` on the `app` of a module, however far it comes."""
    return program(
        folder, source, "-m", "hoopsnake", "serve", "program:app", "--port", "0", *options
    )
