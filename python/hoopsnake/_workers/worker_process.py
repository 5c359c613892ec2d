"""A worker as its supervisor sees it: started, heard, asked, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from hoopsnake._workers import messages
from hoopsnake._workers.channel import Channel
from hoopsnake._workers.worker import STACK_SIGNAL, Assignment

__all__ = ["WorkerFailed", "WorkerProcess"]

# What a worker does first: its modules are those that the supervisor would import, and nothing that
# lies in the current folder takes their place (-P). An application that looks at the command's
# arguments finds them, as it does without workers.
_BOOTSTRAP = (
    "import json, sys; given = sys.argv[2:]; sys.path[:], sys.argv[:] = json.loads(sys.argv[1]); "
    "from hoopsnake._workers.worker import main; sys.exit(main(given))"
)
# Of the service manager: it hears of the supervisor alone.
_NOT_PASSED_ON = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")
# Seconds that a signal for stacks may take, and the silence after which they are all there.
_STACK_PATIENCE = 1.0
_STACK_PAUSE = 0.1
# Bytes of stacks that are kept.
_LONGEST_STACKS = 64 * 1024


class WorkerFailed(Exception):
    """A worker ended before it was ready; the text says why, for the user."""

    def __init__(self, worker: str, how: str, text: str, status: int) -> None:
        super().__init__(text or f"{worker} {how}")
        self.how = how
        self.text = text
        self.status = status


class WorkerProcess:
    """One process; `name` tells it from others in the log."""

    def __init__(
        self,
        number: int,
        process: asyncio.subprocess.Process,
        channel: Channel,
        stacks: tuple[asyncio.StreamReader, asyncio.ReadTransport],
    ) -> None:
        loop = asyncio.get_running_loop()
        self.number = number
        """That of its place, which others had before it."""
        self.name = f"Worker {number} (process {process.pid})"
        self.ready: asyncio.Future[None] = loop.create_future()
        """Done once it accepts connections; WorkerFailed if it ends before."""
        self.leaving = asyncio.Event()
        """It stops, whoever asked for it, or has ended."""
        self.last_words = ""
        """What it said as it failed."""
        self.statistics = messages.Heartbeat(0, 0, 0, 0)
        self.heard_at = loop.time()
        self.ready_at = loop.time()
        self._loop = loop
        self._process = process
        self._channel = channel
        self._stacks, self._stacks_pipe = stacks
        self._hears = False
        self._news: asyncio.Future[None] = loop.create_future()
        self._status = 0
        self._numbers = itertools.count(1)
        self._questions: dict[int, asyncio.Future[Any]] = {}
        self._listening = loop.create_task(self._listen())
        self.ended = loop.create_task(self._until_ended())
        """Done once the process has ended and been heard to the end."""

    @classmethod
    async def start(
        cls, number: int, assignment: Assignment, path: Sequence[str], descriptors: Sequence[int]
    ) -> WorkerProcess:
        """Start a fresh interpreter that inherits these descriptors and has this `sys.path`."""
        content = pickle.dumps(assignment)
        with contextlib.ExitStack() as on_failure:
            ours, its = socket.socketpair()
            unowned = on_failure.enter_context(contextlib.ExitStack())
            unowned.callback(ours.close)
            with its:
                read, write = os.pipe()
                stacks = os.fdopen(read, "rb", 0)
                on_failure.callback(stacks.close)
                try:
                    process = await asyncio.create_subprocess_exec(
                        sys.executable,
                        *_interpreter_flags(),
                        *("-P", "-c", _BOOTSTRAP, json.dumps((list(path), sys.argv))),
                        *(str(its.fileno()), str(len(content)), str(write)),
                        pass_fds=(its.fileno(), write, *descriptors),
                        env={k: v for k, v in os.environ.items() if k not in _NOT_PASSED_ON},
                    )
                finally:
                    os.close(write)
            on_failure.callback(_kill, process)
            # It fits into the socket's buffer; a worker that has died already is found out later.
            with contextlib.suppress(ConnectionError):
                ours.sendall(content)
            channel = await Channel.over(ours)
            # It closes the socket from here on.
            unowned.pop_all()
            on_failure.callback(channel.close)
            worker = cls(number, process, channel, await _reader_of(stacks))
            on_failure.pop_all()
        return worker

    @property
    def how_it_ended(self) -> str:
        """Say how the process ended: with which status, or of which signal."""
        status = self._process.returncode
        if status is None or status >= 0:
            return f"ended with status {status}"
        try:
            return f"was ended by {signal.Signals(-status).name}"
        except ValueError:
            return f"was ended by signal {-status}"

    @property
    def ended_well(self) -> bool:
        """Whether the process has ended with status 0."""
        return self._process.returncode == 0

    @property
    def served(self) -> float:
        """For how many seconds it has been ready."""
        return self._loop.time() - self.ready_at if self._was_ready else 0.0

    @property
    def _was_ready(self) -> bool:
        return self.ready.done() and not self.ready.cancelled() and not self.ready.exception()

    @property
    def silence(self) -> float:
        """For how many seconds it has given no sign of life."""
        return self._loop.time() - self.heard_at

    async def next_news(self) -> None:
        """Wait until it gives a sign of life, or ends."""
        await asyncio.wait([self._news])

    def _tell_news(self) -> None:
        self._news.set_result(None)
        self._news = self._loop.create_future()

    def stop(self, *, at_once: bool = False, linger: float = 0.0) -> None:
        """Ask it to stop."""
        self._channel.send(messages.Stop(at_once, linger))
        if not self._hears:
            # It still imports its application: nothing is served, and nothing else would end it.
            self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it without asking."""
        self._signal(signal.SIGKILL)

    async def ask(self, question: str, patience: float = 1.0) -> Any:
        """Return its answer to a question, None if it has none or is silent for `patience` s."""
        number = next(self._numbers)
        answer = self._questions[number] = self._loop.create_future()
        try:
            self._channel.send(messages.Question(number, question))
            async with asyncio.timeout(patience):
                return await answer
        except TimeoutError:
            return None
        finally:
            del self._questions[number]

    async def stacks(self) -> str:
        """Return what its threads are at, however busy they are."""
        if not self._hears and not _catches(self._process.pid, STACK_SIGNAL):
            # Its interpreter has not come so far, and would end.
            return ""
        self._signal(STACK_SIGNAL)
        text = b""
        with contextlib.suppress(TimeoutError):
            while len(text) < _LONGEST_STACKS:
                async with asyncio.timeout(_STACK_PAUSE if text else _STACK_PATIENCE):
                    piece = await self._stacks.read(_LONGEST_STACKS)
                if not piece:
                    break
                text += piece
        return text.decode(errors="replace").rstrip()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def _listen(self) -> None:
        async for message in self._channel.messages():
            self.heard_at = self._loop.time()
            self._heed(message)
            self._tell_news()

    def _heed(self, message: messages.Message) -> None:
        match message:
            case messages.Started():
                self._hears = True
            case messages.Ready():
                self.ready_at = self._loop.time()
                if not self.ready.done():
                    self.ready.set_result(None)
            case messages.Heartbeat():
                self.statistics = message
            case messages.Stopping():
                self.leaving.set()
            case messages.Failed():
                self.last_words, self._status = message.text, message.status
            case messages.Answer():
                asked = self._questions.get(message.number)
                if asked is not None and not asked.done():
                    asked.set_result(message.value)

    async def _until_ended(self) -> None:
        status = await self._process.wait()
        # What it said before it ended is still to be read. A process that it started may hold the
        # other end, so there might be no end to read to.
        await asyncio.wait([self._listening], timeout=_STACK_PATIENCE)
        self._listening.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STACK_PAUSE):
                crash = (await self._stacks.read(_LONGEST_STACKS)).decode(errors="replace")
                self.last_words = self.last_words or crash.rstrip()
        self._channel.close()
        self._stacks_pipe.close()
        if not self.ready.done():
            failure = WorkerFailed(
                self.name, self.how_it_ended, self.last_words, self._status or int(status != 0)
            )
            self.ready.set_exception(failure)
            # Whoever waits for it gets it; it is no loss if nobody does any more.
            self.ready.exception()
        self.leaving.set()
        self._tell_news()


def _interpreter_flags() -> list[str]:
    # The options of this interpreter, as multiprocessing passes them on; typeshed leaves it out.
    flags: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return flags


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()


def _catches(process: int, number: int) -> bool:
    """Whether a process handles a signal (proc(5), `SigCgt`): others it might die of."""
    try:
        with open(f"/proc/{process}/status", "rb") as file:
            caught = next(line.split()[1] for line in file if line.startswith(b"SigCgt:"))
    except (OSError, StopIteration):
        return False
    return bool(int(caught, 16) >> (number - 1) & 1)


async def _reader_of(file: Any) -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    pipe, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), file)
    return reader, pipe
