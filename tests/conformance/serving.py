"""A server as a process of its own, for judges that connect to it from outside."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hoopsnake

PACKAGES = Path(hoopsnake.__file__).parents[1]


@contextlib.contextmanager
def serving(application: str, folder: Path, said: Path, *options: str) -> Iterator[int]:
    """Run `hoop serve` on an application found in `folder`; the value is its port.

    What it says goes into the file `said`. In the end it must stop in order, and no application may
    have failed.
    """
    arguments = ["serve", application, "--port", "0", "--lifespan", "off", *options]
    with said.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "hoopsnake", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(PACKAGES)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
    assert process.stdout is not None
    try:
        yield _port(process, said)
        process.send_signal(signal.SIGINT)
        # Its standard output is nothing but a sign that it has ended.
        process.stdout.read()
        assert process.wait() == 0, said.read_text()
        assert "Traceback" not in said.read_text() and "panicked" not in said.read_text()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _port(process: subprocess.Popen[bytes], said: Path) -> int:
    while (found := re.search(r"Serving on http://127\.0\.0\.1:(\d+)", said.read_text())) is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            # Until it says so, or ends.
            process.wait(0.02)
            raise AssertionError(said.read_text())
    return int(found[1])
