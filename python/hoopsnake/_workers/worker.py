"""A worker process: it serves on sockets that it inherited, until its supervisor says otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import logging
import os
import pickle
import signal
import socket
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hoopsnake._collector import relieve
from hoopsnake._errors import ServerError
from hoopsnake._event_loop import EventLoop, run
from hoopsnake._import_string import ImportStringError, load_app
from hoopsnake._journal import Journal, configure_logging
from hoopsnake._native import Server
from hoopsnake._own_frames import without_leading_machinery
from hoopsnake._server import serve_attended
from hoopsnake._server_config import ServerConfig
from hoopsnake._stop import Stop
from hoopsnake._workers import messages
from hoopsnake._workers.channel import Channel
from hoopsnake._workers.questions import ANSWERS, statistics
from hoopsnake._wsgi.interface import is_wsgi

__all__ = ["HEARTBEAT", "STACK_SIGNAL", "Assignment", "main"]

HEARTBEAT = 1.0
"""Seconds between two signs of life."""

STACK_SIGNAL = signal.SIGRTMAX - 5
"""Has a worker write the stacks of its threads, whatever they are at. An application may have a use
for SIGUSR1 and SIGUSR2."""

# Bytes of what a worker says as it fails, and seconds for it to go out.
_LAST_WORDS = 60_000
_LAST_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a worker is to serve."""

    application: str
    """Its import string."""
    factory: bool
    """Whether that is a function that makes the application."""
    app_dir: str
    """Where modules are looked for first."""
    config: ServerConfig
    """How it is served; where, are descriptors that the worker has inherited."""
    gc_threshold: int = 0
    """New objects after which Python looks for cyclic garbage; 0 leaves its collector alone."""
    development: bool = False
    """Whether clients are shown what fails in it: `hoop dev` alone says so."""


def main(arguments: Sequence[str]) -> int:
    """Run a worker, and return its exit status.

    `arguments` are the number of its socket to the supervisor, the length of the assignment that
    is read from there first, and the number of the pipe for stacks.
    """
    control, length, stacks = map(int, arguments)
    for number in (control, stacks):
        os.set_inheritable(number, False)
    faulthandler.enable(stacks)
    faulthandler.register(STACK_SIGNAL, stacks)
    # Ctrl-C and the end of a terminal reach every process of it; they are the supervisor's to pass
    # on. Not SIG_IGN: programs that the application starts would inherit that.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    with socket.socket(fileno=control) as supervisor:
        content = supervisor.recv(length, socket.MSG_WAITALL)
        if len(content) < length:
            # The supervisor has gone already.
            return 0
        assignment: Assignment = pickle.loads(content)
        with supervisor.dup() as last_words:
            return _serve(assignment, supervisor, last_words)


def _serve(assignment: Assignment, supervisor: socket.socket, last_words: socket.socket) -> int:
    status = 0
    text = ""
    try:
        sys.path.insert(0, os.path.abspath(assignment.app_dir))
        application = load_app(assignment.application, factory=assignment.factory)
        relieve(assignment.gc_threshold)
        if assignment.development:
            application = _shown_failing(application, assignment.config)
        run(_attended(application, assignment.config, supervisor))
    except ImportStringError as error:
        status, text = 2, f"hoop: error: {error}"
    except ServerError as error:
        status, text = 1, f"hoop: error: {error}"
    except SystemExit as error:
        status, text = _status_of(error)
    except BaseException as error:
        own = error.with_traceback(without_leading_machinery(error.__traceback__))
        status, text = 1, "".join(traceback.format_exception(own)).rstrip()
    if status:
        # The loop has made the socket one that does not wait; its duplicate is the same in that.
        last_words.settimeout(_LAST_PATIENCE)
        with contextlib.suppress(OSError):
            last_words.sendall(_failed(text, status))
    return status


def _shown_failing(application: Any, config: ServerConfig) -> Any:
    if is_wsgi(application, config.interface):
        return application
    from hoopsnake._development.stand_in import WithErrorPage

    return WithErrorPage(application)


def _failed(text: str, status: int) -> bytes:
    """Write why a worker fails, as much of the end of it as may be said."""
    text = text[-_LAST_WORDS:]
    while True:
        line = messages.encode(messages.Failed(text, status))
        excess = len(line) - _LAST_WORDS
        if excess <= 0:
            return line
        # A character takes twelve bytes at the most, as a pair of surrogates.
        text = text[excess // 12 + 1 :]


def _status_of(error: SystemExit) -> tuple[int, str]:
    """Read a `sys.exit()` as the interpreter does."""
    if error.code is None or isinstance(error.code, int):
        return error.code or 0, ""
    return 1, str(error.code)


async def _attended(application: Any, config: ServerConfig, supervisor: socket.socket) -> None:
    configure_logging(config.log_level, config.log_format)
    journal = Journal()
    channel = await Channel.over(supervisor)
    try:
        await serve_attended(application, config, journal, _Supervised(channel))
    finally:
        channel.close()


class _Supervised:
    """The attendant of a worker's server: it tells the supervisor, and heeds it."""

    has_peers = True

    def __init__(self, channel: Channel) -> None:
        self.stop = Stop()
        self._channel = channel

    @contextlib.contextmanager
    def attend(self, loop: EventLoop, server: Server, config: ServerConfig) -> Iterator[None]:
        """Listen to the supervisor, and send it signs of life."""
        # Whoever stops a whole group of processes stops this one too; once is as good as twice.
        loop.add_signal_handler(signal.SIGTERM, self.stop.asked.set)
        self._channel.send(messages.Started())
        listening = loop.create_task(self._listen(server))
        beating = loop.create_task(self._beat(server))
        try:
            yield
        finally:
            listening.cancel()
            beating.cancel()
            loop.remove_signal_handler(signal.SIGTERM)

    def serving(self, addresses: Sequence[str]) -> None:
        """Tell the supervisor, who tells its user."""
        self._channel.send(messages.Ready())

    def stopping(self) -> None:
        """Tell the supervisor, who may not have asked for it."""
        self._channel.send(messages.Stopping())

    def stopped(self) -> None:
        """Say nothing: the supervisor sees the process end."""

    async def _beat(self, server: Server) -> None:
        while True:
            self._channel.send(statistics(server))
            await asyncio.sleep(HEARTBEAT)

    async def _listen(self, server: Server) -> None:
        async for message in self._channel.messages():
            if isinstance(message, messages.Stop):
                self.stop.linger = message.linger
                self.stop.asked.set()
                if message.at_once:
                    self.stop.at_once.set()
            elif isinstance(message, messages.Question):
                self._channel.send(messages.Answer(message.number, _answer(message.name, server)))
        # The supervisor has gone, and nobody would ever stop this process.
        self.stop.asked.set()


def _answer(name: str, server: Server) -> Any:
    try:
        return ANSWERS[name](server) if name in ANSWERS else None
    except Exception:
        # Whoever asks gets no answer; the worker must go on to hear what it is told.
        logging.getLogger("hoopsnake.error").exception("Cannot answer the question %r", name)
        return None
