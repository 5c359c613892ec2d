"""Starts a server with the showcase, waits until it answers, and sees how it ends."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
# A command in the shell's words with {port} in it, to try the app on another server.
OVERRIDE = os.environ.get("HOOPSNAKE_SHOWCASE_SERVER", "")

START_SECONDS = 30
STOP_SECONDS = 15


def command(port: int, package: str) -> list[str]:
    """How to start the server on this port."""
    if OVERRIDE:
        return shlex.split(OVERRIDE.format(port=port))
    hoop = [sys.executable, "-m", "hoopsnake", "serve", f"examples.{package}.app:app"]
    return [*hoop, "--port", str(port), "--graceful-timeout", "0.5"]


def free_port() -> int:
    """A port that nobody had a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Showcase:
    """The showcase on a port of its own. What the server prints goes to files in `folder`."""

    def __init__(self, folder: Path, package: str = "showcase") -> None:
        self.package = package
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._errors = folder / "stderr"
        with open(folder / "stdout", "wb") as output, open(self._errors, "wb") as errors:
            self._process = subprocess.Popen(
                command(self.port, package),
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
            )
        try:
            self._wait_until_it_accepts()
        except BaseException:
            self.kill()
            raise

    def _wait_until_it_accepts(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)  # A process that is starting has no event to wait for.
            else:
                return
        raise AssertionError(
            f"the server did not start, status {self._process.poll()}: {self.errors}"
        )

    @property
    def errors(self) -> str:
        """All that the server has written to its standard error."""
        return self._errors.read_text(errors="replace")

    @property
    def memory(self) -> int:
        """The most memory that the server has held so far, in bytes."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) * 1024

    def stop(self) -> float:
        """End the server as Ctrl-C does, check that it went quietly, and say how long it took."""
        began = time.monotonic()
        self._process.send_signal(signal.SIGINT)
        try:
            status = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"Ctrl-C did not end the server: {self.errors}") from None
        took = time.monotonic() - began
        assert status == 0, f"the server ended with {status}: {self.errors}"
        assert "Traceback" not in self.errors, self.errors
        return took

    def kill(self) -> None:
        """End the server whatever it thinks of that; no more than a wait where it has ended."""
        self._process.kill()
        self._process.wait()
