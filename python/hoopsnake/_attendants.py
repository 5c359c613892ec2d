"""Who is told how a server fares: a process that serves by itself tells its user and systemd."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator, Sequence
from typing import Protocol

from hoopsnake._event_loop import EventLoop
from hoopsnake._journal import Journal
from hoopsnake._native import Server
from hoopsnake._server_config import ServerConfig
from hoopsnake._service_manager import ServiceManager
from hoopsnake._stop import Stop, in_main_thread

__all__ = ["Attendant", "LoneProcess"]


class Attendant(Protocol):
    """Stands by a server from its beginning to its end."""

    stop: Stop
    """Where it is asked to stop."""
    has_peers: bool
    """Whether other processes may serve the same application."""

    def attend(
        self, loop: EventLoop, server: Server, config: ServerConfig
    ) -> contextlib.AbstractContextManager[None]:
        """Stand by while the server starts, serves and stops."""
        ...

    def serving(self, addresses: Sequence[str]) -> None:
        """The application has started, and connections are accepted."""

    def stopping(self) -> None:
        """A stop was asked for; no more connections are accepted."""

    def stopped(self) -> None:
        """All is done."""


class LoneProcess:
    """The attendant of a server that is not a worker: it takes the process's signals."""

    has_peers = False

    def __init__(self, journal: Journal) -> None:
        self.stop = Stop()
        self._journal = journal
        self._manager = ServiceManager()
        self._serves = False

    @contextlib.contextmanager
    def attend(self, loop: EventLoop, server: Server, config: ServerConfig) -> Iterator[None]:
        """Listen to SIGINT, SIGTERM and SIGHUP."""
        try:
            with self.stop.on_signals(loop), self._renewing(loop, server, config):
                yield
        finally:
            self._manager.close()

    def serving(self, addresses: Sequence[str]) -> None:
        """Tell the log and the service manager."""
        self._journal.serving(addresses)
        self._manager.ready()
        self._serves = True

    def stopping(self) -> None:
        """Tell the service manager; the log hears of it if anything is left to wait for."""
        self._manager.stopping()

    def stopped(self) -> None:
        """Tell the log."""
        self._journal.stopped()

    @contextlib.contextmanager
    def _renewing(self, loop: EventLoop, server: Server, config: ServerConfig) -> Iterator[None]:
        """Let SIGHUP read the TLS files again, unless somebody else handles it.

        Where there are none the signal is no reason to end: it asks for a reload.
        """
        unwanted = not in_main_thread() or signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL
        if unwanted:
            yield
            return
        loop.add_signal_handler(signal.SIGHUP, self._renew, server, config)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGHUP)

    def _renew(self, server: Server, config: ServerConfig) -> None:
        # A service that still starts, or stops, is not to be called ready.
        tells = self._serves and not self.stop.asked.is_set()
        if tells:
            self._manager.reloading()
        if config.ssl_certfile is None:
            self._journal.nothing_to_renew()
        else:
            server.renew_certificates()
        if tells:
            self._manager.ready()
