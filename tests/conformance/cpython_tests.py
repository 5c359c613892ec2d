"""Processes that run CPython's asyncio tests, one test after the other, and outlive none of ours."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

CHILD = Path(__file__).with_name("cpython_tests_child.py")
LIMIT_SECONDS = 20.0
# The child ends itself when a test hangs; this much later it is ended from here.
GRACE_SECONDS = 5.0
LISTING_SECONDS = 60.0


@dataclass(frozen=True)
class Outcome:
    """What became of one test: "passed", "skipped" or "failed", and what there is to tell."""

    outcome: str
    told: str
    seconds: float


def has_cpython_tests() -> bool:
    """Whether this interpreter brings CPython's own tests; packages of some systems do not."""
    look = "import test.test_asyncio.utils"
    return subprocess.run([sys.executable, "-c", look], capture_output=True).returncode == 0


def list_tests(loop: str) -> list[str]:
    """The names of all tests, as `module.Class.test`."""
    listed = subprocess.run(
        [sys.executable, str(CHILD), "--loop", loop, "--list"],
        capture_output=True,
        text=True,
        timeout=LISTING_SECONDS,
    )
    if listed.returncode != 0:
        raise RuntimeError(f"the tests could not be listed:\n{listed.stderr}")
    return listed.stdout.splitlines()


class CpythonTests:
    """Runs tests in a process that is replaced when a test hangs in it or ends it."""

    def __init__(self, loop: str, folder: Path) -> None:
        self._command = [sys.executable, str(CHILD), "--loop", loop, "--limit", str(LIMIT_SECONDS)]
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self._answers: IO[str] | None = None

    def run(self, name: str) -> Outcome:
        """Run one test and wait for what becomes of it."""
        process = self._process or self._start()
        printed_before = self._log.stat().st_size
        begun = time.perf_counter()
        assert process.stdin is not None
        try:
            process.stdin.write(name + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            pass
        answer = self._answer()
        if answer:
            told = json.loads(answer)
            return Outcome(told["outcome"], told["told"], told["seconds"])
        self._wait_for_its_own_end()
        end = self._kill()
        with self._log.open(errors="replace") as log:
            log.seek(printed_before)
            printed = log.read()
        told = f"the process ended ({end}) in this test; it printed:\n{printed}"
        return Outcome("failed", told, time.perf_counter() - begun)

    def close(self) -> str | None:
        """End the process; return what is wrong with how it ended, if anything is."""
        if self._process is None:
            return None
        process = self._process
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill()
            return f"the process still ran {LIMIT_SECONDS} s after its last test"
        end = self._kill()
        return None if end == 0 else f"the process ended ({end}): {self._log.read_text()}"

    @property
    def _log(self) -> Path:
        return self._folder / "printed.txt"

    def _start(self) -> subprocess.Popen[str]:
        reading, writing = os.pipe()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command, "--serve", str(writing)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                text=True,
                cwd=self._folder,
                pass_fds=[writing],
                # What the tests start and forget ends together with it.
                start_new_session=True,
            )
        os.close(writing)
        self._answers = os.fdopen(reading)
        return self._process

    def _answer(self) -> str:
        """The next line of the process; empty when it ended or took too long."""
        assert self._answers is not None
        ready, _, _ = select.select([self._answers], [], [], LIMIT_SECONDS + GRACE_SECONDS)
        return self._answers.readline() if ready else ""

    def _wait_for_its_own_end(self) -> None:
        """Give a process that closed its answers the time to die, so that its status is its own."""
        assert self._process is not None
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            pass

    def _kill(self) -> int:
        """End the process and all that it started; return its exit status."""
        assert self._process is not None and self._answers is not None
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        status = self._process.wait()
        self._answers.close()
        self._process = None
        return status
