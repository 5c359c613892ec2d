"""The applications and servers that are held to the contract of `test_frameworks.py`."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import hoopsnake

FOLDER = Path(__file__).parent
PACKAGES = Path(hoopsnake.__file__).parents[1]
ANNOUNCED = re.compile(r"(?:Serving|unning|Listening) (?:on|at):? (https?)://[\d.]+:(\d+)")
# Stands in a command for a port that the system chooses.
FREE_PORT = "<free port>"
# How long a server may take for what it was told to do.
PATIENCE = 20.0


@dataclass(frozen=True)
class Contender:
    """An application and what serves it."""

    name: str
    # The distributions that it needs.
    needs: tuple[str, ...]
    # What `python -m hoopsnake` is given.
    command: tuple[str, ...]
    websocket: bool = True
    # Whether it is told of start and end.
    lifespan: bool = True
    # Whether it knows a route by its methods too, and says 405.
    knows_methods: bool = True
    # Whether it closes a WebSocket with the code that it was given.
    passes_close_code: bool = True
    # Whether its handlers run on a loop.
    on_loop: bool = True
    # The exit status after SIGTERM.
    ends_with: int = 0
    # Whether the client speaks HTTP/2 to it, over TLS.
    tls: bool = False

    def __str__(self) -> str:
        return self.name

    def missing(self) -> str | None:
        """Say what keeps this Python from running it."""
        for name in self.needs:
            try:
                importlib.metadata.version(name)
            except importlib.metadata.PackageNotFoundError:
                return f"{name} is not installed for Python {sys.version.split()[0]}"
        return None


def served(name: str, *needs: str, module: str, **traits: bool) -> Contender:
    """An application under `hoop serve`."""
    command = ("serve", f"{module}", "--app-dir", str(FOLDER), "--port", "0")
    return Contender(name, needs, command, **traits)


def served_in_threads(name: str, *needs: str, module: str, tls: bool = False) -> Contender:
    """A WSGI application under `hoop serve`."""
    traits = {"websocket": False, "lifespan": False, "on_loop": False, "tls": tls}
    return served(name, *needs, module=module, **traits)


def server_module(name: str, *options: str, ends_with: int = 0) -> Contender:
    """Another server that runs on hoopsnake's loop, with Starlette."""
    command = ("run", "-m", name, "starlette_app:app", *options)
    return Contender(f"{name} by itself", (name, "starlette"), command, ends_with=ends_with)


# Programs that bring their own server.
OF_THEIR_OWN = [
    Contender("aiohttp.web by itself", ("aiohttp",), ("run", str(FOLDER / "aiohttp_app.py"))),
    Contender("Sanic by itself", ("sanic",), ("run", str(FOLDER / "sanic_app.py"))),
    # It raises the signal again that has stopped it.
    server_module("uvicorn", "--port", "0", "--loop", "none", ends_with=-signal.SIGTERM),
    server_module("hypercorn", "--bind", "127.0.0.1:0", "--workers", "0"),
    server_module("granian", "--interface", "asgi", "--loop", "asyncio", "--port", FREE_PORT),
]

CONTENDERS = [
    served("FastAPI", "fastapi", "python-multipart", module="fastapi_app"),
    served("Starlette", "starlette", "python-multipart", module="starlette_app"),
    served("Litestar", "litestar", module="litestar_app"),
    served("Quart", "quart", module="quart_app"),
    served("Sanic", "sanic", module="sanic_app", passes_close_code=False),
    # After a 405 Nexios answers all requests of that route with 405, whatever serves it.
    served("Nexios", "nexios", module="nexios_app", knows_methods=False),
    served("Django", "django", module="django_app", websocket=False, lifespan=False),
    served("BlackSheep", "blacksheep", module="blacksheep_app", knows_methods=False),
    served("Falcon", "falcon", module="falcon_app"),
    served("FastAPI over HTTP/2", "fastapi", "h2", module="fastapi_app", tls=True),
    served("Quart over HTTP/2", "quart", "h2", module="quart_app", tls=True),
    served(
        "Django over HTTP/2",
        "django",
        "h2",
        module="django_app",
        websocket=False,
        lifespan=False,
        tls=True,
    ),
    served_in_threads("Flask", "flask", module="flask_app"),
    served_in_threads("Flask over HTTP/2", "flask", "h2", module="flask_app", tls=True),
    served_in_threads("Bottle", "bottle", module="bottle_app"),
    served_in_threads("Django as WSGI", "django", module="django_wsgi_app"),
    served_in_threads("Falcon as WSGI", "falcon", module="falcon_wsgi_app"),
    *OF_THEIR_OWN,
]


@dataclass
class Server:
    """A contender that runs, as a process of its own."""

    contender: Contender
    process: subprocess.Popen[str]
    output: str = ""
    _more: threading.Condition = field(default_factory=threading.Condition)
    _ended: bool = False

    def follow(self) -> None:
        """Take in what it says, until it has nothing to say any more."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._more:
                self.output += line
                self._more.notify_all()
        with self._more:
            self._ended = True
            self._more.notify_all()

    def says(self, pattern: re.Pattern[str] | str) -> re.Match[str]:
        """Wait until its output has this."""
        with self._more:
            self._more.wait_for(lambda: self._ended or re.search(pattern, self.output), PATIENCE)
            found = re.search(pattern, self.output)
        assert found, f"{self.contender} did not say {pattern!r}:\n{self.output}"
        return found

    def stop(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def ended(self) -> int:
        """Wait for its end; return the exit status."""
        status = self.process.wait(PATIENCE)
        with self._more:
            assert self._more.wait_for(lambda: self._ended, PATIENCE)
        return status

    @functools.cached_property
    def url(self) -> str:
        """Where it serves; not all have begun to listen when they say so."""
        scheme, port = self.says(ANNOUNCED).groups()
        while not _listens(int(port)):
            assert self.process.poll() is None, self.output
        return f"{scheme}://127.0.0.1:{port}"


@contextlib.contextmanager
def running(contender: Contender, *options: str) -> Iterator[Server]:
    """Run a contender until the end of the block; it may have ended before."""
    command = [_free_port() if each is FREE_PORT else each for each in contender.command]
    process = subprocess.Popen(
        [sys.executable, "-m", "hoopsnake", *command, *options],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(PACKAGES), str(FOLDER)])},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    server = Server(contender, process)
    reader = threading.Thread(target=server.follow)
    reader.start()
    try:
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # and what it has started
        process.wait()
        reader.join()
        assert process.stdout is not None
        process.stdout.close()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
    except ConnectionRefusedError:
        return False
    return True


def _free_port() -> str:
    """Ask the system for a port, for servers that do not say which one they got."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])
