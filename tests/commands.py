"""Runs the `hoop` command as its user does, for the tests of its subcommands."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

# The framework's application that the commands are asked about.
SHOP = '''
"""A shop."""

from typing import Annotated

from hoopsnake.web import App, Depends, Router, WebSocket

app = App(title="shop")


def clock() -> int:
    return 1


def customer(now: Annotated[int, Depends(clock)]) -> str:
    return "somebody"


async def guard() -> None: ...


@app.get("/")
async def home() -> dict[str, str]:
    return {"hello": "shop"}


admin = Router(prefix="/admin", dependencies=[Depends(guard)])


@admin.post("/orders/{number:int}", name="order")
async def place(number: int, who: Annotated[str, Depends(customer)]) -> int:
    return number


@admin.websocket("/news")
async def news(websocket: WebSocket) -> None: ...


app.include_router(admin)
app.mount("/old", app)
'''


class Ending(NamedTuple):
    """How a command ended, and all that it said."""

    status: int
    output: str
    errors: str


def hoop(*arguments: str, cwd: Path) -> Ending:
    """Run the command to its end."""
    done = subprocess.run(
        (sys.executable, "-m", "hoopsnake", *arguments),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    return Ending(done.returncode, done.stdout, done.stderr)


@contextmanager
def serving(*arguments: str, cwd: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run a command that serves, on a free port; give its URL. At the end it is asked to stop."""
    command = (sys.executable, "-m", "hoopsnake", *arguments, "--port", "0")
    process = subprocess.Popen(command, cwd=cwd, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        said = ""
        while (found := re.search(r"Serving on (http://\S+)", said)) is None:
            line = process.stderr.readline()
            assert line, f"the server ended: {said}"
            said += line
        yield found[1], process
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
