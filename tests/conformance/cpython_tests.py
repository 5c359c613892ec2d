"""Processes that run CPython's asyncio tests: one a class, and a new one after one that died."""

from __future__ import annotations

import importlib.util
import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO

PROGRAM = Path(__file__).with_name("cpython_tests_program.py")
PACKAGE = "test.test_asyncio"
LIMIT_SECONDS = 20.0
# A process ends itself when a test takes too long; so much later it is ended from here.
GRACE_SECONDS = 5.0
LISTING_SECONDS = 60.0


@dataclass(frozen=True)
class Outcome:
    """What became of one test: "passed", "skipped" or "failed", and what there is to tell."""

    outcome: str
    told: str


def has_cpython_tests() -> bool:
    """Whether this interpreter brings CPython's own tests; the packages of some systems do not."""
    found = importlib.util.find_spec("test")
    folders = found.submodule_search_locations if found is not None else None
    return any(Path(folder, "test_asyncio", "utils.py").exists() for folder in folders or ())


def list_tests(loop: str) -> list[str]:
    """The names of all tests, as `module.Class.test`."""
    listed = subprocess.run(
        [sys.executable, str(PROGRAM), "--loop", loop, "--list"],
        capture_output=True,
        text=True,
        timeout=LISTING_SECONDS,
    )
    if listed.returncode != 0:
        raise RuntimeError(f"the tests could not be listed:\n{listed.stderr}")
    return listed.stdout.splitlines()


class CpythonTests:
    """Runs tests by name; those of a class that follow each other share a process."""

    def __init__(
        self,
        loop: str,
        folder: Path,
        *,
        package: str = PACKAGE,
        limit_seconds: float = LIMIT_SECONDS,
    ) -> None:
        self.bad_ends: list[str] = []
        self._limit_seconds = limit_seconds
        self._command = [sys.executable, str(PROGRAM), "--loop", loop, "--package", package]
        self._command += ["--limit", str(limit_seconds)]
        self._folder = folder
        self._class = ""
        self._process: subprocess.Popen[str] | None = None
        self._answers: IO[str] | None = None

    def run(self, name: str) -> Outcome:
        """Run one test and wait for what becomes of it."""
        its_class = name.rpartition(".")[0]
        if its_class != self._class:
            self.close()
            self._class = its_class
        process = self._process or self._start()
        printed_before = self._log.stat().st_size
        assert process.stdin is not None
        try:
            process.stdin.write(name + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            pass  # it died after the last test: there will be no answer
        answer = self._answer()
        if answer:
            told = json.loads(answer)
            return Outcome(told["outcome"], told["told"])
        end = self._end(GRACE_SECONDS)
        with self._log.open(errors="replace") as log:
            log.seek(printed_before)
            return Outcome("failed", f"the process ended ({end}); it printed:\n{log.read()}")

    def close(self) -> None:
        """End the process, if there is one; a bad end is kept in `bad_ends`."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        end = self._end(self._limit_seconds)
        if end != 0:
            printed = self._log.read_text(errors="replace")
            self.bad_ends.append(f"after {self._class} the process ended ({end}):\n{printed}")

    @property
    def _log(self) -> Path:
        return self._folder / f"{self._class}.log"

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
        longest = self._limit_seconds + GRACE_SECONDS
        ready, _, _ = select.select([self._answers], [], [], longest)
        return self._answers.readline() if ready else ""

    def _end(self, patience_seconds: float) -> int:
        """Let the process end by itself, or kill it; with it goes all that it started."""
        assert self._process is not None and self._answers is not None
        try:
            status = self._process.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            status = None
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        if status is None:
            status = self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._answers.close()
        self._process = None
        return status
