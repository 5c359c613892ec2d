"""Tells the service manager, systemd or its like, how the server fares (sd_notify(3))."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Mapping

__all__ = ["ServiceManager"]


class ServiceManager:
    """Sends states to the socket that NOTIFY_SOCKET names; without it, to nobody.

    A manager that cannot be reached is no reason to fail: what is sent to it is lost.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._watchdog = _watchdog_interval(environment)
        self._ticking: asyncio.TimerHandle | None = None
        # Opened for the first state, and kept: a sign of life is due most when there are no more
        # descriptors to be had.
        self._socket: socket.socket | None = None

    def ready(self) -> None:
        """The server accepts connections, for the first time or again after a reload."""
        self._send("READY=1")
        if self._watchdog is not None and self._ticking is None:
            self._tick(asyncio.get_running_loop(), self._watchdog)

    def reloading(self) -> None:
        """A reload has begun; `ready` says when it is over."""
        # Type=notify-reload compares the time with that of its own signal.
        self._send(
            f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}"
        )

    def stopping(self) -> None:
        """The server has begun to stop."""
        self._send("STOPPING=1")

    def close(self) -> None:
        """Send nothing more."""
        self._address = ""
        self._watchdog = None
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tick(self, loop: asyncio.AbstractEventLoop, interval: float) -> None:
        # First of all, so that no fault of one sign of life is the end of them.
        self._ticking = loop.call_later(interval, self._tick, loop, interval)
        self._send("WATCHDOG=1")

    def _send(self, state: str) -> None:
        if not self._address.startswith(("/", "@")):
            return
        # An abstract name begins with a zero byte, which no variable can hold.
        address = self._address.encode(errors="surrogateescape")
        address = b"\0" + address[1:] if address.startswith(b"@") else address
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.setblocking(False)
            self._socket.sendto(state.encode(), address)
        except OSError:
            pass


def _watchdog_interval(environment: Mapping[str, str]) -> float | None:
    """How often to send a sign of life, in seconds: twice in the time that the manager gives."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        microseconds = int(environment.get("WATCHDOG_USEC", ""))
    except ValueError:
        return None
    return microseconds / 2_000_000 if microseconds > 0 else None
